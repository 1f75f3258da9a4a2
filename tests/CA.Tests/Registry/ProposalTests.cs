using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Trust.CA.Registry;
using Trust.CA.Tests.Claims;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.CA.Tests.Registry;

/// <summary>Rights are given by two officers and taken by one.</summary>
public sealed class ProposalTests(CaFixture ca)
{
    [Fact]
    public async Task One_officers_widening_import_gives_nothing_until_a_second_confirms_it()
    {
        var institution = Samples.Institution();
        var nurse = Samples.Practitioner("nurse");
        var from = DateTimeOffset.UtcNow.AddDays(-10);
        var first = await ca.Import(new ImportRequest([institution], [nurse], [new("nurse:" + nurse.LicenceNumber, institution.CreditCode, "main", from)]));
        var (place, person) = (first[0].Urn, first[1].Urn);
        var physician = nurse with { Role = "physician", LicenceNumber = Samples.Practitioner().LicenceNumber };

        var proposed = await ca.Propose(new ImportRequest(
            Practitioners: [physician], Filings: [new("physician:" + physician.LicenceNumber, institution.CreditCode, "BA-1", from)]));

        Assert.All(proposed.Results, r => Assert.Equal(("proposed", person), (r.Result, r.Urn)));
        Assert.Equal("not-in-role", await Reason(person, place));
        using var own = await ca.ConfirmImport(0, proposed.Proposal!.Id, proposed.Proposal.Sha256);
        using var other = await ca.ConfirmImport(1, proposed.Proposal.Id, new string('0', 64));
        Assert.Equal((HttpStatusCode.Forbidden, "own-request"), (own.StatusCode, await own.Problem()));
        Assert.Equal("import-mismatch", await other.Problem());
        Assert.Equal("not-in-role", await Reason(person, place));
        using var confirmed = await ca.ConfirmImport(1, proposed.Proposal.Id, proposed.Proposal.Sha256);
        Assert.Equal(HttpStatusCode.OK, confirmed.StatusCode);
        Assert.Equal("permitted", await Reason(person, place));
    }

    [Theory]
    [InlineData("role")]
    [InlineData("licence")]
    [InlineData("scope")]
    [InlineData("category")]
    [InlineData("region")]
    [InlineData("qualification")]
    [InlineData("name and licence")]
    public async Task Whatever_a_right_can_depend_on_waits(string member)
    {
        var row = Samples.Practitioner("nurse");
        await ca.Import(new ImportRequest(Practitioners: [row]));
        var changed = member switch
        {
            "role" => row with { Role = "pharmacist" },
            "licence" => row with { LicenceNumber = "N-" + row.LicenceNumber },
            "scope" => row with { Scope = ["内科", "外科"] },
            "category" => row with { Category = "public-health" },
            "region" => row with { Region = "510100" },
            "qualification" => row with { QualificationNumber = "200651110" + row.IdentityNumber },
            _ => row with { Name = "别人", LicenceNumber = "N-" + row.LicenceNumber },
        };

        var answer = await ca.Propose(new ImportRequest(Practitioners: [changed]));

        Assert.Equal("proposed", answer.Results.Single().Result);
        Assert.NotNull(answer.Proposal);
        Assert.Equal("unchanged", (await ca.Propose(new ImportRequest(Practitioners: [row]))).Results.Single().Result);
    }

    [Fact]
    public async Task What_narrows_or_only_corrects_applies_at_once_beside_rows_that_wait()
    {
        var doctor = Samples.Practitioner() with { Scope = ["内科", "儿科"] };
        var hospital = Samples.Institution();
        var reference = "physician:" + doctor.LicenceNumber;
        var from = DateTimeOffset.UtcNow.AddDays(-30);
        var first = await ca.Import(new ImportRequest([hospital], [doctor], [new(reference, hospital.CreditCode, "main", from)], [new(reference, hospital.CreditCode, "BA-1", from)]));
        var stranger = Samples.Practitioner();

        var answer = await ca.Propose(new ImportRequest(
            [hospital with { Name = "更名医院" }], [doctor with { Name = "更正名", Scope = ["内科"] }, stranger],
            [new("physician:" + stranger.LicenceNumber, hospital.CreditCode, "main", from)],
            [new(reference, hospital.CreditCode, "BA-1", from, DateTimeOffset.UtcNow)]));

        Assert.Equal(["updated", "updated", "proposed", "proposed", "updated"], answer.Results.Select(r => r.Result));
        Assert.Equal(2, answer.Proposal!.Rows);
        Assert.Equal("no-filing", await Reason(first[1].Urn, first[0].Urn));
        var narrowed = (await ca.Events("ID.suspend", SubjectKey.Practitioner(first[1].Urn!))).Select(e => e.GetProperty("reason").GetString());
        Assert.Equal(["practitioner-narrowed", "filing-narrowed"], narrowed);
    }

    [Fact]
    public async Task The_second_officer_sees_every_row_before_and_after_and_no_identity_number()
    {
        var row = Samples.Practitioner();
        await ca.Import(new ImportRequest(Practitioners: [row]));
        var proposed = await ca.Propose(new ImportRequest(Practitioners: [row with { Scope = ["内科", "儿科"] }, Samples.Practitioner()]));

        using var client = ca.Officer(1);
        var text = await client.GetStringAsync($"/registry/imports/{proposed.Proposal!.Id}");
        var shown = JsonSerializer.Deserialize(text, CaJson.Default.ProposalView)!;

        Assert.Equal((proposed.Proposal.Sha256, "proposed", 2), (shown.Proposal.Sha256, shown.Proposal.State, shown.Rows.Count));
        Assert.Equal(["内科"], shown.Rows[0].Before.Practitioner!.Scope);
        Assert.Equal(["内科", "儿科"], shown.Rows[0].After.Practitioner!.Scope);
        Assert.Equal(row.IdentityNumber[^4..], shown.Rows[0].After.Practitioner!.IdentityLast4);
        Assert.Null(shown.Rows[1].Before.Practitioner);
        Assert.DoesNotContain(row.IdentityNumber, text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Proposal_and_import_are_events_that_name_both_officers_and_the_rows_by_their_hash()
    {
        var row = Samples.Practitioner();
        var urn = (await ca.Import(new ImportRequest(Practitioners: [row]))).Single().Urn!;
        var proposed = (await ca.Propose(new ImportRequest(Practitioners: [row with { Scope = ["内科", "儿科"] }]))).Proposal!;
        using var confirmed = await ca.ConfirmImport(2, proposed.Id, proposed.Sha256);
        var basis = "import:sha256:" + proposed.Sha256;

        var asked = Assert.Single(await ca.Events("ID.file", SubjectKey.Practitioner(urn)));
        var done = (await ca.Events("ID.enrol", SubjectKey.Practitioner(urn)))[^1];

        Assert.Equal(("import-proposed", basis), (asked.GetProperty("reason").GetString(), asked.GetProperty("basis").GetString()));
        Assert.Equal(("updated", basis), (done.GetProperty("reason").GetString(), done.GetProperty("basis").GetString()));
        Assert.Equal(asked.GetProperty("actor").GetProperty("subject").GetString(), done.GetProperty("onBehalfOf").GetString());
        Assert.NotEqual(done.GetProperty("actor").GetProperty("subject").GetString(), done.GetProperty("onBehalfOf").GetString());
        Assert.Equal(proposed.Id.ToString(), done.GetProperty("correlation").GetString());
    }

    [Fact]
    public async Task A_row_whose_subject_changed_meanwhile_is_refused_and_the_others_go_on()
    {
        var (one, two) = (Samples.Practitioner(), Samples.Practitioner());
        var urns = (await ca.Import(new ImportRequest(Practitioners: [one, two]))).Select(r => r.Urn!).ToList();
        var proposed = (await ca.Propose(new ImportRequest(Practitioners: [one with { Scope = ["内科", "儿科"] }, two with { Scope = ["内科", "儿科"] }]))).Proposal!;
        await ca.Changed(2, urns[0], "suspended");

        using var response = await ca.ConfirmImport(1, proposed.Id, proposed.Sha256);
        var results = (await response.Content.ReadFromJsonAsync(CaJson.Default.ImportResponse))!.Results;

        Assert.Equal(["changed-since-proposed", "updated"], results.Select(r => r.Rule ?? r.Result));
    }

    [Fact]
    public async Task A_repeated_import_or_confirmation_is_the_first_one()
    {
        var rows = new ImportRequest([Samples.Institution()]);
        var first = (await ca.Propose(rows)).Proposal!;
        var again = (await ca.Propose(rows)).Proposal!;
        using var confirmed = await ca.ConfirmImport(1, first.Id, first.Sha256);
        using var repeated = await ca.ConfirmImport(1, first.Id, first.Sha256);
        using var third = await ca.ConfirmImport(2, first.Id, first.Sha256);

        Assert.Equal(first, again);
        Assert.Equal(await confirmed.Content.ReadAsStringAsync(), await repeated.Content.ReadAsStringAsync());
        Assert.Equal("import-closed", await third.Problem());
        Assert.Equal("unchanged", (await ca.Propose(rows)).Results.Single().Result);
    }

    [Fact]
    public async Task A_withdrawn_or_expired_import_gives_nothing_any_more()
    {
        var withdrawn = (await ca.Propose(new ImportRequest([Samples.Institution()]))).Proposal!;
        var expired = (await ca.Propose(new ImportRequest([Samples.Institution()]))).Proposal!;
        using var client = ca.Officer(1);
        using var end = await client.PostBytes($"/registry/imports/{withdrawn.Id}/withdrawals", [], "application/json");
        await ca.Database.Owner.Sql("UPDATE import_proposals SET expires_at = now() - interval '1 second' WHERE id = $1").With(expired.Id).Execute(default);

        using var afterEnd = await ca.ConfirmImport(1, withdrawn.Id, withdrawn.Sha256);
        using var afterExpiry = await ca.ConfirmImport(1, expired.Id, expired.Sha256);

        Assert.Equal(HttpStatusCode.OK, end.StatusCode);
        Assert.Equal("import-closed", await afterEnd.Problem());
        Assert.Equal("import-closed", await afterExpiry.Problem());
        await Eventually.Holds(async () => (await List("expired")).Any(p => p.Id == expired.Id), "the loop closes it");
    }

    [Fact]
    public async Task The_proposal_of_an_officer_whose_card_is_gone_counts_for_nothing()
    {
        await using var own = await CaFixture.Own();
        var proposed = (await own.Propose(new ImportRequest([Samples.Institution()]), officer: 2)).Proposal!;
        using var revoked = await own.Change(0, Certificate.Parse(own.Officers[2].Login.RawData).Sha256Hex, "revoke", "keyCompromise");

        using var refused = await own.ConfirmImport(1, proposed.Id, proposed.Sha256);

        Assert.Equal("proposer-left", await refused.Problem());
    }

    [Fact]
    public async Task Imports_are_listed_by_state_and_page()
    {
        var ids = new List<Guid>();
        for (var i = 0; i < 3; i++)
        {
            ids.Add((await ca.Propose(new ImportRequest([Samples.Institution()]))).Proposal!.Id);
        }

        var seen = new List<Guid>();
        using var client = ca.Officer(1);
        for (var next = "/registry/imports?state=proposed&limit=1"; next is not null;)
        {
            using var page = await client.GetAsync(next);
            var rows = (await page.Content.ReadFromJsonAsync(CaJson.Default.IReadOnlyListProposalSummary))!;
            seen.AddRange(rows.Select(r => r.Id));
            next = page.Headers.TryGetValues("Link", out var links) ? links.Single().Split('>')[0][1..] : null;
        }

        Assert.Equal(ids, seen.Where(ids.Contains));
        using var malformed = await client.GetAsync("/registry/imports?state=some");
        using var unknown = await client.GetAsync($"/registry/imports/{Guid.NewGuid()}");
        Assert.Equal("malformed-state", await malformed.Problem());
        Assert.Equal("unknown-import", await unknown.Problem());
    }

    private async Task<IReadOnlyList<ProposalSummary>> List(string state)
    {
        using var client = ca.Officer(0);
        return (await client.GetFromJsonAsync($"/registry/imports?limit=1000&state={state}", CaJson.Default.IReadOnlyListProposalSummary))!;
    }

    private async Task<string?> Reason(string? person, string? institution) =>
        (await ca.Entitlement($"person={person}&institution={institution}&act=prescribe")).GetProperty("reason").GetString();

    // CQ-33: what is sensitive of Chongqing's stays there. Its institutions are public, its doctors' documents are not.
    [Fact]
    public async Task A_doctor_of_a_region_whose_data_are_stored_elsewhere_is_refused_by_the_row()
    {
        var answer = await ca.Propose(new ImportRequest(Practitioners: [Samples.Practitioner("nurse") with { Region = "500103" }, Samples.Practitioner("nurse") with { Region = "199999" }]));
        Assert.Equal(["region-stored-elsewhere", "region"], answer.Results.Select(r => r.Rule));
    }
}
