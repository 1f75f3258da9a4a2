using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.CA.Registry;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.CA.Tests.Claims;

/// <summary>Who may give rights, on whose word, for how long.</summary>
public sealed class RightsClaims(CaFixture ca)
{
    // Rows that widen rights should wait for a second officer's confirmation; today one officer makes a prescriber of a nurse.
    [Fact]
    public async Task F4_One_officers_import_lets_a_nurse_prescribe()
    {
        var institution = Samples.Institution();
        var nurse = Samples.Practitioner("nurse");
        var from = DateTimeOffset.UtcNow.AddDays(-10);
        var first = await ca.Import(new ImportRequest([institution], [nurse], [new("nurse:" + nurse.LicenceNumber, institution.CreditCode, "main", from)]));
        var (place, person) = (first[0].Urn, first[1].Urn);
        Assert.Equal("not-in-role", await Reason(person, place));
        var physician = nurse with { Role = "physician", LicenceNumber = Samples.Practitioner().LicenceNumber };
        await ca.Import(new ImportRequest(Practitioners: [physician], Filings: [new("physician:" + physician.LicenceNumber, institution.CreditCode, "BA-1", from)]));
        Assert.Equal("permitted", await Reason(person, place));
    }

    // Facts should be dated and added; today the question about an instant gets another answer after an import.
    [Fact]
    public async Task F5_What_someone_was_last_week_is_overwritten_by_what_she_is_today()
    {
        var institution = Samples.Institution();
        var row = Samples.Practitioner("nurse");
        var first = await ca.Import(new ImportRequest([institution], [row]));
        var at = DateTimeOffset.UtcNow.AddDays(-7).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'");
        Assert.Equal("nurse", await RoleAt());
        await ca.Import(new ImportRequest(Practitioners: [row with { Role = "physician", LicenceNumber = Samples.Practitioner().LicenceNumber }]));
        Assert.Equal("physician", await RoleAt());

        async Task<string?> RoleAt() => (await ca.Entitlement($"person={first[1].Urn}&institution={first[0].Urn}&act=prescribe&at={at}")).GetProperty("role").GetString();
    }

    // An affiliation should be recorded as known from now on; today a start in the past is believed for the past.
    [Fact]
    public async Task F5_An_affiliation_imported_today_counts_for_last_year()
    {
        var institution = Samples.Institution();
        var row = Samples.Practitioner();
        var reference = "physician:" + row.LicenceNumber;
        var first = await ca.Import(new ImportRequest([institution], [row]));
        var at = DateTimeOffset.UtcNow.AddDays(-300);
        await ca.Import(new ImportRequest(
            Affiliations: [new(reference, institution.CreditCode, "main", at.AddDays(-1))], Filings: [new(reference, institution.CreditCode, "BA-1", at.AddDays(-1))]));
        var answer = await ca.Entitlement($"person={first[1].Urn}&institution={first[0].Urn}&act=prescribe&at={at:yyyy-MM-dd'T'HH:mm:ss'Z'}");
        Assert.Equal("permitted", answer.GetProperty("reason").GetString());
    }

    // An end in the future should take effect then; today it revokes at once, while the affiliation goes on.
    [Fact]
    public async Task F25_An_end_in_the_future_revokes_the_certificates_now()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        var from = await From(person);
        await ca.Import(new ImportRequest(Affiliations: [new(person, institution, "main", from, DateTimeOffset.UtcNow.AddDays(90))]));
        Assert.Equal("revoked", await ca.StateOf(sha));
        Assert.Equal("permitted", await Reason(person, institution));
    }

    // An affiliation that runs out should revoke what names it and tell the feed; today nothing notices.
    [Fact]
    public async Task F25_An_affiliation_that_runs_out_leaves_its_certificates_good()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        await ca.Database.Owner.Sql("UPDATE affiliations SET valid_to = now() - interval '1 day' WHERE practitioner = $1").With(person).Execute(default);
        const string told = "SELECT count(*) FROM feed WHERE person = $1 AND state = 'ended'";
        Assert.Equal("no-affiliation", await Reason(person, institution));
        Assert.Equal("good", await ca.StateOf(sha));
        Assert.Equal(0, await ca.Database.Owner.Sql(told).With(person).Scalar<long>(default));
    }

    // A hospital that opens again is a new registration; today its credit code finds the closed one, for ever.
    [Fact]
    public async Task F30_A_closed_institution_cannot_be_registered_anew()
    {
        var row = Samples.Institution();
        var urn = (await ca.Import(new ImportRequest([row]))).Single().Urn!;
        using var client = ca.Officer(0);
        using var closed = await client.Post($"/institutions/{urn}/state", new StateRequest("closed", "licence-ended"), CaJson.Default.StateRequest);
        Assert.Equal(HttpStatusCode.OK, closed.StatusCode);
        var again = (await ca.Import(new ImportRequest([row]))).Single();
        Assert.Equal(("unchanged", urn), (again.Result, again.Urn));
        Assert.Equal("institution-closed", (await ca.Entitlement($"institution={urn}&act=seal")).GetProperty("reason").GetString());
    }

    // "Only a new registration follows", says the refusal; today none can: the identity finds the ended licence.
    [Fact]
    public async Task F30_A_deregistered_practitioner_cannot_be_registered_anew()
    {
        var row = Samples.Practitioner();
        var urn = (await ca.Import(new ImportRequest(Practitioners: [row]))).Single().Urn!;
        await ca.Changed(0, urn, "deregistered");
        var again = (await ca.Import(new ImportRequest(Practitioners: [row with { LicenceNumber = Samples.Practitioner().LicenceNumber }]))).Single();
        Assert.Equal(("updated", urn), (again.Result, again.Urn));
        Assert.Equal("deregistered", (await ca.Entitlement($"person={urn}&act=login")).GetProperty("reason").GetString());
    }

    private async Task<string?> Reason(string? person, string? institution) =>
        (await ca.Entitlement($"person={person}&institution={institution}&act=prescribe")).GetProperty("reason").GetString();

    private async Task<DateTimeOffset> From(string person) =>
        (await ca.Database.Owner.Sql("SELECT valid_from FROM affiliations WHERE practitioner = $1").With(person).All(r => r.GetFieldValue<DateTimeOffset>(0), default)).Single();
}
