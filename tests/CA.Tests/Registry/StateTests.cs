using System.Net.Http.Json;
using System.Text.Json;
using Trust.CA.Certificates;
using Trust.CA.Registry;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.CA.Tests.Registry;

public sealed class StateTests(CaFixture ca)
{
    [Fact]
    public async Task One_officer_suspends_at_once_and_two_reinstate()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var (_, certificate) = await ca.Enrol("practitioner-signature", person, name, key, institution);
        using var _ = certificate;
        var sha = Certificate.Parse(certificate.RawData).Sha256Hex;

        var suspended = await Change(0, person, "suspended");
        Assert.Equal(("suspended", 1), (suspended.State, suspended.Certificates));
        Assert.Equal("hold", await StateOf(sha));

        var wished = await Change(0, person, "active");
        Assert.Equal("suspended", wished.State);
        Assert.Equal("own-request", await Confirm(0, person, wished.Confirmation!.Value));
        Assert.Equal("hold", await StateOf(sha));
        Assert.Equal("active", await Confirm(1, person, wished.Confirmation.Value));
        Assert.Equal("good", await StateOf(sha));
        Assert.Equal("unknown-reinstatement", await Confirm(2, person, wished.Confirmation.Value));
    }

    [Fact]
    public async Task An_officers_own_hold_outlasts_a_reinstatement()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var (_, certificate) = await ca.Enrol("practitioner-signature", person, name, key, institution);
        using var _ = certificate;
        var sha = Certificate.Parse(certificate.RawData).Sha256Hex;
        using var client = ca.Officer(0);
        using var held = await client.Post($"/certificates/{sha}/hold", new CertificateStateRequest("lost"), CaJson.Default.CertificateStateRequest);

        await Change(0, person, "suspended");
        var wished = await Change(0, person, "active");
        await Confirm(1, person, wished.Confirmation!.Value);

        Assert.Equal("hold", await StateOf(sha));
    }

    [Fact]
    public async Task A_registry_hold_is_not_lifted_at_the_certificate()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var (_, certificate) = await ca.Enrol("practitioner-signature", person, name, key, institution);
        using var _ = certificate;
        var sha = Certificate.Parse(certificate.RawData).Sha256Hex;
        await Change(0, person, "blacklisted");
        using var client = ca.Officer(0);

        using var resumed = await client.Post($"/certificates/{sha}/resume", new CertificateStateRequest("please"), CaJson.Default.CertificateStateRequest);

        Assert.Equal("held-by-registry", await resumed.Problem());
    }

    [Theory]
    [InlineData("revoked")]
    [InlineData("deregistered")]
    public async Task A_lost_licence_revokes_and_is_final(string state)
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var (_, certificate) = await ca.Enrol("practitioner-signature", person, name, key, institution);
        using var _ = certificate;

        await Change(0, person, state);
        using var client = ca.Officer(0);
        using var back = await client.Post($"/practitioners/{person}/state", new StateRequest("active", "please"), CaJson.Default.StateRequest);

        Assert.Equal("revoked", await StateOf(Certificate.Parse(certificate.RawData).Sha256Hex));
        Assert.Equal("final-state", await back.Problem());
    }

    [Fact]
    public async Task An_ended_affiliation_revokes_what_was_issued_under_it()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var under = SoftwareKey.New(PublicKeyKind.P256);
        using var own = SoftwareKey.New(PublicKeyKind.P256);
        var (_, there) = await ca.Enrol("practitioner-signature", person, name, under, institution);
        var (_, free) = await ca.Enrol("practitioner-authentication", person, name, own);
        using var _ = there;
        using var __ = free;
        using var peer = ca.Peer();
        var from = await From(person, institution);

        var result = await ca.Import(new ImportRequest(Affiliations: [new(person, institution, "main", from, DateTimeOffset.UtcNow)]));

        Assert.Equal("updated", result.Single().Result);
        Assert.Equal("revoked", await StateOf(Certificate.Parse(there.RawData).Sha256Hex));
        Assert.Equal("good", await StateOf(Certificate.Parse(free.RawData).Sha256Hex));
    }

    [Fact]
    public async Task A_closed_institution_takes_its_dependants_along()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var (_, certificate) = await ca.Enrol("practitioner-signature", person, name, key, institution);
        using var _ = certificate;
        using var client = ca.Officer(0);

        using var closed = await client.Post($"/institutions/{institution}/state", new StateRequest("closed", "licence-ended"), CaJson.Default.StateRequest);

        Assert.True(closed.IsSuccessStatusCode);
        Assert.Equal("revoked", await StateOf(Certificate.Parse(certificate.RawData).Sha256Hex));
    }

    private async Task<DateTimeOffset> From(string person, string institution)
    {
        const string select = "SELECT valid_from FROM affiliations WHERE practitioner = $1 AND institution = $2";
        var rows = await ca.Database.Owner.Sql(select).With(person).With(institution).All(r => r.GetFieldValue<DateTimeOffset>(0), default);
        return rows.Single();
    }

    private async Task<StateResponse> Change(int officer, string person, string state)
    {
        using var client = ca.Officer(officer);
        using var response = await client.Post($"/practitioners/{person}/state", new StateRequest(state, "order", "GZ-2026-1"), CaJson.Default.StateRequest);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync(CaJson.Default.StateResponse))!;
    }

    private async Task<string> Confirm(int officer, string person, Guid id)
    {
        using var client = ca.Officer(officer);
        using var response = await client.PostBytes($"/practitioners/{person}/state/{id}/confirmations", [], "application/json");
        return response.IsSuccessStatusCode ? (await response.Content.ReadFromJsonAsync(CaJson.Default.StateResponse))!.State : await response.Problem();
    }

    private async Task<string> StateOf(string sha)
    {
        using var client = ca.Officer(0);
        using var json = JsonDocument.Parse(await client.GetStringAsync(new Uri($"/certificates/{sha}", UriKind.Relative)));
        return json.RootElement.GetProperty("state").GetString()!;
    }
}
