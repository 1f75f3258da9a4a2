namespace Trust.Pkcs11;

/// <summary>PKCS#11 v2.40 return values (§ 3.6 "General data types", CK_RV) that tokens are seen to return, with what to do.</summary>
internal static class ReturnCode
{
    public const ulong Ok = 0;
    public const ulong PinIncorrect = 0xA0;
    public const ulong PinLocked = 0xA4;
    public const ulong UserAlreadyLoggedIn = 0x100;
    public const ulong CryptokiAlreadyInitialized = 0x191;

    private static readonly Dictionary<ulong, (string Name, string Advice)> Known = new()
    {
        [0x01] = ("CKR_CANCEL", "The operation was cancelled at the token."),
        [0x02] = ("CKR_HOST_MEMORY", "The host is out of memory."),
        [0x03] = ("CKR_SLOT_ID_INVALID", "The slot is gone: check that the token is connected."),
        [0x05] = ("CKR_GENERAL_ERROR", "The module failed: read its own log."),
        [0x06] = ("CKR_FUNCTION_FAILED", "The token could not do it: read the module's log."),
        [0x07] = ("CKR_ARGUMENTS_BAD", "The module refuses the arguments: check the mechanism table."),
        [0x11] = ("CKR_ATTRIBUTE_SENSITIVE", "The value never leaves the token."),
        [0x12] = ("CKR_ATTRIBUTE_TYPE_INVALID", "The module does not know the attribute."),
        [0x13] = ("CKR_ATTRIBUTE_VALUE_INVALID", "The module refuses the key template."),
        [0x20] = ("CKR_DATA_INVALID", "The input has a form the key cannot take."),
        [0x21] = ("CKR_DATA_LEN_RANGE", "The input has a length the key cannot take."),
        [0x30] = ("CKR_DEVICE_ERROR", "The token reports a fault: check the device."),
        [0x31] = ("CKR_DEVICE_MEMORY", "The token is full: remove keys or use another token."),
        [0x32] = ("CKR_DEVICE_REMOVED", "The token was removed: connect it again."),
        [0x40] = ("CKR_ENCRYPTED_DATA_INVALID", "The sealed bytes or their associated data were changed."),
        [0x41] = ("CKR_ENCRYPTED_DATA_LEN_RANGE", "The sealed bytes have an impossible length."),
        [0x54] = ("CKR_FUNCTION_NOT_SUPPORTED", "This token cannot do it."),
        [0x60] = ("CKR_KEY_HANDLE_INVALID", "The key is gone from the token: reopen it."),
        [0x63] = ("CKR_KEY_TYPE_INCONSISTENT", "The key is of another type than the mechanism needs."),
        [0x68] = ("CKR_KEY_FUNCTION_NOT_PERMITTED", "The key may not be used for this."),
        [0x70] = ("CKR_MECHANISM_INVALID", "The token does not offer the mechanism: check the mechanism table."),
        [0x71] = ("CKR_MECHANISM_PARAM_INVALID", "The token refuses the mechanism's parameters."),
        [0x82] = ("CKR_OBJECT_HANDLE_INVALID", "The object is gone from the token: reopen it."),
        [0x90] = ("CKR_OPERATION_ACTIVE", "The session is busy."),
        [0x91] = ("CKR_OPERATION_NOT_INITIALIZED", "The session lost its operation."),
        [PinIncorrect] = ("CKR_PIN_INCORRECT", "The PIN file does not hold this token's PIN; it is not tried again before a restart, so that the token does not lock."),
        [0xA2] = ("CKR_PIN_LEN_RANGE", "The PIN has a length the token refuses."),
        [0xA3] = ("CKR_PIN_EXPIRED", "The PIN must be changed at the token."),
        [PinLocked] = ("CKR_PIN_LOCKED", "The token is locked: its security officer must unlock it."),
        [0xB0] = ("CKR_SESSION_CLOSED", "The session was closed by the token."),
        [0xB1] = ("CKR_SESSION_COUNT", "The token has no more sessions: lower the number of sessions."),
        [0xB3] = ("CKR_SESSION_HANDLE_INVALID", "The session is gone."),
        [0xC0] = ("CKR_SIGNATURE_INVALID", "The signature does not verify."),
        [0xD0] = ("CKR_TEMPLATE_INCOMPLETE", "The module wants more attributes for this key."),
        [0xD1] = ("CKR_TEMPLATE_INCONSISTENT", "The module refuses the key template."),
        [0xE0] = ("CKR_TOKEN_NOT_PRESENT", "The token is not in its slot: connect it."),
        [0xE1] = ("CKR_TOKEN_NOT_RECOGNIZED", "The slot holds something that is not a token of this module."),
        [0xE2] = ("CKR_TOKEN_WRITE_PROTECTED", "The token is write-protected."),
        [UserAlreadyLoggedIn] = ("CKR_USER_ALREADY_LOGGED_IN", "The token is logged in already."),
        [0x101] = ("CKR_USER_NOT_LOGGED_IN", "The login was lost."),
        [0x102] = ("CKR_USER_PIN_NOT_INITIALIZED", "The token has no user PIN yet: initialise it."),
        [0x150] = ("CKR_BUFFER_TOO_SMALL", "The output is longer than the standard allows."),
        [0x190] = ("CKR_CRYPTOKI_NOT_INITIALIZED", "The module was finalised by another part of the process."),
        [CryptokiAlreadyInitialized] = ("CKR_CRYPTOKI_ALREADY_INITIALIZED", "The module is initialised already."),
    };

    private static readonly HashSet<ulong> Lost =
        [0x03, 0x30, 0x32, 0x60, 0x82, 0xB0, 0xB3, 0xE0, 0xE1, 0x101, 0x190];

    /// <summary>The name the standard gives the value.</summary>
    public static string Name(ulong code) =>
        Known.TryGetValue(code, out var known) ? known.Name
        : code >= 0x80000000 ? $"CKR_VENDOR_DEFINED+0x{code - 0x80000000:x}" : $"CKR_0x{code:x}";

    /// <summary>What the operator can do.</summary>
    public static string Advice(ulong code) =>
        Known.TryGetValue(code, out var known) ? known.Advice : "Look the code up in the module's manual.";

    /// <summary>Whether opening new sessions may help.</summary>
    public static bool IsTokenLost(ulong code) => Lost.Contains(code);

    /// <summary>Throws unless the call succeeded.</summary>
    public static void Check(ulong code, string call)
    {
        if (code != Ok)
        {
            throw new TokenException(code, call);
        }
    }
}
