namespace Trust.Pkcs11;

/// <summary>A token refused, is away, or cannot do what was asked. The message names the code and what to do, never a secret.</summary>
public sealed class TokenException : Exception
{
    /// <summary>Creates one for a PKCS#11 return value.</summary>
    /// <param name="code">The return value (CKR_…).</param>
    /// <param name="call">The function that returned it.</param>
    public TokenException(ulong code, string call)
        : base($"{call}: {ReturnCode.Name(code)}. {ReturnCode.Advice(code)}")
    {
        Code = code;
        CodeName = ReturnCode.Name(code);
    }

    /// <summary>Creates one for a fault found on this side.</summary>
    /// <param name="codeName">A name in the style of the return values, for example <c>UNSUPPORTED</c>.</param>
    /// <param name="message">What is wrong and what to do.</param>
    public TokenException(string codeName, string message)
        : base(message) => CodeName = codeName;

    /// <summary>The CKR value; 0 when the fault was found on this side.</summary>
    public ulong Code { get; }

    /// <summary>Its name, for example <c>CKR_DEVICE_REMOVED</c>.</summary>
    public string CodeName { get; }

    /// <summary>True when new sessions may help: the token or its sessions went away.</summary>
    public bool IsTokenLost => ReturnCode.IsTokenLost(Code);
}
