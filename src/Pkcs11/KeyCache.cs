using System.Collections.Concurrent;
using System.Text;

namespace Trust.Pkcs11;

/// <summary>Reads a token's keys once: searching is linear in the number of objects, so it never happens per request.</summary>
internal static class KeyCache
{
    public static ConcurrentDictionary<string, KeyEntry> Read(Cryptoki module, ulong session)
    {
        var publicKeys = new Dictionary<string, (KeyAlgorithm Algorithm, byte[] Spki)>(StringComparer.Ordinal);
        foreach (var handle in Objects(module, session, Ck.ClassPublicKey))
        {
            if (ReadLabel(module, session, handle) is { } label && PublicKeyOf(module, session, handle) is { } key)
            {
                publicKeys[label] = key;
            }
        }

        var keys = new ConcurrentDictionary<string, KeyEntry>(StringComparer.Ordinal);
        foreach (var handle in Objects(module, session, Ck.ClassPrivateKey))
        {
            if (ReadLabel(module, session, handle) is { } label && publicKeys.TryGetValue(label, out var pub))
            {
                Add(keys, new KeyEntry(new TokenKey(new KeyRef(label), pub.Algorithm, pub.Spki), handle));
            }
        }

        foreach (var handle in Objects(module, session, Ck.ClassSecretKey))
        {
            if (ReadLabel(module, session, handle) is { } label && SecretAlgorithm(module, session, handle) is { } algorithm)
            {
                Add(keys, new KeyEntry(new TokenKey(new KeyRef(label), algorithm, ReadOnlyMemory<byte>.Empty), handle));
            }
        }

        return keys;
    }

    /// <summary>A public key object as algorithm and SubjectPublicKeyInfo; null for kinds not used here.</summary>
    public static (KeyAlgorithm Algorithm, byte[] Spki)? PublicKeyOf(Cryptoki module, ulong session, ulong handle)
    {
        switch (ReadNumber(module, session, handle, Ck.KeyType))
        {
            case Ck.KeyRsa when module.Read(session, handle, Ck.Modulus) is { } n && module.Read(session, handle, Ck.PublicExponent) is { } e:
                return n.Length == 384 ? (KeyAlgorithm.Rsa3072, PublicKeyInfo.Rsa(n, e)) : null;
            case Ck.KeyEc when module.Read(session, handle, Ck.EcParams) is { } curve && module.Read(session, handle, Ck.EcPoint) is { } point:
                return PublicKeyInfo.CurveOf(curve) is { } algorithm ? (algorithm, PublicKeyInfo.Ec(curve, point)) : null;
            case Ck.KeyEcEdwards when module.Read(session, handle, Ck.EcPoint) is { } point:
                return (KeyAlgorithm.Ed25519, PublicKeyInfo.Ed25519(point));
            default:
                return null;
        }
    }

    private static void Add(ConcurrentDictionary<string, KeyEntry> keys, KeyEntry entry)
    {
        if (!keys.TryAdd(entry.Key.Ref.Label, entry))
        {
            // Which of two keys signs must never depend on the order in which a module lists them.
            throw new TokenException("DUPLICATE_LABEL", $"The token holds two keys named {entry.Key.Ref.Label}: rename or remove one.");
        }
    }

    private static KeyAlgorithm? SecretAlgorithm(Cryptoki module, ulong session, ulong handle) =>
        ReadNumber(module, session, handle, Ck.KeyType) switch
        {
            Ck.KeyAes => KeyAlgorithm.Aes256,
            Ck.KeyGenericSecret or Ck.KeySha256Hmac => KeyAlgorithm.HmacSha256,
            _ => null,
        };

    private static IReadOnlyList<ulong> Objects(Cryptoki module, ulong session, ulong objectClass) =>
        module.FindObjects(session, Attribute.Number(Ck.Class, objectClass), Attribute.Bool(Ck.Token, true));

    private static string? ReadLabel(Cryptoki module, ulong session, ulong handle) =>
        module.Read(session, handle, Ck.Label) is { Length: > 0 } label ? Encoding.UTF8.GetString(label) : null;

    private static ulong? ReadNumber(Cryptoki module, ulong session, ulong handle, ulong type) =>
        module.Read(session, handle, type) is { Length: 8 } value ? BitConverter.ToUInt64(value) : null;
}
