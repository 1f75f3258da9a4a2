using System.Runtime.InteropServices;

namespace Trust.Pkcs11;

/// <summary>One attribute of a template.</summary>
internal readonly record struct Attribute(ulong Type, byte[] Value)
{
    public static Attribute Bool(ulong type, bool value) => new(type, [value ? (byte)1 : (byte)0]);

    public static Attribute Number(ulong type, ulong value) => new(type, BitConverter.GetBytes(value));
}

/// <summary>Objects and cryptographic calls.</summary>
internal sealed unsafe partial class Cryptoki
{
    private const ulong Unavailable = ulong.MaxValue;
    private static readonly byte[] Nothing = [0];

    /// <summary>Handles of all objects that match a template.</summary>
    public IReadOnlyList<ulong> FindObjects(ulong session, params Attribute[] template)
    {
        using var native = new NativeTemplate(template);
        ReturnCode.Check(
            ((delegate* unmanaged[Cdecl]<ulong, CkAttribute*, ulong, ulong>)_functions[26])(session, native.Pointer, native.Count),
            "C_FindObjectsInit");
        var found = new List<ulong>();
        try
        {
            var page = stackalloc ulong[256];
            ulong count;
            do
            {
                ReturnCode.Check(
                    ((delegate* unmanaged[Cdecl]<ulong, ulong*, ulong, ulong*, ulong>)_functions[27])(session, page, 256, &count),
                    "C_FindObjects");
                for (ulong i = 0; i < count; i++)
                {
                    found.Add(page[i]);
                }
            }
            while (count == 256);
        }
        finally
        {
            _ = ((delegate* unmanaged[Cdecl]<ulong, ulong>)_functions[28])(session);
        }

        return found;
    }

    /// <summary>One attribute's bytes; null where the object has none.</summary>
    public byte[]? Read(ulong session, ulong handle, ulong type)
    {
        var call = (delegate* unmanaged[Cdecl]<ulong, ulong, CkAttribute*, ulong, ulong>)_functions[24];
        var attribute = new CkAttribute { Type = type };
        var code = call(session, handle, &attribute, 1);
        if (code is 0x11 or 0x12 || attribute.Length == Unavailable)
        {
            return null;
        }

        ReturnCode.Check(code, "C_GetAttributeValue");
        var value = new byte[attribute.Length];
        fixed (byte* p = value)
        {
            attribute.Value = p;
            ReturnCode.Check(call(session, handle, &attribute, 1), "C_GetAttributeValue");
        }

        return value;
    }

    /// <summary>Creates an object from its whole template.</summary>
    public ulong CreateObject(ulong session, params Attribute[] template)
    {
        using var native = new NativeTemplate(template);
        ulong handle = 0;
        ReturnCode.Check(
            ((delegate* unmanaged[Cdecl]<ulong, CkAttribute*, ulong, ulong*, ulong>)_functions[20])(session, native.Pointer, native.Count, &handle),
            "C_CreateObject");
        return handle;
    }

    /// <summary>Destroys an object.</summary>
    public void DestroyObject(ulong session, ulong handle) =>
        ReturnCode.Check(((delegate* unmanaged[Cdecl]<ulong, ulong, ulong>)_functions[22])(session, handle), "C_DestroyObject");

    /// <summary>Generates a secret key.</summary>
    public ulong GenerateKey(ulong session, ulong mechanism, params Attribute[] template)
    {
        using var native = new NativeTemplate(template);
        var m = new CkMechanism { Mechanism = mechanism };
        ulong handle = 0;
        ReturnCode.Check(
            ((delegate* unmanaged[Cdecl]<ulong, CkMechanism*, CkAttribute*, ulong, ulong*, ulong>)_functions[58])(
                session, &m, native.Pointer, native.Count, &handle),
            "C_GenerateKey");
        return handle;
    }

    /// <summary>Generates a key pair.</summary>
    public (ulong Public, ulong Private) GenerateKeyPair(ulong session, ulong mechanism, Attribute[] publicTemplate, Attribute[] privateTemplate)
    {
        using var pub = new NativeTemplate(publicTemplate);
        using var priv = new NativeTemplate(privateTemplate);
        var m = new CkMechanism { Mechanism = mechanism };
        ulong publicHandle = 0;
        ulong privateHandle = 0;
        ReturnCode.Check(
            ((delegate* unmanaged[Cdecl]<ulong, CkMechanism*, CkAttribute*, ulong, CkAttribute*, ulong, ulong*, ulong*, ulong>)_functions[59])(
                session, &m, pub.Pointer, pub.Count, priv.Pointer, priv.Count, &publicHandle, &privateHandle),
            "C_GenerateKeyPair");
        return (publicHandle, privateHandle);
    }

    /// <summary>C_SignInit and C_Sign.</summary>
    /// <param name="maxLength">Longest possible signature or MAC in bytes.</param>
    public byte[] Sign(ulong session, ulong mechanism, ulong key, ReadOnlySpan<byte> data, int maxLength)
    {
        var m = new CkMechanism { Mechanism = mechanism };
        ReturnCode.Check(((delegate* unmanaged[Cdecl]<ulong, CkMechanism*, ulong, ulong>)_functions[42])(session, &m, key), "C_SignInit");
        var output = new byte[maxLength];
        var length = (ulong)maxLength;
        fixed (byte* input = Addressable(data), result = output)
        {
            ReturnCode.Check(
                ((delegate* unmanaged[Cdecl]<ulong, byte*, ulong, byte*, ulong*, ulong>)_functions[43])(
                    session, input, (ulong)data.Length, result, &length),
                "C_Sign");
        }

        return length == (ulong)maxLength ? output : output[..(int)length];
    }

    /// <summary>AES-GCM in either direction: encrypting appends the 16-byte tag, decrypting expects it.</summary>
    public byte[] Gcm(ulong session, bool encrypt, ulong key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> input, ReadOnlySpan<byte> associatedData)
    {
        var output = new byte[input.Length + 16];
        var length = (ulong)output.Length;
        fixed (byte* iv = nonce, aad = Addressable(associatedData), data = Addressable(input), result = output)
        {
            var parameters = new CkGcmParameters
            {
                Iv = iv,
                IvLength = (ulong)nonce.Length,
                IvBits = (ulong)nonce.Length * 8,
                AssociatedData = aad,
                AssociatedDataLength = (ulong)associatedData.Length,
                TagBits = 128,
            };
            var m = new CkMechanism { Mechanism = Ck.AesGcm, Parameter = &parameters, ParameterLength = (ulong)sizeof(CkGcmParameters) };
            var (init, run, name) = encrypt ? (29, 30, "C_Encrypt") : (33, 34, "C_Decrypt");
            ReturnCode.Check(((delegate* unmanaged[Cdecl]<ulong, CkMechanism*, ulong, ulong>)_functions[init])(session, &m, key), name + "Init");
            ReturnCode.Check(
                ((delegate* unmanaged[Cdecl]<ulong, byte*, ulong, byte*, ulong*, ulong>)_functions[run])(
                    session, data, (ulong)input.Length, result, &length),
                name);
        }

        return output[..(int)length];
    }

    // Modules refuse a null pointer even where the length is 0.
    private static ReadOnlySpan<byte> Addressable(ReadOnlySpan<byte> bytes) => bytes.IsEmpty ? Nothing : bytes;

    /// <summary>A template copied to native memory for one call.</summary>
    private sealed class NativeTemplate : IDisposable
    {
        private readonly GCHandle[] _pins;
        private readonly CkAttribute[] _attributes;
        private readonly GCHandle _array;

        public NativeTemplate(Attribute[] template)
        {
            _pins = new GCHandle[template.Length];
            _attributes = new CkAttribute[template.Length];
            for (var i = 0; i < template.Length; i++)
            {
                _pins[i] = GCHandle.Alloc(template[i].Value, GCHandleType.Pinned);
                _attributes[i] = new CkAttribute
                {
                    Type = template[i].Type,
                    Value = (void*)_pins[i].AddrOfPinnedObject(),
                    Length = (ulong)template[i].Value.Length,
                };
            }

            _array = GCHandle.Alloc(_attributes, GCHandleType.Pinned);
        }

        public CkAttribute* Pointer => (CkAttribute*)_array.AddrOfPinnedObject();

        public ulong Count => (ulong)_attributes.Length;

        public void Dispose()
        {
            _array.Free();
            foreach (var pin in _pins)
            {
                pin.Free();
            }
        }
    }
}
