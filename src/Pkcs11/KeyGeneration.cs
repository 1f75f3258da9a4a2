using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Trust.Pkcs11;

/// <summary>Makes and unmakes keys. Every private or secret key is born inside: SENSITIVE, not EXTRACTABLE, one use each.</summary>
internal static class KeyGeneration
{
    public static TokenKey Generate(LiveToken live, ulong session, KeyRef key, KeyAlgorithm algorithm, VendorSm2? sm2)
    {
        if (Encoding.UTF8.GetByteCount(key.Label) is 0 or > 64)
        {
            throw new TokenException("LABEL", "A key's label has 1 to 64 bytes.");
        }

        lock (live.Keys)
        {
            if (live.Keys.ContainsKey(key.Label) || Objects(live, session, key).Count > 0)
            {
                throw new TokenException("KEY_EXISTS", $"The token holds a key named {key.Label} already.");
            }

            var entry = algorithm is KeyAlgorithm.Aes256 or KeyAlgorithm.HmacSha256
                ? Secret(live, session, key, algorithm)
                : Pair(live, session, key, algorithm, sm2);
            if (!IsSealed(live, session, entry.Handle))
            {
                _ = Destroy(live, session, key);
                throw new TokenException("KEY_EXPOSED", "The token made a key whose value could leave it: it was destroyed. Use another token.");
            }

            live.Keys[key.Label] = entry;
            return entry.Key;
        }
    }

    public static bool Destroy(LiveToken live, ulong session, KeyRef key)
    {
        _ = live.Keys.TryRemove(key.Label, out _);
        foreach (var handle in Objects(live, session, key))
        {
            live.Module.DestroyObject(session, handle);
        }

        return true;
    }

    public static bool StoreCertificate(LiveToken live, ulong session, KeyEntry key, ReadOnlySpan<byte> der)
    {
        using var certificate = X509CertificateLoader.LoadCertificate(der);
        if (!certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key.Key.SubjectPublicKeyInfo.Span))
        {
            throw new TokenException("WRONG_KEY", "The certificate is not for that key.");
        }

        foreach (var old in live.Module.FindObjects(
            session, Attribute.Number(Ck.Class, Ck.ClassCertificate), new Attribute(Ck.Label, Encoding.UTF8.GetBytes(key.Key.Ref.Label))))
        {
            live.Module.DestroyObject(session, old);
        }

        // CKA_SERIAL_NUMBER is the DER INTEGER.
        var serial = certificate.SerialNumberBytes.ToArray();
        _ = live.Module.CreateObject(
            session,
            Attribute.Number(Ck.Class, Ck.ClassCertificate),
            Attribute.Number(Ck.CertificateType, 0),
            Attribute.Bool(Ck.Token, true),
            Attribute.Bool(Ck.Private, false),
            new Attribute(Ck.Label, Encoding.UTF8.GetBytes(key.Key.Ref.Label)),
            new Attribute(Ck.Id, IdOf(key.Key.Ref)),
            new Attribute(Ck.Subject, certificate.SubjectName.RawData),
            new Attribute(Ck.Issuer, certificate.IssuerName.RawData),
            new Attribute(Ck.SerialNumber, [0x02, (byte)serial.Length, .. serial]),
            new Attribute(Ck.Value, certificate.RawData));
        return true;
    }

    private static KeyEntry Pair(LiveToken live, ulong session, KeyRef key, KeyAlgorithm algorithm, VendorSm2? sm2)
    {
        var (mechanism, parameters) = algorithm switch
        {
            KeyAlgorithm.EcdsaP256 => (Ck.EcKeyPairGeneration, new Attribute(Ck.EcParams, PublicKeyInfo.P256)),
            KeyAlgorithm.Rsa3072 => (Ck.RsaKeyPairGeneration, Attribute.Number(Ck.ModulusBits, 3072)),
            KeyAlgorithm.Ed25519 => (Ck.EdwardsKeyPairGeneration, new Attribute(Ck.EcParams, PublicKeyInfo.Edwards25519)),
            KeyAlgorithm.Sm2 => (VendorSm2Signing.Require(live, sm2).KeyPairGeneration, new Attribute(Ck.EcParams, PublicKeyInfo.Sm2)),
            _ => throw new TokenException("UNSUPPORTED", $"{algorithm} is not a key pair."),
        };
        if (!live.Mechanisms.Contains(mechanism))
        {
            throw new TokenException("UNSUPPORTED", $"The token does not offer {algorithm}.");
        }

        List<Attribute> publicTemplate = [.. Common(key, isPrivate: false), Attribute.Bool(Ck.Verify, true), parameters];
        if (algorithm == KeyAlgorithm.Rsa3072)
        {
            publicTemplate.Add(new Attribute(Ck.PublicExponent, [1, 0, 1]));
        }

        var (pub, priv) = live.Module.GenerateKeyPair(
            session, mechanism, [.. publicTemplate], [.. Common(key, isPrivate: true), .. Sealed(), Attribute.Bool(Ck.Sign, true), .. Denied()]);
        var shown = KeyCache.PublicKeyOf(live.Module, session, pub)
            ?? throw new TokenException("PUBLIC_KEY", "The token does not show the public key it made.");
        return new KeyEntry(new TokenKey(key, algorithm, shown.Spki), priv);
    }

    private static KeyEntry Secret(LiveToken live, ulong session, KeyRef key, KeyAlgorithm algorithm)
    {
        var aes = algorithm == KeyAlgorithm.Aes256;
        Attribute[] use = aes
            ? [Attribute.Bool(Ck.Encrypt, true), Attribute.Bool(Ck.Decrypt, true), Attribute.Bool(Ck.Sign, false), Attribute.Bool(Ck.Verify, false)]
            : [Attribute.Bool(Ck.Sign, true), Attribute.Bool(Ck.Verify, true), Attribute.Bool(Ck.Encrypt, false), Attribute.Bool(Ck.Decrypt, false)];
        var handle = live.Module.GenerateKey(
            session,
            aes ? Ck.AesGeneration : Ck.GenericSecretGeneration,
            [
                .. Common(key, isPrivate: true),
                .. Sealed(),
                Attribute.Number(Ck.ValueLength, 32),
                .. use,
                Attribute.Bool(Ck.Wrap, false),
                Attribute.Bool(Ck.Unwrap, false),
                Attribute.Bool(Ck.Derive, false),
            ]);
        return new KeyEntry(new TokenKey(key, algorithm, ReadOnlyMemory<byte>.Empty), handle);
    }

    // CKA_ID pairs private key, public key and certificate for other programs; derived from the label, so always the same.
    private static byte[] IdOf(KeyRef key) => SHA256.HashData(Encoding.UTF8.GetBytes(key.Label))[..20];

    private static Attribute[] Common(KeyRef key, bool isPrivate) =>
    [
        Attribute.Bool(Ck.Token, true),
        Attribute.Bool(Ck.Private, isPrivate),
        new Attribute(Ck.Label, Encoding.UTF8.GetBytes(key.Label)),
        new Attribute(Ck.Id, IdOf(key)),
    ];

    private static Attribute[] Sealed() => [Attribute.Bool(Ck.Sensitive, true), Attribute.Bool(Ck.Extractable, false)];

    private static Attribute[] Denied() =>
        [Attribute.Bool(Ck.Decrypt, false), Attribute.Bool(Ck.Unwrap, false), Attribute.Bool(Ck.Derive, false)];

    private static bool IsSealed(LiveToken live, ulong session, ulong handle) =>
        live.Module.Read(session, handle, Ck.Sensitive) is [1] && live.Module.Read(session, handle, Ck.Extractable) is [0];

    private static IReadOnlyList<ulong> Objects(LiveToken live, ulong session, KeyRef key) =>
        live.Module.FindObjects(session, new Attribute(Ck.Label, Encoding.UTF8.GetBytes(key.Label)), Attribute.Bool(Ck.Token, true));
}
