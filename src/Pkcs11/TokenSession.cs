using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.LowLevelAPI80;
using Net.Pkcs11Interop.LowLevelAPI80.MechanismParams;

namespace Trust.Pkcs11;

/// <summary>An open session of a token: every call that takes a session, each return value checked. Used by one thread at a time.</summary>
internal sealed class TokenSession(Pkcs11Library library, ulong session) : IDisposable
{
    private const ulong Unavailable = ulong.MaxValue;
    private static readonly byte[] Nothing = [0];

    private bool _closed;

    /// <summary>Logs in; a login holds for all sessions of the process with that token.</summary>
    public void Login(CKU user, Pin pin)
    {
        var code = library.C_Login(session, user, pin.Bytes, (ulong)pin.Bytes.Length);
        if (code != CKR.CKR_USER_ALREADY_LOGGED_IN)
        {
            ReturnCode.Check(code, "C_Login");
        }
    }

    /// <summary>C_InitPIN, as the security officer.</summary>
    public void SetUserPin(Pin pin) => ReturnCode.Check(library.C_InitPIN(session, pin.Bytes, (ulong)pin.Bytes.Length), "C_InitPIN");

    /// <summary>C_GetSessionInfo: whether the session still lives.</summary>
    public void CheckAlive()
    {
        var info = default(CK_SESSION_INFO);
        ReturnCode.Check(library.C_GetSessionInfo(session, ref info), "C_GetSessionInfo");
    }

    /// <summary>Handles of all objects that match a template.</summary>
    public List<ulong> Find(Template template)
    {
        ReturnCode.Check(library.C_FindObjectsInit(session, template.Attributes, template.Count), "C_FindObjectsInit");
        var found = new List<ulong>();
        try
        {
            var page = new ulong[256];
            ulong count = 0;
            do
            {
                ReturnCode.Check(library.C_FindObjects(session, page, (ulong)page.Length, ref count), "C_FindObjects");
                found.AddRange(page.AsSpan(0, (int)count));
            }
            while (count == (ulong)page.Length);
        }
        finally
        {
            _ = library.C_FindObjectsFinal(session);
        }

        return found;
    }

    /// <summary>One attribute's bytes; null where the object has none.</summary>
    public unsafe byte[]? Read(ulong handle, CKA type)
    {
        CK_ATTRIBUTE[] attribute = [new CK_ATTRIBUTE { type = (ulong)type }];
        var code = library.C_GetAttributeValue(session, handle, attribute, 1);
        if (code is CKR.CKR_ATTRIBUTE_SENSITIVE or CKR.CKR_ATTRIBUTE_TYPE_INVALID || attribute[0].valueLen == Unavailable)
        {
            return null;
        }

        ReturnCode.Check(code, "C_GetAttributeValue");
        var value = new byte[attribute[0].valueLen];
        fixed (byte* p = value)
        {
            attribute[0].value = (nint)p;
            ReturnCode.Check(library.C_GetAttributeValue(session, handle, attribute, 1), "C_GetAttributeValue");
        }

        return value;
    }

    /// <summary>Changes attributes of an object.</summary>
    /// <returns>False when the token does not let these be changed.</returns>
    public bool Change(ulong handle, Template template)
    {
        var code = library.C_SetAttributeValue(session, handle, template.Attributes, template.Count);
        if (code is CKR.CKR_OK)
        {
            return true;
        }

        var refused = new TokenException(code, "C_SetAttributeValue");
        return refused.IsTokenLost ? throw refused : false;
    }

    /// <summary>Creates an object from its whole template.</summary>
    public void Create(Template template)
    {
        ulong handle = 0;
        ReturnCode.Check(library.C_CreateObject(session, template.Attributes, template.Count, ref handle), "C_CreateObject");
    }

    /// <summary>Destroys an object.</summary>
    public void Destroy(ulong handle) => ReturnCode.Check(library.C_DestroyObject(session, handle), "C_DestroyObject");

    /// <summary>Generates a secret key; answers its handle.</summary>
    public ulong GenerateKey(CKM mechanism, Template template)
    {
        var m = new CK_MECHANISM { Mechanism = (ulong)mechanism };
        ulong handle = 0;
        ReturnCode.Check(library.C_GenerateKey(session, ref m, template.Attributes, template.Count, ref handle), "C_GenerateKey");
        return handle;
    }

    /// <summary>Generates a key pair; answers its handles.</summary>
    public (ulong Public, ulong Private) GenerateKeyPair(ulong mechanism, Template publicKey, Template privateKey)
    {
        var m = new CK_MECHANISM { Mechanism = mechanism };
        ulong publicHandle = 0;
        ulong privateHandle = 0;
        ReturnCode.Check(
            library.C_GenerateKeyPair(
                session, ref m, publicKey.Attributes, publicKey.Count, privateKey.Attributes, privateKey.Count, ref publicHandle, ref privateHandle),
            "C_GenerateKeyPair");
        return (publicHandle, privateHandle);
    }

    /// <summary>C_SignInit and one C_Sign: never a first call for the length, which on a token across a network is a journey of its own.</summary>
    /// <param name="mechanism">A number, because vendors' mechanisms have no names.</param>
    /// <param name="key">Handle.</param>
    /// <param name="data">What is signed.</param>
    /// <param name="maxLength">Longest possible signature or MAC in bytes.</param>
    public byte[] Sign(ulong mechanism, ulong key, ReadOnlySpan<byte> data, int maxLength)
    {
        var m = new CK_MECHANISM { Mechanism = mechanism };
        ReturnCode.Check(library.C_SignInit(session, ref m, key), "C_SignInit");
        var output = new byte[maxLength];
        var length = (ulong)maxLength;
        ReturnCode.Check(library.C_Sign(session, Addressable(data), (ulong)data.Length, output, ref length), "C_Sign");
        return length == (ulong)maxLength ? output : output[..(int)length];
    }

    /// <summary>RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (RFC 7518 3.5) over a digest.</summary>
    /// <param name="key">Handle of the private key.</param>
    /// <param name="digest">SHA-256, 32 bytes.</param>
    /// <param name="length">Length of the modulus in bytes.</param>
    public unsafe byte[] SignPss(ulong key, ReadOnlySpan<byte> digest, int length)
    {
        var parameters = new CK_RSA_PKCS_PSS_PARAMS { HashAlg = (ulong)CKM.CKM_SHA256, Mgf = (ulong)CKG.CKG_MGF1_SHA256, Len = 32 };
        var m = new CK_MECHANISM { Mechanism = (ulong)CKM.CKM_RSA_PKCS_PSS, Parameter = (nint)(&parameters), ParameterLen = (ulong)sizeof(CK_RSA_PKCS_PSS_PARAMS) };
        ReturnCode.Check(library.C_SignInit(session, ref m, key), "C_SignInit");
        var output = new byte[length];
        var written = (ulong)length;
        ReturnCode.Check(library.C_Sign(session, Addressable(digest), (ulong)digest.Length, output, ref written), "C_Sign");
        return written == (ulong)length ? output : throw new TokenException("SIGNATURE_LENGTH", "The token's RSA signature is not as long as the modulus.");
    }

    /// <summary>
    /// ECDH with no key derivation function (CKM_ECDH1_DERIVE, CKD_NULL): the shared point's x, 32 bytes. PKCS#11 gives it as a key only: an object of
    /// this session alone, readable, destroyed before this returns.
    /// </summary>
    /// <param name="key">Handle of the private key.</param>
    /// <param name="point">04 ‖ x ‖ y, bare: PKCS#11 v2.40 2.3.8 has every token take that, and some the DER OCTET STRING around it as well.</param>
    public unsafe byte[] Agree(ulong key, ReadOnlySpan<byte> point)
    {
        using var template = new Template()
            .With(CKA.CKA_CLASS, (ulong)CKO.CKO_SECRET_KEY).With(CKA.CKA_KEY_TYPE, (ulong)CKK.CKK_GENERIC_SECRET).With(CKA.CKA_VALUE_LEN, 32UL)
            .With(CKA.CKA_TOKEN, false).With(CKA.CKA_PRIVATE, true).With(CKA.CKA_SENSITIVE, false).With(CKA.CKA_EXTRACTABLE, true);
        ulong shared = 0;
        fixed (byte* p = point)
        {
            var parameters = new CK_ECDH1_DERIVE_PARAMS { Kdf = (ulong)CKD.CKD_NULL, PublicData = (nint)p, PublicDataLen = (ulong)point.Length };
            var m = new CK_MECHANISM
            {
                Mechanism = (ulong)CKM.CKM_ECDH1_DERIVE,
                Parameter = (nint)(&parameters),
                ParameterLen = (ulong)sizeof(CK_ECDH1_DERIVE_PARAMS),
            };
            ReturnCode.Check(library.C_DeriveKey(session, ref m, key, template.Attributes, template.Count, ref shared), "C_DeriveKey");
        }

        try
        {
            return Read(shared, CKA.CKA_VALUE) is { Length: 32 } x
                ? x
                : throw new TokenException("SHARED_VALUE", "The token does not show the 32 bytes that it agreed on: use another token for this key.");
        }
        finally
        {
            Destroy(shared);
        }
    }

    /// <summary>AES-GCM in either direction: encrypting appends the 16-byte tag, decrypting expects it.</summary>
    public unsafe byte[] Gcm(bool encrypt, ulong key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> input, ReadOnlySpan<byte> associatedData)
    {
        var output = new byte[input.Length + 16];
        var length = (ulong)output.Length;
        fixed (byte* iv = nonce, aad = associatedData.IsEmpty ? Nothing : associatedData)
        {
            var parameters = new CK_GCM_PARAMS
            {
                Iv = (nint)iv,
                IvLen = (ulong)nonce.Length,
                IvBits = (ulong)nonce.Length * 8,
                AAD = (nint)aad,
                AADLen = (ulong)associatedData.Length,
                TagBits = 128,
            };
            var m = new CK_MECHANISM { Mechanism = (ulong)CKM.CKM_AES_GCM, Parameter = (nint)(&parameters), ParameterLen = (ulong)sizeof(CK_GCM_PARAMS) };
            var data = Addressable(input);
            if (encrypt)
            {
                ReturnCode.Check(library.C_EncryptInit(session, ref m, key), "C_EncryptInit");
                ReturnCode.Check(library.C_Encrypt(session, data, (ulong)input.Length, output, ref length), "C_Encrypt");
            }
            else
            {
                ReturnCode.Check(library.C_DecryptInit(session, ref m, key), "C_DecryptInit");
                ReturnCode.Check(library.C_Decrypt(session, data, (ulong)input.Length, output, ref length), "C_Decrypt");
            }
        }

        return output[..(int)length];
    }

    /// <summary>Forgets the session without a call: it went with its token, and its number may by now be another's.</summary>
    public void Abandon() => _closed = true;

    /// <summary>Closes the session; one that is gone already is as good.</summary>
    public void Dispose()
    {
        if (!_closed)
        {
            _closed = true;
            _ = library.C_CloseSession(session);
        }
    }

    // Modules refuse a null pointer even where the length is 0.
    private static byte[] Addressable(ReadOnlySpan<byte> bytes) => bytes.IsEmpty ? Nothing : bytes.ToArray();
}
