using System.Globalization;
using Npgsql;
using Trust.CA.Registry;
using Trust.CA.Tests.Claims;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.CA.Tests.Registry;

/// <summary>What was so at an instant, as known at another, has one answer for ever; what is to come comes at its time.</summary>
public sealed class DatedFactTests(CaFixture ca)
{
    [Fact]
    public async Task What_someone_was_last_week_stays_what_she_was()
    {
        var institution = Samples.Institution();
        var row = Samples.Practitioner("nurse");
        var first = await ca.Import(new ImportRequest([institution], [row]));
        var at = Text(DateTimeOffset.UtcNow.AddDays(-7));
        Assert.Equal("nurse", await Role(first, $"&at={at}"));
        await ca.Import(new ImportRequest(Practitioners: [row with { Role = "physician", LicenceNumber = Samples.Practitioner().LicenceNumber }]));
        Assert.Equal("nurse", await Role(first, $"&at={at}"));
        Assert.Equal("physician", await Role(first, ""));
    }

    [Fact]
    public async Task A_backdated_change_is_seen_only_by_questions_that_know_of_it()
    {
        var institution = Samples.Institution();
        var row = Samples.Practitioner("nurse");
        var first = await ca.Import(new ImportRequest([institution], [row]));
        var at = Text(DateTimeOffset.UtcNow.AddDays(-7));
        var before = Text(DateTimeOffset.UtcNow);
        await ca.Import(new ImportRequest(Practitioners:
            [row with { Role = "physician", LicenceNumber = Samples.Practitioner().LicenceNumber, EffectiveFrom = DateTimeOffset.UtcNow.AddDays(-30) }]));
        Assert.Equal("nurse", await Role(first, $"&at={at}&known={before}"));
        Assert.Equal("physician", await Role(first, $"&at={at}"));
        Assert.Equal("nurse", await Role(first, $"&at={Text(DateTimeOffset.UtcNow.AddDays(-60))}"));
    }

    [Fact]
    public async Task An_affiliation_imported_today_was_not_known_last_year()
    {
        var institution = Samples.Institution();
        var row = Samples.Practitioner();
        var reference = "physician:" + row.LicenceNumber;
        var first = await ca.Import(new ImportRequest([institution], [row]));
        var at = DateTimeOffset.UtcNow.AddDays(-300);
        var before = Text(DateTimeOffset.UtcNow);
        await ca.Import(new ImportRequest(
            Affiliations: [new(reference, institution.CreditCode, "main", at.AddDays(-1))], Filings: [new(reference, institution.CreditCode, "BA-1", at.AddDays(-1))]));
        var question = $"person={first[1].Urn}&institution={first[0].Urn}&act=prescribe&at={Text(at)}";
        Assert.Equal("unknown-person", (await ca.Entitlement($"{question}&known={Text(at)}")).GetProperty("reason").GetString());
        Assert.Equal("no-affiliation", (await ca.Entitlement($"{question}&known={before}")).GetProperty("reason").GetString());
        var now = await ca.Entitlement(question);
        Assert.Equal("permitted", now.GetProperty("reason").GetString());
        // The answer says by what it was known, and asked by that again it is the same.
        var known = Text(now.GetProperty("known").GetDateTimeOffset());
        Assert.Equal("permitted", (await ca.Entitlement($"{question}&known={known}")).GetProperty("reason").GetString());
    }

    [Theory]
    [InlineData("UPDATE practitioner_facts SET role = 'physician'")]
    [InlineData("UPDATE institution_facts SET kind = 'hospital'")]
    [InlineData("DELETE FROM affiliations")]
    [InlineData("UPDATE filings SET valid_to = NULL")]
    [InlineData("UPDATE practitioner_states SET state = 'active'")]
    public async Task The_service_itself_cannot_rewrite_a_fact(string sql)
    {
        await using var command = ca.Database.Runtime.CreateCommand(sql);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync());
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
    }

    [Fact]
    public async Task A_licence_of_2099_is_pending_until_then()
    {
        var row = Samples.Practitioner() with { EffectiveFrom = new DateTimeOffset(2099, 1, 1, 0, 0, 0, TimeSpan.FromHours(8)) };
        var institution = Samples.Institution();
        var results = await ca.Import(new ImportRequest(
            [institution], [row], [new("physician:" + row.LicenceNumber, institution.CreditCode, "main", DateTimeOffset.UtcNow.AddDays(-1))]));
        Assert.Equal("pending", (await ca.Entitlement($"person={results[1].Urn}&act=login")).GetProperty("reason").GetString());
        Assert.Equal("unchanged", (await ca.Import(new ImportRequest(Practitioners: [row]))).Single().Result);
    }

    [Fact]
    public async Task Licence_institution_and_affiliation_begin_when_their_instant_comes_and_are_told_then()
    {
        var begin = DateTimeOffset.UtcNow.AddSeconds(6);
        var row = Samples.Practitioner() with { EffectiveFrom = begin };
        var institution = Samples.Institution() with { EffectiveFrom = begin };
        var results = await ca.Import(new ImportRequest([institution], [row], [new("physician:" + row.LicenceNumber, institution.CreditCode, "main", begin)]));
        var (place, person) = (results[0].Urn!, results[1].Urn!);

        await Eventually.Holds(async () => await Told("practitioner", person, "active") && await Told("institution", place, "active")
            && await Told("affiliation", place, "active"), "the feed tells of each begin");

        Assert.Equal("permitted", await Reason(person, place, "login"));
        Assert.Equal("practitioner-begun", Assert.Single(await ca.Events("ID.state", SubjectKey.Practitioner(person))).GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_suspension_before_a_licence_begins_outlives_its_begin()
    {
        var row = Samples.Practitioner() with { EffectiveFrom = DateTimeOffset.UtcNow.AddSeconds(6) };
        var person = (await ca.Import(new ImportRequest(Practitioners: [row]))).Single().Urn!;
        await ca.Changed(0, person, "suspended");
        await Eventually.Holds(async () => await ca.Database.Owner.Sql("SELECT count(*) FROM due_changes WHERE practitioner = $1 AND applied_at IS NOT NULL")
            .With(person).Scalar<long>(default) == 1, "the instant comes");
        Assert.Equal("suspended", (await ca.Entitlement($"person={person}&act=login")).GetProperty("reason").GetString());
        Assert.False(await Told("practitioner", person, "active"));
    }

    [Fact]
    public async Task An_end_to_come_takes_nothing_before_it_comes_and_everything_then()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        var from = await From(person);
        var end = DateTimeOffset.UtcNow.AddSeconds(6);
        var result = await ca.Propose(new ImportRequest(Affiliations: [new(person, institution, "main", from, end)]));
        Assert.Equal("updated", result.Results.Single().Result);
        Assert.Equal("good", await ca.StateOf(sha));
        Assert.Equal("permitted", await Reason(person, institution, "prescribe"));

        await Eventually.Holds(async () => await ca.StateOf(sha) == "revoked", "the certificate that names the affiliation is revoked when it ends");

        Assert.Equal("no-affiliation", await Reason(person, institution, "prescribe"));
        Assert.True(await Told("affiliation", institution, "ended"));
        Assert.Equal("affiliation-ended", Assert.Single(
            await ca.Events("ID.suspend", SubjectKey.Practitioner(person)), e => e.GetProperty("actor").GetProperty("subject").GetString() == "ca").GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_later_end_waits_for_two_and_one_that_has_come_is_not_moved()
    {
        var (person, institution, _) = await ca.NewPractitioner();
        var from = await From(person);
        AffiliationRow row = new(person, institution, "main", from, DateTimeOffset.UtcNow.AddDays(10));
        Assert.Equal("updated", (await ca.Propose(new ImportRequest(Affiliations: [row]))).Results.Single().Result);
        Assert.Equal("proposed", (await ca.Propose(new ImportRequest(Affiliations: [row with { To = row.To!.Value.AddDays(1) }]))).Results.Single().Result);
        Assert.Equal("unchanged", (await ca.Propose(new ImportRequest(Affiliations: [row with { To = null }]))).Results.Single().Result);
        Assert.Equal("updated", (await ca.Propose(new ImportRequest(Affiliations: [row with { To = DateTimeOffset.UtcNow }]))).Results.Single().Result);
        Assert.Equal("ended-already", (await ca.Propose(new ImportRequest(Affiliations: [row]))).Results.Single().Rule);
    }

    private static string Text(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);

    private async Task<string?> Role(IReadOnlyList<ImportResult> first, string more) =>
        (await ca.Entitlement($"person={first[1].Urn}&institution={first[0].Urn}&act=prescribe{more}")).GetProperty("role").GetString();

    private async Task<string?> Reason(string person, string institution, string act) =>
        (await ca.Entitlement($"person={person}&institution={institution}&act={act}")).GetProperty("reason").GetString();

    private async Task<bool> Told(string kind, string id, string state) =>
        await ca.Database.Owner.Sql("SELECT count(*) FROM feed WHERE kind = $1 AND id = $2 AND state = $3").With(kind).With(id).With(state).Scalar<long>(default) > 0;

    private async Task<DateTimeOffset> From(string person) =>
        (await ca.Database.Owner.Sql("SELECT valid_from FROM affiliations WHERE practitioner = $1").With(person).All(r => r.GetFieldValue<DateTimeOffset>(0), default)).Single();
}
