using System.Security.Cryptography.X509Certificates;
using Org.BouncyCastle.X509;
using Trust.Crypto.Asn1;
using Trust.TestKit;

namespace Trust.Crypto.Tests.Asn1;

public sealed class CertificateTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UtcNow;

    [Theory]
    [InlineData(PublicKeyKind.P256)]
    [InlineData(PublicKeyKind.Rsa)]
    public async Task A_chain_of_three_satisfies_openssl_verify_strict(PublicKeyKind kind)
    {
        var (root, issuing, leaf) = await Chain(kind);
        using var openssl = new OpenSsl();
        openssl.WritePem("root.pem", "CERTIFICATE", root.Certificate.Der);
        openssl.WritePem("issuing.pem", "CERTIFICATE", issuing.Certificate.Der);
        openssl.WritePem("leaf.pem", "CERTIFICATE", leaf.Der);
        openssl.Accept("verify", "-x509_strict", "-check_ss_sig", "-purpose", "sslclient", "-CAfile", "root.pem", "-untrusted", "issuing.pem", "leaf.pem");
        var text = openssl.Accept("x509", "-in", "leaf.pem", "-noout", "-text");
        Assert.Contains("URI:urn:mdid:p:01ARZ3NDEKTSV4RRFFQ69G5FAV", text, StringComparison.Ordinal);
        Assert.Contains("http://127.0.0.3:7080/crl/issuing.crl", text, StringComparison.Ordinal);
        Assert.Contains("OCSP - URI:http://127.0.0.3:7080/ocsp", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_SM2_chain_verifies_hop_by_hop_with_openssl_and_BouncyCastle()
    {
        var (root, issuing, leaf) = await Chain(PublicKeyKind.Sm2);
        using var openssl = new OpenSsl();
        openssl.WritePem("root.pem", "CERTIFICATE", root.Certificate.Der);
        openssl.WritePem("issuing.pem", "CERTIFICATE", issuing.Certificate.Der);
        openssl.WritePem("leaf.pem", "CERTIFICATE", leaf.Der);
        openssl.Accept("verify", "-partial_chain", "-trusted", "issuing.pem", "-vfyopt", "distid:1234567812345678", "leaf.pem");
        openssl.Accept("verify", "-partial_chain", "-trusted", "root.pem", "-vfyopt", "distid:1234567812345678", "issuing.pem");
        var parser = new X509CertificateParser();
        var (a, b, c) = (parser.ReadCertificate(root.Certificate.Der.ToArray()), parser.ReadCertificate(issuing.Certificate.Der.ToArray()), parser.ReadCertificate(leaf.Der.ToArray()));
        c.Verify(b.GetPublicKey());
        b.Verify(a.GetPublicKey());
        a.Verify(a.GetPublicKey());
    }

    [Theory]
    [InlineData(PublicKeyKind.P256)]
    [InlineData(PublicKeyKind.Rsa)]
    [InlineData(PublicKeyKind.Sm2)]
    public async Task A_path_is_found_and_judged(PublicKeyKind kind)
    {
        var (root, issuing, leaf) = await Chain(kind);
        var trusted = Assert.IsType<PathOutcome.Trusted>(Build(leaf, [issuing.Certificate], [root.Certificate]));
        Assert.Equal(3, trusted.Path.Count);
        Assert.Equal(PathRefusal.NoIssuer, Refusal(Build(leaf, [], [root.Certificate])));
        Assert.Equal(PathRefusal.NoIssuer, Refusal(Build(leaf, [issuing.Certificate], [])));
        var stranger = await SampleAuthority.Root(kind, Now);
        Assert.NotNull(Refusal(Build(leaf, [issuing.Certificate], [stranger.Certificate])));
        Assert.Equal(PathRefusal.Expired, Refusal(Build(leaf, [issuing.Certificate], [root.Certificate], Now.AddDays(366))));
        Assert.Equal(PathRefusal.NotYetValid, Refusal(Build(leaf, [issuing.Certificate], [root.Certificate], Now.AddDays(-2))));
        Assert.Equal(PathRefusal.WrongUsage, Refusal(Build(leaf, [issuing.Certificate], [root.Certificate], Now, CertificateUsage.Signature)));
    }

    [Fact]
    public async Task A_certificate_is_good_through_its_last_second_and_no_longer()
    {
        var (root, issuing, leaf) = await Chain(PublicKeyKind.P256);
        Assert.IsType<PathOutcome.Trusted>(Build(leaf, [issuing.Certificate], [root.Certificate], leaf.NotAfter.AddMilliseconds(999)));
        Assert.Equal(PathRefusal.Expired, Refusal(Build(leaf, [issuing.Certificate], [root.Certificate], leaf.NotAfter.AddSeconds(1))));
    }

    [Fact]
    public async Task A_leaf_cannot_issue_and_a_path_length_is_kept()
    {
        var root = await SampleAuthority.Root(PublicKeyKind.P256, Now, pathLength: 1);
        var first = await root.Subordinate("First", Now, pathLength: null);
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var direct = await first.IssueLeaf("leaf", key.Spki, Now, KeyUsages.NonRepudiation);
        Assert.IsType<PathOutcome.Trusted>(Build(direct, [first.Certificate], [root.Certificate], Now, CertificateUsage.Signature));
        var second = await first.Subordinate("Second", Now);
        var deep = await second.IssueLeaf("leaf", key.Spki, Now, KeyUsages.NonRepudiation);
        Assert.Equal(
            PathRefusal.PathTooLong,
            Refusal(Build(deep, [second.Certificate, first.Certificate], [root.Certificate], Now, CertificateUsage.Signature)));

        // A person's certificate used as if it were an authority's.
        var impostor = await first.IssueLeaf("Impostor", second.Key.Spki, Now, KeyUsages.NonRepudiation);
        var content = second.Content("victim", key.Spki, Now, CertificateExtension.KeyUsage(KeyUsages.NonRepudiation))
            with { Issuer = new X500DistinguishedName(impostor.Subject.Span) };
        var forged = await second.Sign(content);
        Assert.Equal(
            PathRefusal.IssuerNotAuthority, Refusal(Build(forged, [impostor, first.Certificate], [root.Certificate], Now, CertificateUsage.Signature)));
    }

    [Fact]
    public async Task A_forged_issuer_signature_is_named()
    {
        var (root, issuing, _) = await Chain(PublicKeyKind.P256);
        using var wrong = SoftwareKey.New(PublicKeyKind.P256);
        var tbs = issuing.Content("x", wrong.Spki, Now, CertificateExtension.KeyUsage(KeyUsages.NonRepudiation)).EncodeTbs();
        var forged = Certificate.Parse(await SignedStructure.Sign(tbs, wrong.Suite, wrong.Spki, wrong.Signer, CancellationToken.None));
        Assert.Equal(PathRefusal.BadSignature, Refusal(Build(forged, [issuing.Certificate], [root.Certificate], Now, CertificateUsage.Signature)));
    }

    [Fact]
    public async Task An_unknown_critical_extension_ends_the_path()
    {
        var (root, issuing, _) = await Chain(PublicKeyKind.P256);
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var leaf = await issuing.IssueLeaf("x", key.Spki, Now, KeyUsages.NonRepudiation, new CertificateExtension("1.2.3.4", true, new byte[] { 5, 0 }));
        Assert.Equal(PathRefusal.UnknownCriticalExtension, Refusal(Build(leaf, [issuing.Certificate], [root.Certificate], Now, CertificateUsage.Signature)));
    }

    [Fact]
    public void Serial_numbers_are_minimal_positive_and_use_every_bit()
    {
        var seen = new int[136];
        for (var i = 0; i < 2000; i++)
        {
            var serial = new System.Numerics.BigInteger(CertificateContent.NewSerialNumber(), isUnsigned: true, isBigEndian: true);
            for (var bit = 0; bit < 128; bit++)
            {
                seen[bit] += (serial & (System.Numerics.BigInteger.One << bit)).IsZero ? 0 : 1;
            }
        }

        Assert.All(seen[..128], count => Assert.InRange(count, 800, 1200));
    }

    [Fact]
    public async Task The_platforms_parser_reads_the_same_certificate()
    {
        var (_, issuing, leaf) = await Chain(PublicKeyKind.P256);
        using var platform = X509CertificateLoader.LoadCertificate(leaf.Der.Span);
        Assert.Equal(platform.SubjectName.RawData, leaf.Subject.ToArray());
        Assert.Equal(platform.SerialNumber, Convert.ToHexString(leaf.SerialNumber.Span));
        Assert.Equal(platform.NotAfter.ToUniversalTime(), leaf.NotAfter.UtcDateTime);
        Assert.Equal(issuing.Certificate.SubjectKeyIdentifier.ToArray(), leaf.AuthorityKeyIdentifier.ToArray());
        Assert.Equal(["urn:mdid:p:01ARZ3NDEKTSV4RRFFQ69G5FAV"], leaf.SubjectUris);
        Assert.Equal(leaf.Sha256Hex, Certificate.ParsePem(leaf.ToPem())[0].Sha256Hex);
    }

    [Fact]
    public async Task Ten_thousand_mutations_are_parsed_or_refused_and_never_trusted()
    {
        var (root, issuing, leaf) = await Chain(PublicKeyKind.P256);
        var random = new Random(5280);
        for (var i = 0; i < 10_000; i++)
        {
            var mutant = Mutation.Of(leaf.Der.ToArray(), random);
            if (Certificate.TryParse(mutant, out var certificate, out _) && !mutant.AsSpan().SequenceEqual(leaf.Der.Span))
            {
                Assert.NotNull(Refusal(Build(certificate, [issuing.Certificate], [root.Certificate])));
            }
        }
    }

    internal static async Task<(SampleAuthority Root, SampleAuthority Issuing, Certificate Leaf)> Chain(PublicKeyKind kind)
    {
        var root = await SampleAuthority.Root(kind, Now);
        var issuing = await root.Subordinate("Sample Issuing", Now);
        using var key = SoftwareKey.New(kind);
        var leaf = await issuing.IssueLeaf(
            "leaf", key.Spki, Now, KeyUsages.DigitalSignature,
            CertificateExtension.ExtendedKeyUsage(critical: false, Oids.ClientAuth),
            CertificateExtension.SubjectAltName(new GeneralName.Uri("urn:mdid:p:01ARZ3NDEKTSV4RRFFQ69G5FAV")),
            CertificateExtension.CrlDistributionPoints("http://127.0.0.3:7080/crl/issuing.crl"),
            CertificateExtension.AuthorityInfoAccess(["http://127.0.0.3:7080/ocsp"], ["http://127.0.0.3:7080/ca/issuing.cer"]),
            CertificateExtension.CertificatePolicies("1.3.6.1.4.1.32473.1"));
        return (root, issuing, leaf);
    }

    private static PathOutcome Build(
        Certificate leaf, Certificate[] extra, Certificate[] roots, DateTimeOffset? at = null, CertificateUsage? usage = null) =>
        CertificatePath.Build(leaf, extra, roots, at ?? Now, usage ?? CertificateUsage.Authentication);

    private static PathRefusal? Refusal(PathOutcome outcome) => (outcome as PathOutcome.Refused)?.Reason;
}
