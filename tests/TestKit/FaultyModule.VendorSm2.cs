using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Trust.Crypto;
using Trust.Pkcs11;

namespace Trust.TestKit;

/// <summary>
/// The vendor's part: SM2 mechanisms in the vendor range, computed by libcrypto. SoftHSM stores stand-in objects, so that
/// finding and reading keys work as on a device.
/// </summary>
public static unsafe partial class FaultyModule
{
    private const ulong Generation = 0x80008001;
    private const ulong RawSignature = 0x80008002;
    private const ulong DerSignature = 0x80008003;
    private const ulong WrongSignature = 0x80008004;

    private static readonly byte[] Sm2Curve = Convert.FromHexString("06082A811CCF5501822D");
    private static readonly ConcurrentDictionary<ulong, Sm2PrivateKey> VendorKeys = new();
    private static readonly ConcurrentDictionary<ulong, (Sm2PrivateKey Key, ulong Mechanism)> VendorOperations = new();

    /// <summary>The table of this vendor, with r‖s signatures.</summary>
    public static VendorSm2 Sm2Raw { get; } = new() { KeyPairGeneration = Generation, Sign = RawSignature };

    /// <summary>The same vendor's mechanism that answers DER.</summary>
    public static VendorSm2 Sm2Der { get; } = new() { KeyPairGeneration = Generation, Sign = DerSignature, Form = Sm2SignatureForm.Der };

    /// <summary>A table with a number of another vendor's: it signs, but not SM2 over this digest.</summary>
    public static VendorSm2 Sm2Wrong { get; } = new() { KeyPairGeneration = Generation, Sign = WrongSignature };

    private static void AddVendorSm2(nint* table)
    {
        table[7] = (nint)(delegate* unmanaged[Cdecl]<ulong, ulong*, ulong*, ulong>)&GetMechanismList;
        table[59] = (nint)(delegate* unmanaged[Cdecl]<ulong, ulong*, Template*, ulong, Template*, ulong, ulong*, ulong*, ulong>)&GenerateKeyPair;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Template
    {
        public ulong Type;
        public void* Value;
        public ulong Length;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong GetMechanismList(ulong slot, ulong* list, ulong* count)
    {
        var call = (delegate* unmanaged[Cdecl]<ulong, ulong*, ulong*, ulong>)_real[7];
        ulong own = 0;
        _ = call(slot, null, &own);
        if (list is not null)
        {
            var code = call(slot, list, &own);
            if (code != 0)
            {
                return code;
            }

            list[own] = Generation;
            list[own + 1] = RawSignature;
            list[own + 2] = DerSignature;
            list[own + 3] = WrongSignature;
        }

        *count = own + 4;
        return 0;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong GenerateKeyPair(
        ulong session, ulong* mechanism, Template* pub, ulong pubCount, Template* priv, ulong privCount, ulong* pubHandle, ulong* privHandle)
    {
        Of(session).BeforeGeneration?.Invoke();
        if (*mechanism != Generation)
        {
            return ((delegate* unmanaged[Cdecl]<ulong, ulong*, Template*, ulong, Template*, ulong, ulong*, ulong*, ulong>)_real[59])(
                session, mechanism, pub, pubCount, priv, privCount, pubHandle, privHandle);
        }

        var key = Sm2PrivateKey.Generate();
        byte[] point = [0x04, 0x41, .. key.SubjectPublicKeyInfo.Span[^65..]];
        var code = Create(session, pub, pubCount, [(0x000, Number(2)), (0x100, Number(3)), (0x181, point)], pubHandle);
        if (code != 0)
        {
            return code;
        }

        // The stand-in's value is never used: signatures are made by libcrypto from the key kept here.
        code = Create(session, priv, privCount, [(0x000, Number(3)), (0x100, Number(3)), (0x180, Sm2Curve), (0x011, new byte[] { 1 })], privHandle);
        if (code == 0)
        {
            VendorKeys[*privHandle] = key;
        }

        return code;
    }

    private static byte[] Number(ulong value) => BitConverter.GetBytes(value);

    private static ulong Create(ulong session, Template* given, ulong count, (ulong Type, byte[] Value)[] added, ulong* handle)
    {
        var all = new Template[(int)count + added.Length];
        for (var i = 0; i < (int)count; i++)
        {
            all[i] = given[i];
        }

        var pins = new GCHandle[added.Length];
        for (var i = 0; i < added.Length; i++)
        {
            pins[i] = GCHandle.Alloc(added[i].Value, GCHandleType.Pinned);
            all[(int)count + i] = new Template { Type = added[i].Type, Value = (void*)pins[i].AddrOfPinnedObject(), Length = (ulong)added[i].Value.Length };
        }

        try
        {
            fixed (Template* p = all)
            {
                return ((delegate* unmanaged[Cdecl]<ulong, Template*, ulong, ulong*, ulong>)_real[20])(session, p, (ulong)all.Length, handle);
            }
        }
        finally
        {
            foreach (var pin in pins)
            {
                pin.Free();
            }
        }
    }

    private static ulong? VendorSignInit(ulong session, ulong mechanism, ulong key)
    {
        if (mechanism is not (RawSignature or DerSignature or WrongSignature))
        {
            return null;
        }

        if (!VendorKeys.TryGetValue(key, out var sm2))
        {
            return 0x60;
        }

        VendorOperations[session] = (sm2, mechanism);
        return 0;
    }

    private static ulong? VendorSign(ulong session, byte* data, ulong length, byte* signature, ulong* signatureLength)
    {
        if (!VendorOperations.TryRemove(session, out var operation))
        {
            return null;
        }

        var e = new ReadOnlySpan<byte>(data, (int)length).ToArray();
        if (operation.Mechanism == WrongSignature)
        {
            e[0] ^= 1;
        }

        var raw = operation.Key.SignDigest(e);
        var result = operation.Mechanism == DerSignature ? EcdsaForm.ToDer(raw) : raw;
        result.CopyTo(new Span<byte>(signature, (int)*signatureLength));
        *signatureLength = (ulong)result.Length;
        return 0;
    }
}
