using System.Text;
using Net.Pkcs11Interop.Common;

namespace Trust.Pkcs11;

/// <summary>Reads keys from a token's objects.</summary>
internal static class KeyReader
{
    /// <summary>All keys of the token, or those of one label, without those that an instance is about to make.</summary>
    /// <param name="session">Logged in.</param>
    /// <param name="label">The one label looked for; null for all.</param>
    /// <param name="now">Tells keys that are being made from those whose maker died over it.</param>
    /// <param name="progress">Called after each object: reading thousands is many short calls and not one long one.</param>
    /// <exception cref="TokenException">DUPLICATE_LABEL: two keys have one name.</exception>
    public static IReadOnlyList<KeyEntry> Read(TokenSession session, string? label, DateTimeOffset now, Action progress)
    {
        var publicKeys = new Dictionary<string, (KeyAlgorithm Algorithm, byte[] Spki)>(StringComparer.Ordinal);
        foreach (var (handle, name) in Objects(session, CKO.CKO_PUBLIC_KEY, label, progress))
        {
            // Public and private keys are paired by label, so that the public key of one that is being made must not be taken for another's.
            if (UnlessGone(() => PublicKeyOf(session, handle)) is { } key && !IsBeingMade(session, handle, now))
            {
                publicKeys[name] = key;
            }
        }

        var keys = new Dictionary<string, KeyEntry>(StringComparer.Ordinal);
        foreach (var (handle, name) in Objects(session, CKO.CKO_PRIVATE_KEY, label, progress))
        {
            if (publicKeys.TryGetValue(name, out var pub) && !IsBeingMade(session, handle, now)
                && UnlessGone<KeyAlgorithm?>(() => Agrees(session, handle, pub.Algorithm) ? KeyAlgorithm.EcdhP256 : pub.Algorithm) is { } algorithm)
            {
                Add(keys, new KeyEntry(new TokenKey(new KeyRef(name), algorithm, pub.Spki), handle));
            }
        }

        foreach (var (handle, name) in Objects(session, CKO.CKO_SECRET_KEY, label, progress))
        {
            if (UnlessGone(() => SecretAlgorithm(session, handle)) is { } algorithm && !IsBeingMade(session, handle, now))
            {
                Add(keys, new KeyEntry(new TokenKey(new KeyRef(name), algorithm, ReadOnlyMemory<byte>.Empty), handle));
            }
        }

        return [.. keys.Values];
    }

    /// <summary>Whether another instance, or this one, is making the object's key now and may yet take it away, or has just taken it away.</summary>
    public static bool IsBeingMade(TokenSession session, ulong handle, DateTimeOffset now) =>
        UnlessGone<bool?>(() => KeyId.IsBeingMade(session.Read(handle, CKA.CKA_ID), now)) ?? true;

    /// <summary>A public key object as algorithm and SubjectPublicKeyInfo; null for kinds not used here and for what is no such key inside.</summary>
    public static (KeyAlgorithm Algorithm, byte[] Spki)? PublicKeyOf(TokenSession session, ulong handle)
    {
        switch ((CKK?)ReadNumber(session, handle, CKA.CKA_KEY_TYPE))
        {
            case CKK.CKK_RSA when session.Read(handle, CKA.CKA_MODULUS) is { } n && session.Read(handle, CKA.CKA_PUBLIC_EXPONENT) is { } e:
                return PublicKeyInfo.Rsa(n, e) is { } rsa ? (KeyAlgorithm.Rsa3072, rsa) : null;
            case CKK.CKK_EC when session.Read(handle, CKA.CKA_EC_PARAMS) is { } curve && session.Read(handle, CKA.CKA_EC_POINT) is { } point:
                return PublicKeyInfo.CurveOf(curve) is { } algorithm && PublicKeyInfo.Ec(curve, point) is { } ec ? (algorithm, ec) : null;
            case Edwards.KeyType when session.Read(handle, CKA.CKA_EC_POINT) is { } point:
                return PublicKeyInfo.Ed25519(point) is { } ed ? (KeyAlgorithm.Ed25519, ed) : null;
            default:
                return null;
        }
    }

    // The public keys of ECDSA and ECDH on P-256 are alike; what the private key may do tells them apart. A key of another program that may do both signs.
    private static bool Agrees(TokenSession session, ulong handle, KeyAlgorithm curve) =>
        curve == KeyAlgorithm.EcdsaP256 && session.Read(handle, CKA.CKA_DERIVE) is [1] && session.Read(handle, CKA.CKA_SIGN) is [0];

    private static void Add(Dictionary<string, KeyEntry> keys, KeyEntry entry)
    {
        if (!keys.TryAdd(entry.Key.Ref.Label, entry))
        {
            // Which of two keys signs must never depend on the order in which a module lists them.
            throw new TokenException("DUPLICATE_LABEL", $"The token holds two keys named {entry.Key.Ref.Label}: rename or remove one.");
        }
    }

    private static KeyAlgorithm? SecretAlgorithm(TokenSession session, ulong handle) =>
        (CKK?)ReadNumber(session, handle, CKA.CKA_KEY_TYPE) switch
        {
            CKK.CKK_AES => KeyAlgorithm.Aes256,
            CKK.CKK_GENERIC_SECRET or CKK.CKK_SHA256_HMAC => KeyAlgorithm.HmacSha256,
            _ => null,
        };

    private static IEnumerable<(ulong Handle, string Label)> Objects(TokenSession session, CKO objectClass, string? label, Action progress)
    {
        using var template = new Template().With(CKA.CKA_CLASS, (ulong)objectClass).With(CKA.CKA_TOKEN, true);
        if (label is not null)
        {
            _ = template.With(CKA.CKA_LABEL, Encoding.UTF8.GetBytes(label));
        }

        foreach (var handle in session.Find(template))
        {
            progress();
            if (UnlessGone(() => session.Read(handle, CKA.CKA_LABEL)) is { Length: > 0 } name)
            {
                yield return (handle, Encoding.UTF8.GetString(name));
            }
        }
    }

    // Another instance may destroy what was found here.
    private static T? UnlessGone<T>(Func<T?> read)
    {
        try
        {
            return read();
        }
        catch (TokenException e) when (e.ReturnValue is CKR.CKR_OBJECT_HANDLE_INVALID)
        {
            return default;
        }
    }

    private static ulong? ReadNumber(TokenSession session, ulong handle, CKA type) =>
        session.Read(handle, type) is { Length: 8 } value ? BitConverter.ToUInt64(value) : null;
}
