using System.Security.Cryptography;
using Org.BouncyCastle.Asn1.X509;
using Org.BouncyCastle.Security;
using Org.BouncyCastle.X509;
using Trust.Crypto.Asn1;
using Trust.TestKit;
using Name = Trust.Crypto.Asn1.GeneralName;

namespace Trust.Crypto.Tests.Asn1;

/// <summary>What a candidate path is held to beyond signatures and dates.</summary>
public sealed class PathRuleTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 8, 0, 0, TimeSpan.Zero);
    private static readonly CertificateExtension Urn = CertificateExtension.SubjectAltName(new Name.Dns("a.trust.internal"));

    [Fact]
    public async Task A_certificate_without_an_end_is_judged_whoever_issued_it()
    {
        // RFC 5280 4.1.2.5: 99991231235959Z says that there is no end.
        var root = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var stranger = await SampleAuthority.Root(PublicKeyKind.P256, Now, "Stranger");
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var end = new DateTimeOffset(9999, 12, 31, 23, 59, 59, TimeSpan.Zero);
        CertificateExtension[] extensions = [CertificateExtension.KeyUsage(KeyUsages.NonRepudiation), CertificateExtension.SubjectKeyIdentifier(key.Spki)];
        Assert.Null(Refusal(Build(await root.Sign(root.Content("leaf", key.Spki, Now, extensions) with { NotAfter = end }), [], [root.Certificate])));
        var foreign = await stranger.Sign(stranger.Content("leaf", key.Spki, Now, extensions) with { NotAfter = end });
        Assert.Equal(PathRefusal.NoIssuer, Refusal(Build(foreign, [], [root.Certificate])));
    }

    [Theory]
    [InlineData("trust.internal", true)]
    [InlineData("example.org", false)]
    public async Task Names_are_held_to_the_constraints_of_an_issuer(string permitted, bool holds)
    {
        var root = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var (issuing, key) = await Authority(root, Permit(permitted));
        using (key)
        {
            var leaf = await Leaf(issuing, key, Urn);
            Assert.Equal(holds ? null : PathRefusal.ConstraintViolated, Refusal(Build(leaf, [issuing], [root.Certificate])));
        }
    }

    [Theory]
    [InlineData("trust.internal", true)]
    [InlineData("example.org", false)]
    public async Task Names_are_held_to_the_constraints_of_an_anchor(string permitted, bool holds)
    {
        // The anchor is not self-signed: what stands above it is nobody's business.
        var above = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var (anchor, key) = await Authority(above, Permit(permitted));
        using (key)
        {
            var leaf = await Leaf(anchor, key, Urn);
            Assert.Equal(holds ? null : PathRefusal.ConstraintViolated, Refusal(Build(leaf, [], [anchor])));
        }
    }

    [Fact]
    public async Task An_explicit_policy_that_is_required_must_be_there()
    {
        var root = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var required = new CertificateExtension(Oids.PolicyConstraints, true, Convert.FromHexString("3003800100"));
        var (issuing, key) = await Authority(root, required, CertificateExtension.CertificatePolicies("1.3.6.1.4.1.32473.1"));
        using (key)
        {
            var with = await Leaf(issuing, key, CertificateExtension.CertificatePolicies("1.3.6.1.4.1.32473.1"));
            Assert.IsType<PathOutcome.Trusted>(Build(with, [issuing], [root.Certificate]));
            var other = await Leaf(issuing, key, CertificateExtension.CertificatePolicies("1.3.6.1.4.1.32473.2"));
            Assert.Equal(PathRefusal.ConstraintViolated, Refusal(Build(other, [issuing], [root.Certificate])));
            Assert.Equal(PathRefusal.ConstraintViolated, Refusal(Build(await Leaf(issuing, key), [issuing], [root.Certificate])));
        }
    }

    [Theory]
    [InlineData(Oids.ClientAuth, Oids.ClientAuth, true)]
    [InlineData(Oids.AnyPurpose, Oids.ClientAuth, true)]
    [InlineData(Oids.ServerAuth, Oids.ClientAuth, false)]
    [InlineData(Oids.ServerAuth, null, false)]
    public async Task An_issuer_with_purposes_issues_for_no_others(string issuers, string? leafs, bool holds)
    {
        var root = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var (issuing, key) = await Authority(root, CertificateExtension.ExtendedKeyUsage(critical: false, issuers));
        using (key)
        {
            var leaf = leafs is null ? await Leaf(issuing, key) : await Leaf(issuing, key, CertificateExtension.ExtendedKeyUsage(critical: false, leafs));
            Assert.Equal(holds ? null : PathRefusal.IssuerNotAuthority, Refusal(Build(leaf, [issuing], [root.Certificate])));
        }
    }

    [Fact]
    public void Every_key_of_a_path_is_judged_the_anchors_too()
    {
        using var weak = RSA.Create(2048);
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var anchor = Issue(weak, "Weak", weak.ExportSubjectPublicKeyInfo(), CertificateExtension.BasicConstraints(ca: true), CertificateExtension.KeyUsage(KeyUsages.KeyCertSign));
        var leaf = Issue(weak, "leaf", key.Spki, CertificateExtension.KeyUsage(KeyUsages.NonRepudiation));
        var refused = Assert.IsType<PathOutcome.Refused>(Build(leaf, [], [anchor]));
        Assert.Equal((PathRefusal.WeakKey, anchor.Sha256Hex), (refused.Reason, refused.At.Sha256Hex));
    }

    [Fact]
    public async Task A_root_that_is_asked_for_itself_is_its_own_path()
    {
        var root = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var (alone, other) = (root.Certificate, (await SampleAuthority.Root(PublicKeyKind.P256, Now, "Other Root")).Certificate);
        Assert.Equal([alone], Assert.IsType<PathOutcome.Trusted>(CertificatePath.Build(alone, [], [alone], Now, CertificateUsage.Authority)).Path);
        Assert.Equal(PathRefusal.WrongUsage, Refusal(CertificatePath.Build(alone, [], [alone], Now, CertificateUsage.Signature)));
        Assert.Equal(PathRefusal.NoIssuer, Refusal(CertificatePath.Build(alone, [], [other], Now, CertificateUsage.Authority)));
    }

    [Fact]
    public async Task A_certificate_encoded_again_as_BER_is_refused_though_the_library_would_verify_it()
    {
        var (_, issuing, leaf) = await CertificateTests.Chain(PublicKeyKind.P256);
        // A SEQUENCE of indefinite length around the same elements.
        byte[] ber = [0x30, 0x80, .. leaf.Der.Span[4..], 0, 0];
        new X509CertificateParser().ReadCertificate(ber).Verify(PublicKeyFactory.CreateKey(issuing.Key.Spki));
        Assert.False(Certificate.TryParse(ber, out _, out var why));
        Assert.Contains("DER", why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Five_thousand_damaged_extensions_under_good_signatures_are_judged_without_a_fault()
    {
        var root = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        CertificateExtension[] seeds =
        [
            Permit("trust.internal"), new(Oids.PolicyConstraints, true, Convert.FromHexString("3003800100")), new(Oids.InhibitAnyPolicy, true, Convert.FromHexString("020100")),
            new(Oids.PolicyMappings, true, Convert.FromHexString("300C300A06042A03040506022A03")), CertificateExtension.CertificatePolicies("1.2.3", "1.2.4"),
            CertificateExtension.CrlDistributionPoints("http://a/b"), Urn, CertificateExtension.ExtendedKeyUsage(critical: true, Oids.ClientAuth),
        ];
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var random = new Random(5280);
        var (trusted, refused, unread) = (0, 0, 0);
        for (var i = 0; i < 5_000; i++)
        {
            var seed = seeds[i % seeds.Length];
            var damaged = seed with { Value = Mutation.Of(seed.Value.ToArray(), random) };
            var tbs = root.Content("Sample Issuing", key.Spki, Now, CertificateExtension.BasicConstraints(ca: true), CertificateExtension.KeyUsage(KeyUsages.KeyCertSign), damaged).EncodeTbs();
            var der = await SignedStructure.Sign(tbs, root.Key.Suite, root.Key.Spki, root.Key.Signer, CancellationToken.None);
            if (!Certificate.TryParse(der, out var issuing, out _))
            {
                unread++;
                continue;
            }

            _ = Build(await Leaf(issuing, key, Urn), [issuing], [root.Certificate]) is PathOutcome.Trusted ? trusted++ : refused++;
        }

        // All three happen, so the damage reaches every reader.
        Assert.All([trusted, refused, unread], count => Assert.InRange(count, 1, 4_998));
    }

    private static CertificateExtension Permit(string dns) => new(
        Oids.NameConstraints, true, new NameConstraints(new GeneralSubtrees(new GeneralSubtree(new Org.BouncyCastle.Asn1.X509.GeneralName(Org.BouncyCastle.Asn1.X509.GeneralName.DnsName, dns))), (GeneralSubtrees?)null).GetEncoded());

    private static async Task<(Certificate Certificate, SoftwareKey Key)> Authority(SampleAuthority above, params CertificateExtension[] more)
    {
        var key = SoftwareKey.New(PublicKeyKind.P256);
        return (await above.Sign(above.Content(
            "Sample Issuing", key.Spki, Now,
            [CertificateExtension.BasicConstraints(ca: true), CertificateExtension.KeyUsage(KeyUsages.KeyCertSign), .. more])), key);
    }

    private static async Task<Certificate> Leaf(Certificate issuer, SoftwareKey issuerKey, params CertificateExtension[] more)
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var content = new CertificateContent
        {
            SerialNumber = CertificateContent.NewSerialNumber(), Suite = issuerKey.Suite, Issuer = new(issuer.Subject.Span), Subject = new("CN=leaf"),
            NotBefore = Now.AddDays(-1), NotAfter = Now.AddDays(1), SubjectPublicKeyInfo = key.Spki,
            Extensions = [CertificateExtension.KeyUsage(KeyUsages.NonRepudiation), .. more],
        };
        return Certificate.Parse(await SignedStructure.Sign(content.EncodeTbs(), issuerKey.Suite, issuerKey.Spki, issuerKey.Signer, CancellationToken.None));
    }

    private static Certificate Issue(RSA issuer, string name, byte[] spki, params CertificateExtension[] extensions)
    {
        var tbs = new CertificateContent
        {
            SerialNumber = CertificateContent.NewSerialNumber(), Suite = SignatureSuite.RS256, Issuer = new("CN=Weak"), Subject = new("CN=" + name),
            NotBefore = Now.AddDays(-1), NotAfter = Now.AddDays(1), SubjectPublicKeyInfo = spki, Extensions = extensions,
        }.EncodeTbs();
        return Certificate.Parse(SignedStructure.Assemble(tbs, SignatureSuite.RS256, issuer.SignData(tbs, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)));
    }

    private static PathOutcome Build(Certificate leaf, Certificate[] extra, Certificate[] roots) =>
        CertificatePath.Build(leaf, extra, roots, Now, new CertificateUsage("any", KeyUsages.NonRepudiation));

    private static PathRefusal? Refusal(PathOutcome outcome) => (outcome as PathOutcome.Refused)?.Reason;
}
