using System.Globalization;
using System.Net;
using System.Text.Json;
using CsCheck;
using Trust.CA.Enrolment;
using Trust.CA.Registry;
using Trust.CA.Tests.Claims;
using Trust.Crypto.Asn1;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.CA.Tests;

/// <summary>No fact without its event: whatever officers do, in whatever words, while token and database fail.</summary>
public sealed class CommittedStateTests
{
    private const string Injection = "x\",\"class\":\"RESTRICTED";
    private static readonly string Statute = string.Concat(Enumerable.Repeat("依据医师法第五十六条", 12));
    private static readonly string[] Texts = ["考核不合格", "order", "", " ", Injection, "a\\u0022b", "换行\n", "\u202e反", "\u009b2J", Statute, "510105195001010019", new string('x', 61), "𠮷·〇", "e\u0301"];
    private static readonly string[] States = ["active", "suspended", "revoked", "deregistered", "blacklisted", "pending", "closed", ""];

    private static readonly Gen<Act> Acts = Gen.Select(
        Gen.Enum<Deed>(), Gen.Int[0, 2], Gen.Int[0, 2], OneOf(Texts), OneOf(Texts), OneOf(States), Gen.Enum<Fault>(),
        (deed, officer, person, reason, basis, state, fault) => new Act(deed, officer, person, reason, basis, state, fault));

    private static readonly StateRow[] Rows =
    [
        new("practitioners", r => [Person(r, "urn")]),
        new("person_identifiers", r => [Person(r, "person")]),
        new("practitioner_facts", r => [Person(r, "practitioner")]),
        new("practitioner_states", r => [Person(r, "practitioner")]),
        new("institutions", r => [Institution(r, "urn")]),
        new("institution_facts", r => [Institution(r, "institution")]),
        new("institution_states", r => [Institution(r, "institution")]),
        new("affiliations", r => [Person(r, "practitioner")]),
        new("filings", r => [Person(r, "practitioner")]),
        new("due_changes", r => [Person(r, "practitioner") ?? Institution(r, "institution")]),
        new("reinstatements", r => [Text(r, "id")]),
        new("import_proposals", r => [Text(r, "id")]),
        new("residency_declarations", r => [Text(r, "sha256")]),
        new("import_proposal_rows", r => [Text(r, "proposal")]),
        new("certificate_requests", r => [Text(r, "id")]),
        new("approvals", r => [Text(r, "request")]),
        new("certificates", r => [Certificate(r) ?? Text(r, "request") ?? Text(r, "holder")], "tries", "next_try"),
        new("certificate_states", r => [Certificate(r)]),
        new("certificate_resumptions", r => [Certificate(r)]),
        new("crls", r => [$"\"number-{r.GetProperty("number").GetInt64().ToString(CultureInfo.InvariantCulture)}\""]),
        new("officers", r => [Person(r, "person")]),
        new("key_register", r => ["\"reason\":\"" + Text(r, "label") + "\""]),
    ];

    private static readonly Dictionary<string, string> NoFacts = new(StringComparer.Ordinal)
    {
        ["audit_relay"] = "the outbox's own place in the ledger",
        ["ceremony"] = "the ceremony's transcript; its events are of the installation",
        ["feed"] = "numbers that repeat the facts above for followers",
        ["dpop_proofs"] = "marks against replay",
        ["idempotency"] = "answers kept for a retry",
        ["issuers"] = "the last list's number; the list itself is judged",
        ["key_ring"] = "cookie keys of this service",
        ["migrations"] = "the schema's own version",
        ["storable_regions"] = "what the owner lets be stored here, by the rules",
        ["software_keys"] = "sealed copies of keys whose events are the installation's",
    };

    private enum Deed
    {
        Import, Rename, EndAffiliation, State, Confirm, Hold, Resume, Revoke, Request, Approve, Close,
    }

    private enum Fault
    {
        None, TokenFails, TokenTookIt, CallerLeaves,
    }

    [Fact]
    public async Task Every_committed_row_is_named_by_an_event_of_its_own_transaction()
    {
        await using var ca = await CaFixture.Own();
        var commits = await RecordedCommits.Begin(ca.Database.Owner, Rows, NoFacts);
        await Acts.Array[20, 40].SampleAsync(
            async acts =>
            {
                var people = new List<Known>();
                for (var i = 0; i < 3; i++)
                {
                    var (person, institution, name) = await ca.NewPractitioner();
                    people.Add(new Known(person, institution, name) { Certificate = await ca.Certified(person, institution, name) });
                }

                foreach (var act in acts)
                {
                    await Do(ca, act, people[act.Person]);
                }

                var (_, silent) = await commits.Judge();
                Assert.True(silent.Count == 0, string.Join('\n', silent));
            },
            iter: 5, threads: 1);
        var (judged, _) = await commits.Judge();
        Assert.True(judged > 200, $"Only {judged} rows were judged.");
    }

    private static Gen<string> OneOf(string[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static string? Text(JsonElement row, string column) => row.GetProperty(column).GetString();

    private static string? Person(JsonElement row, string column) => Text(row, column) is { } urn ? StateRow.Subject(SubjectKey.Practitioner(urn)) : null;

    private static string? Institution(JsonElement row, string column) => Text(row, column) is { } urn ? StateRow.Subject(SubjectKey.Institution(urn)) : null;

    private static string? Certificate(JsonElement row) => Text(row, "sha256") is { } sha ? StateRow.Subject(SubjectKey.Certificate(sha)) : null;

    private static async Task Do(CaFixture ca, Act act, Known known)
    {
        (ca.Faults.Took, ca.Faults.FailSigns) = (act.Fault is Fault.TokenTookIt ? Took.Effect : Took.NoEffect, act.Fault is Fault.TokenFails or Fault.TokenTookIt ? 1 : 0);
        try
        {
            using var leaves = new CancellationTokenSource();
            if (act.Fault is Fault.CallerLeaves)
            {
                leaves.CancelAfter(TimeSpan.FromMilliseconds(act.Reason.Length));
            }

            await Deeds(ca, act, known).WaitAsync(leaves.Token);
        }
        catch (OperationCanceledException)
        {
            // The caller is gone; what it asked for may still come to pass.
            return;
        }
        finally
        {
            ca.Faults.FailSigns = 0;
        }
    }

    private static async Task Deeds(CaFixture ca, Act act, Known known)
    {
        switch (act.Deed)
        {
            case Deed.Import:
                await Import(ca, act, new ImportRequest([Samples.Institution() with { Name = act.Reason }], [Samples.Practitioner() with { Name = act.Basis }]));
                break;
            case Deed.Rename:
                await Import(ca, act, new ImportRequest(Affiliations: [new AffiliationRow(known.Person, known.Institution, "multi-site", DateTimeOffset.UtcNow.AddDays(-act.Reason.Length))]));
                break;
            case Deed.EndAffiliation:
                await Import(ca, act, new ImportRequest(Affiliations:
                    [new AffiliationRow(known.Person, known.Institution, "main", known.From, DateTimeOffset.UtcNow.AddDays(act.Officer - 1))]));
                break;
            case Deed.State:
                using (var answer = await ca.State(act.Officer, known.Person, new StateRequest(act.State, act.Reason, act.Basis)))
                {
                    known.Wish = answer.StatusCode is HttpStatusCode.Accepted
                        ? JsonElement.Parse(await answer.Content.ReadAsStringAsync()).GetProperty("confirmation").GetGuid() : known.Wish;
                }

                break;
            case Deed.Confirm when known.Wish is { } wish:
                await ca.Confirm(act.Officer, known.Person, wish);
                break;
            case Deed.Hold or Deed.Resume or Deed.Revoke:
                using (await ca.Change(act.Officer, known.Certificate, act.Deed switch { Deed.Hold => "hold", Deed.Resume => "resume", _ => "revoke" },
                    act.Deed is Deed.Revoke && act.State.Length % 2 == 0 ? "keyCompromise" : act.Reason))
                {
                    break;
                }

            case Deed.Request:
                await Request(ca, act, known);
                break;
            case Deed.Approve when known.Request is { } request:
                using (var officer = ca.Officer(act.Officer))
                using (await officer.Post(
                    $"/certificate-requests/{request.Id}/approvals", await ca.Officers[act.Officer].Approval(request.Approval), CaJson.Default.ApprovalBody))
                {
                    break;
                }

            case Deed.Close when act.Person is 2:
                using (var officer = ca.Officer(act.Officer))
                using (await officer.Post($"/institutions/{known.Institution}/state", new StateRequest("closed", act.Reason, act.Basis), CaJson.Default.StateRequest))
                {
                    break;
                }

            default:
                break;
        }
    }

    private static async Task Import(CaFixture ca, Act act, ImportRequest rows)
    {
        using var client = ca.Officer(act.Officer);
        using var response = await client.Post("/registry/imports", rows, CaJson.Default.ImportRequest);
        if (response.IsSuccessStatusCode
            && JsonElement.Parse(await response.Content.ReadAsStringAsync()).TryGetProperty("proposal", out var proposal) && proposal.ValueKind is JsonValueKind.Object)
        {
            using (await ca.ConfirmImport(act.Person, proposal.GetProperty("id").GetGuid(), proposal.GetProperty("sha256").GetString()!))
            {
                return;
            }
        }
    }

    private static async Task Request(CaFixture ca, Act act, Known known)
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var body = await Samples.Request("practitioner-signature", known.Person, known.Name, key, known.Institution);
        using var client = ca.Officer(act.Officer);
        using var response = await client.Post(
            "/certificate-requests", body with { Carrier = new Carrier(act.Reason, act.Basis) }, CaJson.Default.CertificateRequestBody);
        if (response.IsSuccessStatusCode)
        {
            known.Request = JsonSerializer.Deserialize(await response.Content.ReadAsStringAsync(), CaJson.Default.CertificateRequestCreated);
        }
    }

    private sealed record Act(Deed Deed, int Officer, int Person, string Reason, string Basis, string State, Fault Fault);

    private sealed record Known(string Person, string Institution, string Name)
    {
        public DateTimeOffset From { get; } = DateTimeOffset.UtcNow.AddDays(-400);

        public required string Certificate { get; init; }

        public Guid? Wish { get; set; }

        public CertificateRequestCreated? Request { get; set; }
    }
}
