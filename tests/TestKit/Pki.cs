using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Trust.Crypto;
using Trust.Crypto.Asn1;

namespace Trust.TestKit;

/// <summary>A key pair in memory that signs like a token: digest in, r‖s or PKCS#1 out.</summary>
public sealed class SoftwareKey : IDisposable
{
    private readonly IDisposable key;

    private SoftwareKey(IDisposable key, byte[] spki, Func<ReadOnlyMemory<byte>, byte[]> sign)
    {
        this.key = key;
        Spki = spki;
        Sign = digest => sign(digest);
        Signer = (digest, _) => ValueTask.FromResult(sign(digest));
        Suite = SignatureSuite.ForKey(spki)!;
    }

    /// <summary>The public key, DER.</summary>
    public byte[] Spki { get; }

    /// <summary>The suite that goes with the key.</summary>
    public SignatureSuite Suite { get; }

    /// <summary>Signs digests.</summary>
    public DigestSigner Signer { get; }

    /// <summary>The same at once.</summary>
    public Func<byte[], byte[]> Sign { get; }

    /// <summary>The private key, for the openssl command.</summary>
    public byte[] Pkcs8 => key switch
    {
        ECDsa ec => ec.ExportPkcs8PrivateKey(),
        RSA rsa => rsa.ExportPkcs8PrivateKey(),
        Sm2PrivateKey sm2 => sm2.ExportPkcs8(),
        _ => throw new InvalidOperationException(),
    };

    /// <summary>A new key of a kind.</summary>
    public static SoftwareKey New(PublicKeyKind kind)
    {
        switch (kind)
        {
            case PublicKeyKind.P256:
                var ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
                return new SoftwareKey(ec, ec.ExportSubjectPublicKeyInfo(), d => ec.SignHash(d.Span, DSASignatureFormat.IeeeP1363FixedFieldConcatenation));
            case PublicKeyKind.Rsa:
                var rsa = RSA.Create(3072);
                return new SoftwareKey(rsa, rsa.ExportSubjectPublicKeyInfo(), d => rsa.SignHash(d.ToArray(), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
            case PublicKeyKind.Sm2:
                var sm2 = Sm2PrivateKey.Generate();
                return new SoftwareKey(sm2, sm2.SubjectPublicKeyInfo.ToArray(), d => sm2.SignDigest(d.Span));
            default:
                throw new ArgumentOutOfRangeException(nameof(kind));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => key.Dispose();
}

/// <summary>A certification authority of software keys, for tests that need chains but no CA service.</summary>
public sealed class SampleAuthority
{
    private SampleAuthority(SoftwareKey key, Certificate certificate)
    {
        Key = key;
        Certificate = certificate;
    }

    /// <summary>The authority's key.</summary>
    public SoftwareKey Key { get; }

    /// <summary>Its certificate.</summary>
    public Certificate Certificate { get; }

    /// <summary>Makes a root.</summary>
    public static async Task<SampleAuthority> Root(PublicKeyKind kind, DateTimeOffset now, string name = "Sample Root", int? pathLength = null)
    {
        var key = SoftwareKey.New(kind);
        return new SampleAuthority(key, await Issue(key, null, name, key.Spki, now, Authority(key, pathLength)));
    }

    /// <summary>Makes an authority below this one.</summary>
    public async Task<SampleAuthority> Subordinate(string name, DateTimeOffset now, int? pathLength = 0, PublicKeyKind? kind = null)
    {
        var key = SoftwareKey.New(kind ?? Certificate.Suite.KeyKind);
        return new SampleAuthority(key, await Issue(Key, Certificate, name, key.Spki, now, Authority(key, pathLength)));
    }

    /// <summary>Issues an end-entity certificate.</summary>
    public Task<Certificate> IssueLeaf(
        string name, ReadOnlyMemory<byte> spki, DateTimeOffset now, KeyUsages usage, params CertificateExtension[] more) =>
        Issue(Key, Certificate, name, spki, now, [
            CertificateExtension.BasicConstraints(ca: false), CertificateExtension.KeyUsage(usage),
            CertificateExtension.SubjectKeyIdentifier(spki), .. more,
        ]);

    /// <summary>Signs any content.</summary>
    public async Task<Certificate> Sign(CertificateContent content) =>
        Certificate.Parse(await SignedStructure.Sign(content.EncodeTbs(), Key.Suite, Key.Spki, Key.Signer, CancellationToken.None));

    /// <summary>The content that <see cref="IssueLeaf"/> would sign.</summary>
    public CertificateContent Content(string name, ReadOnlyMemory<byte> spki, DateTimeOffset now, params CertificateExtension[] extensions) =>
        ContentOf(Key, Certificate, name, spki, now, extensions);

    private static CertificateExtension[] Authority(SoftwareKey key, int? pathLength) =>
    [
        CertificateExtension.BasicConstraints(ca: true, pathLength),
        CertificateExtension.KeyUsage(KeyUsages.KeyCertSign | KeyUsages.CrlSign),
        CertificateExtension.SubjectKeyIdentifier(key.Spki),
    ];

    private static async Task<Certificate> Issue(
        SoftwareKey signer, Certificate? issuer, string name, ReadOnlyMemory<byte> spki, DateTimeOffset now, CertificateExtension[] extensions)
    {
        var tbs = ContentOf(signer, issuer, name, spki, now, extensions).EncodeTbs();
        return Certificate.Parse(await SignedStructure.Sign(tbs, signer.Suite, signer.Spki, signer.Signer, CancellationToken.None));
    }

    private static CertificateContent ContentOf(
        SoftwareKey signer, Certificate? issuer, string name, ReadOnlyMemory<byte> spki, DateTimeOffset now, CertificateExtension[] extensions)
    {
        var subject = new X500DistinguishedName($"CN={name}, O=Sample, C=CN");
        return new CertificateContent
        {
            SerialNumber = CertificateContent.NewSerialNumber(),
            Suite = signer.Suite,
            Issuer = issuer is null ? subject : new X500DistinguishedName(issuer.Subject.Span),
            Subject = subject,
            NotBefore = now.AddDays(-1),
            NotAfter = now.AddDays(365),
            SubjectPublicKeyInfo = spki,
            Extensions = issuer is null ? extensions : [.. extensions, CertificateExtension.AuthorityKeyIdentifier(issuer.SubjectKeyIdentifier)],
        };
    }
}
