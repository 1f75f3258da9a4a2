using Net.Pkcs11Interop.Common;

namespace Trust.Pkcs11;

/// <summary>What an operator can do about a return value (CK_RV), and what this project does about it.</summary>
internal static class ReturnCode
{
    private static readonly Dictionary<CKR, string> Advices = new()
    {
        [CKR.CKR_CANCEL] = "The operation was cancelled at the token.",
        [CKR.CKR_HOST_MEMORY] = "The host is out of memory.",
        [CKR.CKR_SLOT_ID_INVALID] = "The slot is gone: check that the token is connected.",
        [CKR.CKR_GENERAL_ERROR] = "The module failed: read its own log.",
        [CKR.CKR_FUNCTION_FAILED] = "The token could not do it: read the module's log.",
        [CKR.CKR_ARGUMENTS_BAD] = "The module refuses the arguments: check the mechanism table.",
        [CKR.CKR_ATTRIBUTE_SENSITIVE] = "The value never leaves the token.",
        [CKR.CKR_ATTRIBUTE_TYPE_INVALID] = "The module does not know the attribute.",
        [CKR.CKR_ATTRIBUTE_VALUE_INVALID] = "The module refuses the key template.",
        [CKR.CKR_DATA_INVALID] = "The input has a form the key cannot take.",
        [CKR.CKR_DATA_LEN_RANGE] = "The input has a length the key cannot take.",
        [CKR.CKR_DEVICE_ERROR] = "The token reports a fault: check the device.",
        [CKR.CKR_DEVICE_MEMORY] = "The token is full: remove keys or use another token.",
        [CKR.CKR_DEVICE_REMOVED] = "The token was removed: connect it again.",
        [CKR.CKR_ENCRYPTED_DATA_INVALID] = "The sealed bytes or their associated data were changed.",
        [CKR.CKR_ENCRYPTED_DATA_LEN_RANGE] = "The sealed bytes have an impossible length.",
        [CKR.CKR_FUNCTION_NOT_SUPPORTED] = "This token cannot do it.",
        [CKR.CKR_KEY_HANDLE_INVALID] = "The key is gone from the token: reopen it.",
        [CKR.CKR_KEY_TYPE_INCONSISTENT] = "The key is of another type than the mechanism needs.",
        [CKR.CKR_KEY_FUNCTION_NOT_PERMITTED] = "The key may not be used for this.",
        [CKR.CKR_MECHANISM_INVALID] = "The token does not offer the mechanism: check the mechanism table.",
        [CKR.CKR_MECHANISM_PARAM_INVALID] = "The token refuses the mechanism's parameters.",
        [CKR.CKR_OBJECT_HANDLE_INVALID] = "The object is gone from the token: reopen it.",
        [CKR.CKR_OPERATION_ACTIVE] = "The session is busy.",
        [CKR.CKR_OPERATION_NOT_INITIALIZED] = "The session lost its operation.",
        [CKR.CKR_PIN_INCORRECT] = "The PIN file does not hold this token's PIN; it is not tried again before a restart, so that the token does not lock.",
        [CKR.CKR_PIN_LEN_RANGE] = "The PIN has a length the token refuses.",
        [CKR.CKR_PIN_EXPIRED] = "The PIN must be changed at the token.",
        [CKR.CKR_PIN_LOCKED] = "The token is locked: its security officer must unlock it.",
        [CKR.CKR_SESSION_CLOSED] = "The session was closed by the token.",
        [CKR.CKR_SESSION_COUNT] = "The token has no more sessions: lower the number of sessions.",
        [CKR.CKR_SESSION_HANDLE_INVALID] = "The session is gone.",
        [CKR.CKR_SIGNATURE_INVALID] = "The signature does not verify.",
        [CKR.CKR_TEMPLATE_INCOMPLETE] = "The module wants more attributes for this key.",
        [CKR.CKR_TEMPLATE_INCONSISTENT] = "The module refuses the key template.",
        [CKR.CKR_TOKEN_NOT_PRESENT] = "The token is not in its slot: connect it.",
        [CKR.CKR_TOKEN_NOT_RECOGNIZED] = "The slot holds something that is not a token of this module.",
        [CKR.CKR_TOKEN_WRITE_PROTECTED] = "The token is write-protected.",
        [CKR.CKR_USER_ALREADY_LOGGED_IN] = "The token is logged in already.",
        [CKR.CKR_USER_NOT_LOGGED_IN] = "The login was lost.",
        [CKR.CKR_USER_PIN_NOT_INITIALIZED] = "The token has no user PIN yet: initialise it.",
        [CKR.CKR_BUFFER_TOO_SMALL] = "The output is longer than the standard allows.",
        [CKR.CKR_CRYPTOKI_NOT_INITIALIZED] = "The module was finalised by another part of the process.",
        [CKR.CKR_CRYPTOKI_ALREADY_INITIALIZED] = "The module is initialised already.",
    };

    /// <summary>The name the standard gives the value; a number where it gives none.</summary>
    public static string Name(CKR code) =>
        Enum.IsDefined(code) && code != CKR.CKR_VENDOR_DEFINED ? code.ToString()
        : code >= CKR.CKR_VENDOR_DEFINED ? $"CKR_VENDOR_DEFINED+0x{(uint)code - (uint)CKR.CKR_VENDOR_DEFINED:x}" : $"CKR_0x{(uint)code:x}";

    /// <summary>What the operator can do.</summary>
    public static string Advice(CKR code) => Advices.GetValueOrDefault(code, "Look the code up in the module's manual.");

    /// <summary>Whether logging in again may help: token, login, sessions or handles are gone.</summary>
    public static bool IsTokenLost(CKR code) => code
        is CKR.CKR_SLOT_ID_INVALID or CKR.CKR_DEVICE_ERROR or CKR.CKR_DEVICE_REMOVED or CKR.CKR_KEY_HANDLE_INVALID or CKR.CKR_OBJECT_HANDLE_INVALID
        or CKR.CKR_SESSION_CLOSED or CKR.CKR_SESSION_HANDLE_INVALID or CKR.CKR_TOKEN_NOT_PRESENT or CKR.CKR_TOKEN_NOT_RECOGNIZED
        or CKR.CKR_USER_NOT_LOGGED_IN or CKR.CKR_CRYPTOKI_NOT_INITIALIZED;

    /// <summary>
    /// Whether this one session is out of step: it holds an operation that nobody began here, or lost the one begun. A new session has neither.
    /// </summary>
    public static bool IsSessionOutOfStep(CKR code) => code is CKR.CKR_OPERATION_ACTIVE or CKR.CKR_OPERATION_NOT_INITIALIZED;

    /// <summary>Throws unless the call succeeded.</summary>
    public static void Check(CKR code, string call)
    {
        if (code != CKR.CKR_OK)
        {
            throw new TokenException(code, call);
        }
    }
}
