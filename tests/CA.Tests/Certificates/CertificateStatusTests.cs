using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Trust.CA.Certificates;
using Trust.Crypto.Asn1;
using Trust.TestKit;

namespace Trust.CA.Tests.Certificates;

public sealed class CertificateStatusTests(CaFixture ca)
{
    [Fact]
    public async Task A_service_learns_the_status_of_a_seal()
    {
        var (_, institution, _) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var p10 = await CertificationRequest.Create(new X500DistinguishedName("CN=" + institution), key.Spki, [], key.Signer, default);
        var created = await ca.Request(Samples.Request("institution-seal", institution, p10));
        await ca.Approve(1, created);
        var issued = await ca.Approve(2, created);
        var status = await Status(issued.Sha256!);
        Assert.Equal("institution-seal", status.GetProperty("profile").GetString());
        Assert.Equal(institution, status.GetProperty("holder").GetString());
        Assert.Equal("good", status.GetProperty("status").GetString());
        Assert.True(!status.TryGetProperty("revokedAt", out var revoked) || revoked.ValueKind == JsonValueKind.Null);
    }

    [Fact]
    public async Task A_revocation_leaves_what_was_before_it_good_and_says_when_it_was()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var (_, certificate) = await ca.Enrol("practitioner-signature", person, name, key, institution);
        using var _ = certificate;
        var sha = Certificate.Parse(certificate.RawData).Sha256Hex;
        var before = DateTimeOffset.UtcNow;
        await Change(sha, "hold", "lost");
        var during = DateTimeOffset.UtcNow;
        await Change(sha, "revoke", "superseded");
        var earlier = await Status(sha, before);
        Assert.Equal("good", earlier.GetProperty("status").GetString());
        Assert.True(earlier.GetProperty("revokedAt").GetDateTimeOffset() >= during);
        Assert.Equal(4, earlier.GetProperty("reason").GetInt32());
        Assert.Equal("hold", (await Status(sha, during)).GetProperty("status").GetString());
        Assert.Equal("revoked", (await Status(sha)).GetProperty("status").GetString());
        Assert.Equal("not-yet-valid", (await Status(sha, before.AddYears(-1))).GetProperty("status").GetString());
    }

    [Theory]
    [InlineData("2026-11-30")]
    [InlineData("2026-11-30T10:00:00")]
    [InlineData("11/12/2026")]
    [InlineData("2099-01-01T00:00:00Z")]
    public async Task An_instant_needs_its_offset_and_is_not_in_the_future(string at)
    {
        using var peer = ca.Peer();
        using var answer = await peer.GetAsync($"/certificates/{new string('0', 64)}/status?at={Uri.EscapeDataString(at)}");
        Assert.Equal("malformed-question", await answer.Problem());
    }

    [Fact]
    public async Task A_certificate_that_is_not_ours_is_unknown()
    {
        using var peer = ca.Peer();
        using var answer = await peer.GetAsync($"/certificates/{new string('0', 64)}/status");
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal("unknown-certificate", await answer.Problem());
    }

    private async Task Change(string sha, string act, string reason)
    {
        using var officer = ca.Officer(0);
        using var answer = await officer.Post($"/certificates/{sha}/{act}", new CertificateStateRequest(reason), CaJson.Default.CertificateStateRequest);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    private async Task<JsonElement> Status(string sha256, DateTimeOffset? at = null)
    {
        using var peer = ca.Peer();
        var query = at is { } instant ? "?at=" + Uri.EscapeDataString(instant.ToString("O")) : "";
        return JsonElement.Parse(await peer.GetStringAsync($"/certificates/{sha256}/status{query}"));
    }
}
