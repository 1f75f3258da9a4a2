using Net.Pkcs11Interop.Common;

namespace Trust.Pkcs11;

/// <summary>A token refused, is away, or cannot do what was asked. The message names the code and what to do, never a secret.</summary>
public sealed class TokenException : Exception
{
    /// <summary>Code name of a token that does not answer: a call took longer than <see cref="TokenOptions.CallTimeout"/>. What it does yet is dropped.</summary>
    public const string Silent = "TOKEN_SILENT";

    /// <summary>Code name of a token with more work waiting than it is allowed to pile up.</summary>
    public const string Busy = "TOKEN_BUSY";

    /// <summary>Code name of a token that is there and cannot be opened: its PIN file, its objects or its module are not as they should be.</summary>
    public const string Unreadable = "TOKEN_UNREADABLE";

    /// <summary>Code name of a token that stands where residency does not allow its use now.</summary>
    public const string PlaceRefused = "PLACE_REFUSED";

    /// <summary>Code name of a key that cannot be made because the token holds one of that name: ask for it by <see cref="IToken.Find"/>.</summary>
    public const string KeyExists = "KEY_EXISTS";

    /// <summary>Code name of a key that two instances made at once: this one took its own away. Ask again, then the other's is there.</summary>
    public const string KeyContended = "KEY_CONTENDED";

    /// <summary>Creates one for a PKCS#11 return value.</summary>
    /// <param name="code">The return value (CKR_…).</param>
    /// <param name="call">The function that returned it.</param>
    internal TokenException(CKR code, string call)
        : base($"{call}: {ReturnCode.Name(code)}. {ReturnCode.Advice(code)}")
    {
        ReturnValue = code;
        CodeName = ReturnCode.Name(code);
    }

    /// <summary>Creates one for a fault found on this side.</summary>
    /// <param name="codeName">A name in the style of the return values, for example <c>UNSUPPORTED</c>.</param>
    /// <param name="message">What is wrong and what to do.</param>
    /// <param name="cause">What was found, where it was an exception.</param>
    public TokenException(string codeName, string message, Exception? cause = null)
        : base(message, cause) => CodeName = codeName;

    /// <summary>The CKR value; 0 when the fault was found on this side.</summary>
    public ulong Code => (ulong)ReturnValue;

    /// <summary>Its name, for example <c>CKR_DEVICE_REMOVED</c>.</summary>
    public string CodeName { get; }

    /// <summary>True when the token or its sessions went away or do not answer: asking again later may help, and nothing was said about the input.</summary>
    public bool IsTokenLost => ReturnCode.IsTokenLost(ReturnValue) || ReturnCode.IsSessionOutOfStep(ReturnValue) || CodeName is Silent or Busy or Unreadable or PlaceRefused;

    /// <summary>The CKR value as the library names it; CKR_OK when the fault was found on this side.</summary>
    internal CKR ReturnValue { get; }
}
