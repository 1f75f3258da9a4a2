using System.Security.Cryptography.X509Certificates;
using System.Text;
using Net.Pkcs11Interop.Common;

namespace Trust.Pkcs11;

/// <summary>Makes and unmakes keys. Every private or secret key is born inside: SENSITIVE, not EXTRACTABLE, one use each.</summary>
internal static class KeyGeneration
{
    public static TokenKey Generate(LiveToken live, TokenSession session, KeyRef key, KeyAlgorithm algorithm, VendorSm2? sm2)
    {
        if (Encoding.UTF8.GetByteCount(key.Label) is 0 or > 64)
        {
            throw new TokenException("LABEL", "A key's label has 1 to 64 bytes.");
        }

        using var alone = live.Keys.Making.EnterScope();
        Require(live, session, key);
        var id = KeyId.BeingMade(live.Keys.Now);
        var (entry, handles) = algorithm is KeyAlgorithm.Aes256 or KeyAlgorithm.HmacSha256
            ? Secret(session, key, id, algorithm)
            : Pair(live, session, key, id, algorithm, sm2);
        if (!IsSealed(session, entry.Handle))
        {
            Destroy(session, handles);
            throw new TokenException("KEY_EXPOSED", "The token made a key whose value could leave it: it was destroyed. Use another token.");
        }

        if (Objects(session, key).Except(handles).Any())
        {
            Destroy(session, handles);
            throw Contended(key);
        }

        Finish(session, key, handles);
        live.Keys.Add(entry);
        return entry.Key;
    }

    public static bool Destroy(LiveToken live, TokenSession session, KeyRef key)
    {
        live.Keys.Remove(key.Label);
        Destroy(session, [.. Objects(session, key)]);
        return true;
    }

    public static bool StoreCertificate(TokenSession session, KeyEntry key, ReadOnlySpan<byte> der)
    {
        using var certificate = X509CertificateLoader.LoadCertificate(der);
        if (!certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key.Key.SubjectPublicKeyInfo.Span))
        {
            throw new TokenException("WRONG_KEY", "The certificate is not for that key.");
        }

        using var kept = new Template().With(CKA.CKA_CLASS, (ulong)CKO.CKO_CERTIFICATE).With(CKA.CKA_LABEL, Label(key.Key.Ref));
        Destroy(session, [.. session.Find(kept)]);

        // CKA_SERIAL_NUMBER is the DER INTEGER.
        var serial = certificate.SerialNumberBytes.ToArray();
        using var template = Common(key.Key.Ref, session.Read(key.Handle, CKA.CKA_ID) ?? KeyId.Of(key.Key.Ref), isPrivate: false)
            .With(CKA.CKA_CLASS, (ulong)CKO.CKO_CERTIFICATE)
            .With(CKA.CKA_CERTIFICATE_TYPE, (ulong)CKC.CKC_X_509)
            .With(CKA.CKA_SUBJECT, certificate.SubjectName.RawData)
            .With(CKA.CKA_ISSUER, certificate.IssuerName.RawData)
            .With(CKA.CKA_SERIAL_NUMBER, [0x02, (byte)serial.Length, .. serial])
            .With(CKA.CKA_VALUE, certificate.RawData);
        session.Create(template);
        return true;
    }

    private static void Require(LiveToken live, TokenSession session, KeyRef key)
    {
        var there = Objects(session, key);
        if (there.Count == 0 && !(live.Keys.TryTell(key.Label, out var known) && known is not null))
        {
            return;
        }

        // Perhaps another instance made it since the last search: then it is known from now on.
        if (live.Keys.Search(session, key.Label) is null)
        {
            // Looked at anew: of the list before, the half that was there may be finished and the other, whose mark still stands, not be on it.
            var isBeingMade = there.Concat(Objects(session, key)).Any(handle => KeyReader.IsBeingMade(session, handle, live.Keys.Now));

            // Searched once more: it may have been finished between the two looks.
            if (live.Keys.Search(session, key.Label) is null && isBeingMade)
            {
                throw Contended(key);
            }
        }

        throw new TokenException(TokenException.KeyExists, $"The token holds a key named {key.Label} already.");
    }

    // PKCS#11 has no compare-and-swap by which two instances could agree on whose key stays. So each makes its key marked as being made, which
    // nobody uses, and looks: who sees another's beside its own takes its own away. Two can never both see only their own, so no name has two
    // finished keys, and no key that was finished is taken away. If both see both, neither stays and the next request makes one.
    private static TokenException Contended(KeyRef key) =>
        new(TokenException.KeyContended, $"Another instance makes the key {key.Label} at this moment: ask again.");

    // The last object is the private or secret key, whose id others go by. A token that lets no id be changed has a finished key two minutes later.
    private static void Finish(TokenSession session, KeyRef key, ulong[] handles)
    {
        using var finished = new Template().With(CKA.CKA_ID, KeyId.Of(key));
        foreach (var handle in handles)
        {
            _ = session.Change(handle, finished);
        }
    }

    private static (KeyEntry Entry, ulong[] Handles) Pair(
        LiveToken live, TokenSession session, KeyRef key, byte[] id, KeyAlgorithm algorithm, VendorSm2? sm2)
    {
        var mechanism = algorithm switch
        {
            KeyAlgorithm.EcdsaP256 or KeyAlgorithm.EcdhP256 => (ulong)CKM.CKM_EC_KEY_PAIR_GEN,
            KeyAlgorithm.Rsa3072 => (ulong)CKM.CKM_RSA_PKCS_KEY_PAIR_GEN,
            KeyAlgorithm.Ed25519 => (ulong)Edwards.KeyPairGeneration,
            KeyAlgorithm.Sm2 => VendorSm2Signing.Require(live, sm2).KeyPairGeneration,
            _ => throw new TokenException("UNSUPPORTED", $"{algorithm} is not a key pair."),
        };
        var agrees = algorithm == KeyAlgorithm.EcdhP256;
        if (!live.Mechanisms.Contains(mechanism) || (agrees && !live.Mechanisms.Contains((ulong)CKM.CKM_ECDH1_DERIVE)))
        {
            throw new TokenException("UNSUPPORTED", $"The token does not offer {algorithm}.");
        }

        using var publicKey = Common(key, id, isPrivate: false).With(CKA.CKA_VERIFY, !agrees);
        _ = algorithm switch
        {
            KeyAlgorithm.Rsa3072 => publicKey.With(CKA.CKA_MODULUS_BITS, 3072UL).With(CKA.CKA_PUBLIC_EXPONENT, [1, 0, 1]),
            KeyAlgorithm.Ed25519 => publicKey.With(CKA.CKA_EC_PARAMS, PublicKeyInfo.Edwards25519),
            KeyAlgorithm.Sm2 => publicKey.With(CKA.CKA_EC_PARAMS, PublicKeyInfo.Sm2),
            _ => publicKey.With(CKA.CKA_EC_PARAMS, PublicKeyInfo.P256),
        };
        using var privateKey = Sealed(Common(key, id, isPrivate: true)).With(CKA.CKA_SIGN, !agrees)
            .With(CKA.CKA_DECRYPT, false).With(CKA.CKA_UNWRAP, false).With(CKA.CKA_DERIVE, agrees);
        var (shownHandle, handle) = session.GenerateKeyPair(mechanism, publicKey, privateKey);
        if (KeyReader.PublicKeyOf(session, shownHandle) is not { } shown)
        {
            Destroy(session, [shownHandle, handle]);
            throw new TokenException("PUBLIC_KEY", "The token does not show the public key it made: the key was destroyed.");
        }

        return (new KeyEntry(new TokenKey(key, algorithm, shown.Spki), handle), [shownHandle, handle]);
    }

    private static (KeyEntry Entry, ulong[] Handles) Secret(TokenSession session, KeyRef key, byte[] id, KeyAlgorithm algorithm)
    {
        var seals = algorithm == KeyAlgorithm.Aes256;
        using var template = Sealed(Common(key, id, isPrivate: true))
            .With(CKA.CKA_VALUE_LEN, 32UL)
            .With(CKA.CKA_ENCRYPT, seals).With(CKA.CKA_DECRYPT, seals)
            .With(CKA.CKA_SIGN, !seals).With(CKA.CKA_VERIFY, !seals)
            .With(CKA.CKA_WRAP, false).With(CKA.CKA_UNWRAP, false).With(CKA.CKA_DERIVE, false);
        var handle = session.GenerateKey(seals ? CKM.CKM_AES_KEY_GEN : CKM.CKM_GENERIC_SECRET_KEY_GEN, template);
        return (new KeyEntry(new TokenKey(key, algorithm, ReadOnlyMemory<byte>.Empty), handle), [handle]);
    }

    private static byte[] Label(KeyRef key) => Encoding.UTF8.GetBytes(key.Label);

    private static Template Common(KeyRef key, byte[] id, bool isPrivate) => new Template()
        .With(CKA.CKA_TOKEN, true).With(CKA.CKA_PRIVATE, isPrivate).With(CKA.CKA_LABEL, Label(key)).With(CKA.CKA_ID, id);

    private static Template Sealed(Template template) => template.With(CKA.CKA_SENSITIVE, true).With(CKA.CKA_EXTRACTABLE, false);

    private static bool IsSealed(TokenSession session, ulong handle) =>
        session.Read(handle, CKA.CKA_SENSITIVE) is [1] && session.Read(handle, CKA.CKA_EXTRACTABLE) is [0];

    private static List<ulong> Objects(TokenSession session, KeyRef key)
    {
        using var template = new Template().With(CKA.CKA_LABEL, Label(key)).With(CKA.CKA_TOKEN, true);
        return session.Find(template);
    }

    private static void Destroy(TokenSession session, IEnumerable<ulong> handles)
    {
        foreach (var handle in handles)
        {
            session.Destroy(handle);
        }
    }
}
