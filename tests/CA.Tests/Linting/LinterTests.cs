using Trust.CA.Certificates;
using Trust.CA.Linting;
using Trust.Crypto.Asn1;
using Trust.TestKit;

namespace Trust.CA.Tests.Linting;

public sealed class LinterTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 0, 0, 0, TimeSpan.Zero);
    private static readonly ProfileSet Profiles = new();

    [Fact]
    public async Task A_plan_passes_and_its_bytes_are_handed_out_once()
    {
        var passed = Assert.IsType<LintOutcome.Passed>(Linter.Lint(await Plan()));
        Assert.NotEmpty(passed.Certificate.Redeem());
        Assert.Throws<InvalidOperationException>(() => passed.Certificate.Redeem());
    }

    [Fact]
    public void Serial_numbers_use_all_128_bits()
    {
        var serials = Enumerable.Range(0, 2000).Select(_ => CertificateContent.NewSerialNumber()).ToList();
        Assert.Equal(serials.Count, serials.Select(Convert.ToHexString).Distinct(StringComparer.Ordinal).Count());
        for (var bit = 0; bit < 128; bit++)
        {
            var ones = serials.Count(s => (s[1 + (bit / 8)] >> (bit % 8) & 1) == 1);
            Assert.InRange(ones, 800, 1200);
        }
    }

    [Theory]
    [InlineData("subject-as-planned")]
    [InlineData("key-as-requested")]
    [InlineData("serial-as-planned")]
    [InlineData("validity-as-planned")]
    [InlineData("alternative-names")]
    [InlineData("issuer-name")]
    [InlineData("status-addresses")]
    public async Task Bytes_that_are_not_the_plan_are_refused(string rule)
    {
        var plan = await Plan();
        using var other = SoftwareKey.New(PublicKeyKind.P256);
        var changed = rule switch
        {
            "subject-as-planned" => plan with { Subject = plan.Subject with { CommonName = "Somebody Else" } },
            "key-as-requested" => plan with { Spki = other.Spki },
            "serial-as-planned" => plan with { Serial = CertificateContent.NewSerialNumber() },
            "validity-as-planned" => plan with { NotAfter = plan.NotAfter.AddSeconds(1) },
            "alternative-names" => plan with { Subject = plan.Subject with { Names = [] } },
            "issuer-name" => plan with { Issuer = await Root("Other Root", "practitioner-issuing") },
            _ => plan with { Profile = plan.Profile with { Status = false } },
        };

        Assert.Contains(rule, Assert.IsType<LintOutcome.Failed>(Linter.Lint(plan, changed.Encode())).Rules);
    }

    [Theory]
    [InlineData("key-accepted")]
    [InlineData("serial-length")]
    [InlineData("validity-length")]
    [InlineData("validity-inside-issuer")]
    [InlineData("issuer-as-profile-says")]
    [InlineData("one-purpose")]
    [InlineData("holder-named")]
    [InlineData("key-not-the-issuers")]
    [InlineData("subject-common-name")]
    public async Task A_plan_that_breaks_a_rule_is_refused(string rule)
    {
        using var rsa = SoftwareKey.New(PublicKeyKind.Rsa);
        var plan = await Plan();
        var broken = rule switch
        {
            "key-accepted" => plan with { Spki = rsa.Spki },
            "serial-length" => plan with { Serial = [1, 2, 3, 4] },
            "validity-length" => plan with { NotAfter = plan.NotAfter.AddDays(30) },
            "validity-inside-issuer" => plan with { NotBefore = plan.NotBefore.AddYears(-5) },
            "issuer-as-profile-says" => plan with { Issuer = plan.Issuer! with { Name = "institution-issuing" } },
            "one-purpose" => plan with { Profile = plan.Profile with { KeyUsage = [KeyUsages.NonRepudiation, KeyUsages.DigitalSignature] } },
            "holder-named" => plan with { Subject = plan.Subject with { Names = [new GeneralName.Uri("https://example.org")] } },
            "key-not-the-issuers" => plan with { Spki = plan.Issuer!.Certificate.SubjectPublicKeyInfo },
            _ => plan with { Subject = plan.Subject with { CommonName = new string('x', 65) } },
        };

        Assert.Contains(rule, Assert.IsType<LintOutcome.Failed>(Linter.Lint(broken)).Rules);
    }

    [Fact]
    public async Task One_changed_byte_anywhere_is_noticed()
    {
        var plan = await Plan();
        var tbs = plan.Encode();
        for (var i = 0; i < tbs.Length; i++)
        {
            var changed = tbs.ToArray();
            changed[i] ^= 1;
            Assert.True(Linter.Lint(plan, changed) is LintOutcome.Failed, $"byte {i}");
        }
    }

    private static async Task<CertificatePlan> Plan()
    {
        var key = SoftwareKey.New(PublicKeyKind.P256);
        return CertificatePlan.Make(
            Profiles["practitioner-signature"], await Root("Root", "practitioner-issuing"), SignatureSuite.ES256,
            new CertificateSubject("陈医生", "成都医院", [new GeneralName.Uri("urn:mdid:p:01JD0000000000000000000000")]), key.Spki, Now, "http://127.0.0.1");
    }

    private static async Task<Authority> Root(string name, string issuerName)
    {
        var key = SoftwareKey.New(PublicKeyKind.P256);
        var plan = CertificatePlan.Make(
            Profiles["root"], null, SignatureSuite.ES256, new CertificateSubject(name, "Test", []), key.Spki, Now.AddDays(-1), "http://127.0.0.1");
        var passed = Assert.IsType<LintOutcome.Passed>(Linter.Lint(plan));
        var tbs = passed.Certificate.Redeem();
        return new Authority(issuerName, null, Certificate.Parse(await SignedStructure.Sign(tbs, key.Suite, key.Spki, key.Signer, default)), issuerName);
    }
}
