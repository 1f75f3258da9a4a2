namespace Trust.Pkcs11;

/// <summary>Initialises blank tokens: for development, tests and ceremonies.</summary>
public static class TokenSetup
{
    private static readonly Lock Gate = new();

    /// <summary>Gives a blank token of a module its label and PINs; PINs come from protected files, never from arguments.</summary>
    /// <param name="modulePath">The PKCS#11 module.</param>
    /// <param name="label">1 to 32 bytes.</param>
    /// <param name="securityOfficerPinFile">Holds the PIN that can unlock the token later.</param>
    /// <param name="userPinFile">Holds the PIN that services log in with.</param>
    /// <exception cref="TokenException">The label is in use, no token is blank, or the module refuses.</exception>
    public static void Initialize(string modulePath, string label, string securityOfficerPinFile, string userPinFile)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(label) is 0 or > 32)
        {
            throw new TokenException("LABEL", "A token's label has 1 to 32 bytes.");
        }

        using var officer = Pin.Read(securityOfficerPinFile);
        using var user = Pin.Read(userPinFile);
        var module = Pkcs11Module.Load(modulePath);

        // Two threads must not pick the same blank slot.
        lock (Gate)
        {
            module.InitializeToken(label, officer, user);
        }
    }

    /// <summary>Whether the module shows a wholly initialised token of that label.</summary>
    public static bool Exists(string modulePath, string label)
    {
        var module = Pkcs11Module.Load(modulePath);
        return module.FindSlot(label) is { } slot && module.HasUserPin(slot);
    }
}
