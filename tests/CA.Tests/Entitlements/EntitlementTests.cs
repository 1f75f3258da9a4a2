using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Trust.CA.Certificates;
using Trust.CA.Entitlements;
using Trust.CA.Registry;
using Trust.Crypto.Asn1;
using Trust.Kernel.Identifiers;
using Trust.TestKit;

namespace Trust.CA.Tests.Entitlements;

public sealed class EntitlementTests(CaFixture ca)
{
    [Theory]
    [InlineData("physician", "prescribe", "permitted")]
    [InlineData("physician", "review", "not-in-role")]
    [InlineData("physician", "login", "permitted")]
    [InlineData("assistant-physician", "prescribe", "not-in-role")]
    [InlineData("pharmacist", "review", "permitted")]
    [InlineData("pharmacist", "dispense", "permitted")]
    [InlineData("pharmacist", "prescribe", "not-in-role")]
    [InlineData("nurse", "prescribe", "not-in-role")]
    [InlineData("nurse", "login", "permitted")]
    public async Task A_role_may_do_its_acts_and_no_others(string role, string act, string reason)
    {
        var (person, institution, _) = await ca.NewPractitioner(role);
        var answer = await Ask($"person={person}&institution={institution}&act={act}");

        Assert.Equal(reason, answer.GetProperty("reason").GetString());
        Assert.Equal(reason is "permitted" ? "permit" : "deny", answer.GetProperty("decision").GetString());
        Assert.Equal(role, answer.GetProperty("role").GetString());
    }

    [Fact]
    public async Task Everything_unknown_is_denied()
    {
        var (person, institution, _) = await ca.NewPractitioner();
        var (_, elsewhere, _) = await ca.NewPractitioner();
        var (unfiled, unfiledAt, _) = await ca.NewPractitioner(filed: false);

        Assert.Equal("unknown-person", await Reason($"person={PersonId.New(DateTimeOffset.UtcNow)}&institution={institution}&act=prescribe"));
        Assert.Equal("no-affiliation", await Reason($"person={person}&institution={elsewhere}&act=prescribe"));
        Assert.Equal("institution-closed", await Reason($"person={person}&institution={InstitutionId.New(DateTimeOffset.UtcNow)}&act=prescribe"));
        Assert.Equal("no-filing", await Reason($"person={unfiled}&institution={unfiledAt}&act=prescribe"));
        Assert.Equal("no-affiliation", await Reason($"person={person}&act=prescribe"));
        Assert.Equal("permitted", await Reason($"person={person}&act=login"));
        Assert.Equal("certificate-unknown", await Reason($"person={person}&institution={institution}&act=prescribe&certificate={new string('0', 64)}"));
    }

    [Fact]
    public async Task Institutions_act_alone_where_they_may()
    {
        var (_, hospital, _) = await ca.NewPractitioner();
        var (_, pharmacy, _) = await ca.NewPractitioner("retail-pharmacist", "pharmacy");

        Assert.Equal("permitted", await Reason($"institution={hospital}&act=seal"));
        Assert.Equal("permitted", await Reason($"institution={pharmacy}&act=claim"));
        Assert.Equal("not-in-role", await Reason($"institution={pharmacy}&act=seal"));
        Assert.Equal("not-in-role", await Reason($"institution={hospital}&act=prescribe"));
    }

    [Fact]
    public async Task One_key_has_one_purpose_and_one_holder()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var (other, otherInstitution, _) = await ca.NewPractitioner();
        using var a = SoftwareKey.New(PublicKeyKind.P256);
        using var s = SoftwareKey.New(PublicKeyKind.P256);
        var login = await Sha("practitioner-authentication", a);
        var sign = await Sha("practitioner-signature", s);

        Assert.Equal("permitted", await Reason($"person={person}&institution={institution}&act=login&certificate={login}"));
        Assert.Equal("permitted", await Reason($"person={person}&institution={institution}&act=prescribe&certificate={sign}"));
        Assert.Equal("wrong-key-usage", await Reason($"person={person}&institution={institution}&act=prescribe&certificate={login}"));
        Assert.Equal("wrong-key-usage", await Reason($"person={person}&institution={institution}&act=login&certificate={sign}"));
        Assert.Equal("certificate-unknown", await Reason($"person={other}&institution={otherInstitution}&act=prescribe&certificate={sign}"));

        using var client = ca.Officer(0);
        using var held = await client.Post($"/certificates/{sign}/hold", new CertificateStateRequest("x"), CaJson.Default.CertificateStateRequest);
        Assert.Equal("certificate-held", await Reason($"person={person}&institution={institution}&act=prescribe&certificate={sign}"));
        using var revoked = await client.Post($"/certificates/{sign}/revoke", new CertificateStateRequest("keyCompromise"), CaJson.Default.CertificateStateRequest);
        Assert.Equal("key-lost", await Reason($"person={person}&institution={institution}&act=prescribe&certificate={sign}"));

        async Task<string> Sha(string profile, SoftwareKey key)
        {
            var (_, certificate) = await ca.Enrol(profile, person, name, key, institution);
            using (certificate)
            {
                return Certificate.Parse(certificate.RawData).Sha256Hex;
            }
        }
    }

    [Fact]
    public async Task The_past_stays_as_it_was()
    {
        var (person, institution, _) = await ca.NewPractitioner();
        var before = Uri.EscapeDataString(DateTimeOffset.UtcNow.ToString("O", CultureInfo.InvariantCulture));
        using var client = ca.Officer(0);
        using var changed = await client.Post($"/practitioners/{person}/state", new StateRequest("suspended", "order"), CaJson.Default.StateRequest);
        var longAgo = Uri.EscapeDataString(DateTimeOffset.UtcNow.AddDays(-500).ToString("O", CultureInfo.InvariantCulture));

        Assert.Equal("suspended", await Reason($"person={person}&institution={institution}&act=prescribe"));
        Assert.Equal("permitted", await Reason($"person={person}&institution={institution}&act=prescribe&at={before}"));
        Assert.Equal("no-affiliation", await Reason($"person={person}&institution={institution}&act=prescribe&at={longAgo}"));
    }

    [Fact]
    public async Task Malformed_questions_and_strangers_get_no_answer()
    {
        using var peer = ca.Peer();
        foreach (var query in new[] { "act=fly", "act=login&person=urn:x", "act=login&certificate=zz", "act=login&at=tomorrow", "act=login&at=2999-01-01T00:00:00Z" })
        {
            using var response = await peer.GetAsync(new Uri("/entitlements?" + query, UriKind.Relative));
            Assert.Equal("malformed-question", await response.Problem());
        }

        using var nobody = CaFixture.Client(ca.Main, null);
        using var refused = await nobody.GetAsync(new Uri("/entitlements?act=login", UriKind.Relative));
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
    }

    [Fact]
    public async Task A_holder_is_shown_to_services()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var (_, certificate) = await ca.Enrol("practitioner-authentication", person, name, key, institution);
        using var _ = certificate;
        using var peer = ca.Peer();

        using var json = JsonDocument.Parse(await peer.GetStringAsync(new Uri($"/holders/{Certificate.Parse(certificate.RawData).Sha256Hex}", UriKind.Relative)));
        using var unknown = await peer.GetAsync(new Uri($"/holders/{new string('0', 64)}", UriKind.Relative));

        Assert.Equal(person, json.RootElement.GetProperty("person").GetString());
        Assert.Equal("authentication", json.RootElement.GetProperty("usage").GetString());
        Assert.Equal("good", json.RootElement.GetProperty("status").GetString());
        var affiliation = json.RootElement.GetProperty("affiliations")[0];
        Assert.Equal(institution, affiliation.GetProperty("institution").GetString());
        Assert.True(affiliation.GetProperty("filing").GetBoolean());
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
    }

    private async Task<string?> Reason(string query) => (await Ask(query)).GetProperty("reason").GetString();

    private async Task<JsonElement> Ask(string query)
    {
        using var peer = ca.Peer();
        var jws = (await peer.GetStringAsync(new Uri("/entitlements?" + query, UriKind.Relative))).Split('.');
        using var key = ECDsa.Create();
        key.ImportSubjectPublicKeyInfo(await File.ReadAllBytesAsync(Path.Combine(ca.Public, "entitlement.spki")), out _);
        Assert.True(key.VerifyData(Encoding.ASCII.GetBytes($"{jws[0]}.{jws[1]}"), Base64Url.DecodeFromChars(jws[2]), HashAlgorithmName.SHA256));
        var answer = JsonElement.Parse(Base64Url.DecodeFromChars(jws[1]));
        Assert.Equal(EntitlementRules.Version, answer.GetProperty("ruleVersion").GetString());
        return answer;
    }
}
