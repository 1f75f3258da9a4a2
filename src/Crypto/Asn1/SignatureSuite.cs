using System.Formats.Asn1;
using System.Security.Cryptography;

namespace Trust.Crypto.Asn1;

/// <summary>Signs a digest with a key held elsewhere: <c>IToken.Sign</c> for one key. EC and SM2 keys answer r‖s.</summary>
/// <param name="digest">What <see cref="SignatureSuite.DigestToSign"/> gave.</param>
/// <param name="ct">Cancels waiting; a signature that was made is returned all the same.</param>
public delegate ValueTask<byte[]> DigestSigner(ReadOnlyMemory<byte> digest, CancellationToken ct);

/// <summary>
/// A signature algorithm as X.509 and CMS name it, with the hash before and the encoding after the token's part.
/// The set is closed: ES256, RS256, SM2-with-SM3, Ed25519.
/// </summary>
public sealed record SignatureSuite
{
    /// <summary>ecdsa-with-SHA256 on P-256 (RFC 5758), parameters absent.</summary>
    public static readonly SignatureSuite ES256 = new("ES256", Oids.EcdsaSha256, Oids.Sha256, nullParameters: false, PublicKeyKind.P256);

    /// <summary>sha256WithRSAEncryption (RFC 4055), parameters NULL.</summary>
    public static readonly SignatureSuite RS256 = new("RS256", Oids.RsaSha256, Oids.Sha256, nullParameters: true, PublicKeyKind.Rsa);

    /// <summary>SM2-with-SM3 (GM/T 0006) under the default signer ID, parameters absent.</summary>
    public static readonly SignatureSuite Sm2Sm3 = new("SM2-SM3", Oids.Sm2Sm3, Oids.Sm3, nullParameters: false, PublicKeyKind.Sm2);

    /// <summary>Ed25519 (RFC 8410), which signs the message itself.</summary>
    public static readonly SignatureSuite Ed25519 = new("Ed25519", Oids.Ed25519, Oids.Sha512, nullParameters: false, PublicKeyKind.Ed25519);

    private static readonly SignatureSuite[] All = [ES256, RS256, Sm2Sm3, Ed25519];

    private SignatureSuite(string name, string oid, string digestOid, bool nullParameters, PublicKeyKind key)
    {
        Name = name;
        Oid = oid;
        DigestOid = digestOid;
        KeyKind = key;
        AlgorithmIdentifier = Der.Encode(w =>
        {
            using (w.PushSequence())
            {
                w.WriteObjectIdentifier(oid);
                if (nullParameters)
                {
                    w.WriteNull();
                }
            }
        });
    }

    /// <summary>Short name for logs and profiles.</summary>
    public string Name { get; }

    /// <summary>The signature algorithm's object identifier.</summary>
    public string Oid { get; }

    /// <summary>The hash that goes with it in CMS.</summary>
    public string DigestOid { get; }

    /// <summary>The kind of key it needs.</summary>
    public PublicKeyKind KeyKind { get; }

    /// <summary>DER AlgorithmIdentifier.</summary>
    public ReadOnlyMemory<byte> AlgorithmIdentifier { get; }

    /// <summary>Finds a suite by DER AlgorithmIdentifier; the whole encoding must match, parameters included.</summary>
    /// <returns>Null when not in the set.</returns>
    public static SignatureSuite? FromAlgorithmIdentifier(ReadOnlySpan<byte> der)
    {
        foreach (var suite in All)
        {
            if (suite.AlgorithmIdentifier.Span.SequenceEqual(der))
            {
                return suite;
            }
        }

        return null;
    }

    /// <summary>The suite that a public key signs with.</summary>
    /// <returns>Null when the key's kind is not supported.</returns>
    public static SignatureSuite? ForKey(ReadOnlyMemory<byte> subjectPublicKeyInfo) =>
        PublicKeyCheck.KindOf(subjectPublicKeyInfo) is { } kind ? Array.Find(All, s => s.KeyKind == kind) : null;

    /// <summary>What the token signs for a message: 32 bytes, or the message itself for Ed25519.</summary>
    /// <param name="subjectPublicKeyInfo">The signer's key; SM2 mixes it into the digest.</param>
    /// <param name="message">The to-be-signed bytes.</param>
    public byte[] DigestToSign(ReadOnlyMemory<byte> subjectPublicKeyInfo, ReadOnlySpan<byte> message) => KeyKind switch
    {
        PublicKeyKind.Sm2 => Sm2.DigestToSign(subjectPublicKeyInfo, message),
        PublicKeyKind.Ed25519 => message.ToArray(),
        _ => SHA256.HashData(message),
    };

    /// <summary>From the token's form to the form inside X.509 and CMS.</summary>
    /// <exception cref="CryptographicException">An EC or SM2 signature that is not 64 bytes.</exception>
    public byte[] EncodeSignature(ReadOnlySpan<byte> raw) =>
        KeyKind is PublicKeyKind.P256 or PublicKeyKind.Sm2 ? EcdsaForm.ToDer(raw) : raw.ToArray();

    /// <summary>Hashes, signs with the delegate and encodes.</summary>
    /// <returns>The signature as X.509 and CMS carry it.</returns>
    public async ValueTask<byte[]> Sign(
        ReadOnlyMemory<byte> subjectPublicKeyInfo, ReadOnlyMemory<byte> message, DigestSigner signer, CancellationToken ct) =>
        EncodeSignature(await signer(DigestToSign(subjectPublicKeyInfo, message.Span), ct));

    /// <summary>Checks a signature in its X.509 form. False for any malformed input; never throws for it.</summary>
    /// <remarks>The key is imported once and kept. Its strength is not judged here: <see cref="PublicKeyCheck"/> does.</remarks>
    public bool Verify(ReadOnlyMemory<byte> subjectPublicKeyInfo, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        try
        {
            var key = VerificationKey.Of(subjectPublicKeyInfo);
            return key.Kind == KeyKind && key.Verify(message, signature);
        }
        catch (CryptographicException)
        {
            // A signature the platform cannot read does not verify.
            return false;
        }
    }
}
