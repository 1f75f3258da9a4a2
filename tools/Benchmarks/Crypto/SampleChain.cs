using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Trust.Crypto;
using Trust.Crypto.Asn1;

namespace Trust.Benchmarks.Crypto;

/// <summary>A root, an issuing authority and people, of keys in memory: what a path is made of, without a service.</summary>
internal sealed class SampleChain : IDisposable
{
    private static readonly DateTimeOffset From = TimeProvider.System.GetUtcNow().AddDays(-1);
    private readonly Key _issuingKey;

    private SampleChain(Key issuingKey, Certificate root, Certificate issuing)
    {
        (_issuingKey, Root, Issuing) = (issuingKey, root, issuing);
    }

    /// <summary>The trust anchor.</summary>
    public Certificate Root { get; }

    /// <summary>The authority below it.</summary>
    public Certificate Issuing { get; }

    /// <summary>Makes root and issuing authority.</summary>
    public static async Task<SampleChain> Make(bool sm2, CancellationToken ct)
    {
        using var rootKey = Key.New(sm2);
        var root = await Issue(rootKey, null, "Bench Root", rootKey, Authority(), ct);
        var issuingKey = Key.New(sm2);
        return new SampleChain(issuingKey, root, await Issue(rootKey, root, "Bench Issuing", issuingKey, Authority(), ct));
    }

    /// <summary>A person's signature certificate.</summary>
    public async Task<Certificate> Person(bool sm2, int number, CancellationToken ct)
    {
        using var key = Key.New(sm2);
        return await Issue(_issuingKey, Issuing, $"Bench {number}", key, [CertificateExtension.BasicConstraints(ca: false), CertificateExtension.KeyUsage(KeyUsages.NonRepudiation)], ct);
    }

    /// <summary>Signs a list of the issuing authority.</summary>
    public async Task<byte[]> Sign(CertificateListContent list, CancellationToken ct) =>
        await SignedStructure.Sign(list.EncodeTbs(), _issuingKey.Suite, _issuingKey.Spki, _issuingKey.Sign, ct);

    /// <inheritdoc/>
    public void Dispose() => _issuingKey.Dispose();

    private static CertificateExtension[] Authority() =>
        [CertificateExtension.BasicConstraints(ca: true), CertificateExtension.KeyUsage(KeyUsages.KeyCertSign | KeyUsages.CrlSign)];

    private static async Task<Certificate> Issue(Key signer, Certificate? issuer, string name, Key subject, CertificateExtension[] extensions, CancellationToken ct)
    {
        var content = new CertificateContent
        {
            SerialNumber = CertificateContent.NewSerialNumber(), Suite = signer.Suite, Subject = new X500DistinguishedName("CN=" + name),
            Issuer = issuer is null ? new X500DistinguishedName("CN=" + name) : new X500DistinguishedName(issuer.Subject.Span),
            NotBefore = From, NotAfter = From.AddDays(30), SubjectPublicKeyInfo = subject.Spki, Extensions = [.. extensions, CertificateExtension.SubjectKeyIdentifier(subject.Spki)],
        };
        return Certificate.Parse(await SignedStructure.Sign(content.EncodeTbs(), signer.Suite, signer.Spki, signer.Sign, ct));
    }

    private sealed class Key(IDisposable owner, byte[] spki, Func<ReadOnlyMemory<byte>, byte[]> sign) : IDisposable
    {
        public byte[] Spki => spki;

        public SignatureSuite Suite { get; } = SignatureSuite.ForKey(spki)!;

        public static Key New(bool sm2)
        {
            if (sm2)
            {
                var key = Sm2PrivateKey.Generate();
                return new Key(key, key.SubjectPublicKeyInfo.ToArray(), digest => key.SignDigest(digest.Span));
            }

            var ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            return new Key(ec, ec.ExportSubjectPublicKeyInfo(), digest => ec.SignHash(digest.Span, DSASignatureFormat.IeeeP1363FixedFieldConcatenation));
        }

        public ValueTask<byte[]> Sign(ReadOnlyMemory<byte> digest, CancellationToken ct) => ValueTask.FromResult(sign(digest));

        public void Dispose() => owner.Dispose();
    }
}
