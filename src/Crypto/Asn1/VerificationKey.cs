using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Trust.Crypto.Asn1;

/// <summary>A public key that was imported once and checks signatures from then on. Safe for use by several threads.</summary>
internal abstract class VerificationKey
{
    private static readonly KeptKeys<VerificationKey> Kept = new();

    private VerificationKey()
    {
    }

    /// <summary>The key's kind; null when it is outside the list or cannot be imported: then nothing verifies.</summary>
    public abstract PublicKeyKind? Kind { get; }

    /// <summary>Finds or imports a key.</summary>
    /// <param name="subjectPublicKeyInfo">DER, from anywhere.</param>
    public static VerificationKey Of(ReadOnlyMemory<byte> subjectPublicKeyInfo) => Kept.Get(subjectPublicKeyInfo, Import);

    /// <summary>Checks a signature in its X.509 form; false for anything malformed.</summary>
    public abstract bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature);

    private static VerificationKey Import(ReadOnlyMemory<byte> spki)
    {
        try
        {
            return PublicKeyCheck.KindOf(spki) switch
            {
                PublicKeyKind.P256 => new P256Key(spki.ToArray()),
                PublicKeyKind.Rsa => new RsaKey(spki.ToArray()),
                PublicKeyKind.Sm2 => new Sm2Key(spki.ToArray()),
                PublicKeyKind.Ed25519 when Ed25519.TryFromSubjectPublicKeyInfo(spki.Span, out var raw) => new EdKey(raw),
                _ => new NoKey(),
            };
        }
        catch (CryptographicException)
        {
            return new NoKey();
        }
    }

    // The platform does not promise that one instance serves several threads at once, so each borrows one.
    private sealed class Pool<T>(Func<T> import)
    {
        private readonly ConcurrentBag<T> idle = [import()];

        public TResult Use<TResult>(Func<T, TResult> use)
        {
            var key = idle.TryTake(out var taken) ? taken : import();
            try
            {
                return use(key);
            }
            finally
            {
                idle.Add(key);
            }
        }
    }

    private sealed class P256Key(byte[] spki) : VerificationKey
    {
        private readonly Pool<ECDsa> pool = new(() =>
        {
            var key = ECDsa.Create();
            key.ImportSubjectPublicKeyInfo(spki, out _);
            return key;
        });

        public override PublicKeyKind? Kind => PublicKeyKind.P256;

        public override bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
        {
            if (!EcdsaForm.TryToRaw(signature, out var raw))
            {
                return false;
            }

            var digest = SHA256.HashData(message);
            return pool.Use(key => key.VerifyHash(digest, raw, DSASignatureFormat.IeeeP1363FixedFieldConcatenation));
        }
    }

    private sealed class RsaKey(byte[] spki) : VerificationKey
    {
        private readonly Pool<RSA> pool = new(() =>
        {
            var key = RSA.Create();
            key.ImportSubjectPublicKeyInfo(spki, out _);
            return key;
        });

        public override PublicKeyKind? Kind => PublicKeyKind.Rsa;

        public override bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
        {
            var digest = SHA256.HashData(message);
            var bytes = signature.ToArray();
            return pool.Use(key => key.VerifyHash(digest, bytes, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
        }
    }

    private sealed class Sm2Key(byte[] spki) : VerificationKey
    {
        public override PublicKeyKind? Kind => PublicKeyKind.Sm2;

        public override bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) =>
            Sm2.IsValid(spki, message, signature);
    }

    private sealed class EdKey(byte[] raw) : VerificationKey
    {
        public override PublicKeyKind? Kind => PublicKeyKind.Ed25519;

        public override bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) => Ed25519.Verify(raw, message, signature);
    }

    private sealed class NoKey : VerificationKey
    {
        public override PublicKeyKind? Kind => null;

        public override bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) => false;
    }
}
