using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.Cli.Verify;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Evidence;

/// <summary>What may be asked of a ledger and by whom, what its answer covers, and what it leaves in the log.</summary>
[Collection(nameof(EvidenceMade))]
public sealed class EvidenceQuestionTests(EvidenceMade made)
{
    [Fact]
    public async Task That_the_log_holds_nothing_on_a_subject_is_proved_too()
    {
        var verdict = await made.Verified("/evidence/prescription/rx-never-heard-of");
        Assert.Empty(verdict.Events);
        Assert.True(verdict.HasNoEvent);
        Assert.Contains("NO EVENT: the ledger holds nothing under exactly this identifier", VerdictText.Write(verdict, english: true), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tree_of_the_past_answers_as_it_did_then_and_a_size_that_was_none_is_refused()
    {
        var past = made.Json()["events"]![1]!["index"]!.GetValue<long>();
        // The tree that ended right after the second event's group.
        var size = (await made.PublishedSizes()).First(s => s > past);
        var verdict = await made.Verified($"/evidence/prescription/rx-1?size={size}");
        Assert.Equal(size, verdict.TreeSize);
        Assert.True(verdict.Events.Count < 4 && verdict.Events.Count > 0);
        Assert.Equal("no-such-tree", await made.Problem($"/evidence/prescription/rx-1?size={size - 1}"));
        Assert.Equal("no-such-tree", await made.Problem("/evidence/prescription/rx-1?size=99999999"));
    }

    [Fact]
    public async Task A_period_shows_its_events_and_one_neighbour_on_each_side()
    {
        var all = EvidenceVerifier.Verify(made.File, made.Trusted).Events;
        var (from, to) = (all[1].Time, all[3].Time);
        var verdict = await made.Verified($"/evidence/prescription/rx-1?from={from:yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'}&to={to:yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'}");
        Assert.Equal(all.Where(e => e.Time >= from && e.Time < to).Select(e => e.Index), verdict.Events.Where(e => e.InPeriod).Select(e => e.Index));
        Assert.Equal([all[0].Index, all[3].Index], verdict.Events.Where(e => !e.InPeriod).Select(e => e.Index));
        Assert.Equal("malformed-question", await made.Problem("/evidence/prescription/rx-1?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"));
        Assert.Equal("malformed-identifier", await made.Problem("/evidence/patient/too-short"));
    }

    [Theory]
    [InlineData("from=2026-11-30")]
    [InlineData("from=11/12/2026")]
    [InlineData("from=2026-11-30T00:00:00")]
    [InlineData("from=2026-11-30T00:00Z")]
    [InlineData("from=2026-11-30 00:00:00Z")]
    [InlineData("from=2026-11-30T00:00:00%2B0800")]
    [InlineData("from=2026-11-30T00:00:00%2B08")]
    [InlineData("from=2026-11-30T24:00:00Z")]
    [InlineData("from=2026-02-30T00:00:00Z")]
    [InlineData("from=2026-11-30T00:00:00.Z")]
    [InlineData("from=2026-11-30T00:00:00.1234567Z")]
    [InlineData("from=1969-12-31T23:59:59Z")]
    [InlineData("from=")]
    [InlineData("to=now")]
    [InlineData("from=2026-01-01T00:00:00Z&from=2026-01-02T00:00:00Z")]
    [InlineData("size=0")]
    [InlineData("caseNumber=")]
    public async Task A_question_in_another_form_is_refused_and_names_the_member(string query)
    {
        var problem = await made.Refused("/evidence/prescription/rx-1?" + query);
        Assert.Equal("malformed-question", problem["title"]!.GetValue<string>());
        Assert.Equal(query.Split('=')[0], problem["member"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_time_with_any_offset_is_the_instant_it_names()
    {
        foreach (var (text, read) in new[] { ("2020-11-30T08:00:00%2B08:00", "2020-11-30T00:00:00.000000Z"), ("2020-11-30T00:00:00.5Z", "2020-11-30T00:00:00.500000Z"), ("2020-11-29T20:30:00-03:30", "2020-11-30T00:00:00.000000Z") })
        {
            var file = JsonNode.Parse(await made.Bytes("/evidence/prescription/rx-1?from=" + text, "510000"))!;
            Assert.Equal(read, file["question"]!["from"]!.GetValue<string>());
        }
    }

    [Theory]
    [InlineData("until")]
    [InlineData("From")]
    [InlineData("casenumber")]
    public async Task A_parameter_that_no_question_has_is_refused_by_name(string name)
    {
        var problem = await made.Refused($"/evidence/prescription/rx-1?{name}=2020-01-01T00:00:00Z");
        Assert.Equal(("unknown-parameter", name), (problem["title"]!.GetValue<string>(), problem["parameter"]!.GetValue<string>()));
    }

    [Theory]
    [InlineData("practitioner", "urn:mdid:p:01j9zzzzzzzzzzzzzzzzzzzzd1")]
    [InlineData("practitioner", "110510000000101")]
    [InlineData("practitioner", "urn:mdid:o:01JD000000000000000000000B")]
    [InlineData("institution", "no-urn-at-all")]
    [InlineData("institution", "urn:mdid:o:81JD000000000000000000000B")]
    [InlineData("prescription", "RX-1795994232")]
    [InlineData("prescription", "0193A5B0-7C1E-7B52-9F0E-3D1C2B4A5F60")]
    [InlineData("prescription", "0193a5b07c1e7b529f0e3d1c2b4a5f60")]
    [InlineData("certificate", "AA00000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("patient", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB")] // spare bits
    [InlineData("client", "anything")]
    public async Task No_absence_is_proved_of_what_cannot_stand_in_the_log(string kind, string identifier) =>
        Assert.Equal("malformed-identifier", await made.Problem($"/evidence/{kind}/{identifier}"));

    [Fact]
    public async Task An_entry_altered_in_the_database_is_named_and_no_evidence_is_made_of_it()
    {
        var index = (await made.Verified("/evidence/prescription/rx-9")).Events[0].Index;
        foreach (var place in (int[])[0, 40, 200, 300])
        {
            await Flip();
            var problem = await made.Refused("/evidence/prescription/rx-9");
            Assert.Equal(("entry-damaged", index), (problem["title"]!.GetValue<string>(), problem["index"]!.GetValue<long>()));
            await Flip();
            Task Flip() => made.Database.Owner.Sql("UPDATE entries SET leaf = set_byte(leaf, $1, get_byte(leaf, $1) # 1) WHERE idx = $2").With(place).With(index).Execute(default);
        }

        // Set right again it is evidence again, and so are the questions meanwhile.
        Assert.Equal(index, (await made.Verified("/evidence/prescription/rx-9")).Events[0].Index);
    }

    [Fact]
    public async Task Events_outside_the_regulators_region_are_counted_but_not_shown()
    {
        var verdict = await made.Verified("/evidence/prescription/rx-1", region: "510100");
        Assert.Empty(verdict.Events);
        Assert.True(verdict.Withheld.Count >= 4);
        var national = await made.Verified("/evidence/prescription/rx-1", region: "000000");
        Assert.Equal(4, national.Events.Count(e => e.Action.StartsWith("RX.", StringComparison.Ordinal)));
        Assert.Empty(national.Withheld);
        Assert.Empty((await made.Verified("/evidence/prescription/rx-1", region: "130000")).Events);
    }

    [Fact]
    public async Task More_than_one_file_holds_is_refused_by_name_and_leaves_an_event()
    {
        var db = made.Ledger.App.Services.GetRequiredService<NpgsqlDataSource>();
        Task<long> Refused() => db.Sql("SELECT count(*) FROM audit_outbox WHERE position('\"too-much-recorded\"' IN convert_from(body, 'UTF8')) > 0").Scalar<long>(default);
        var before = await Refused();
        Assert.Equal("too-much-recorded", await made.Problem("/evidence/prescription/rx-many"));
        Assert.Equal("too-much-recorded", await made.Problem("/evidence/prescription/rx-first"));
        Assert.Equal(2, await Refused() - before);
        Assert.Single((await made.Verified("/evidence/prescription/rx-last")).Events);
    }

    [Fact]
    public async Task Sealed_detail_is_opened_under_a_case_number_only()
    {
        var key = System.Buffers.Text.Base64Url.EncodeToString(made.Patient.Key);
        Assert.Null((await made.Verified($"/evidence/patient/{key}")).Events[0].Detail);
        Assert.Equal("姓名 张某", (await made.Verified($"/evidence/patient/{key}?caseNumber=CASE-2026-7")).Events[0].Detail);
        Assert.Equal("malformed-question", await made.Problem($"/evidence/patient/{key}?caseNumber=a b"));
    }

    [Fact]
    public async Task The_query_is_logged_before_the_answer_and_without_its_record_there_is_none()
    {
        var db = made.Ledger.App.Services.GetRequiredService<NpgsqlDataSource>();
        await made.Verified("/evidence/institution/urn:mdid:o:01JD0000000000000000000ASK");
        var asked = await made.Verified("/evidence/institution/urn:mdid:o:01JD0000000000000000000ASK");
        Assert.Equal("REG.query", Assert.Single(asked.Events).Action);

        // The relay is held back: the record cannot be confirmed, so nothing is answered.
        await using var connection = await db.OpenConnectionAsync();
        await using var tx = await connection.BeginTransactionAsync();
        await tx.Sql("LOCK TABLE audit_outbox IN ACCESS EXCLUSIVE MODE").Execute(default);
        using var client = made.Client("regulator", "510000");
        client.Timeout = TimeSpan.FromSeconds(3);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.GetAsync(SampleSubjects.Path("/evidence/prescription/rx-1")));
    }

    [Fact]
    public async Task Who_is_no_regulator_gets_nothing_and_leaves_an_event()
    {
        using var physician = made.Client("physician", "510000");
        Assert.Equal(HttpStatusCode.Forbidden, (await physician.GetAsync(SampleSubjects.Path("/evidence/prescription/rx-refused"))).StatusCode);
        using var nowhere = made.Client("regulator", null);
        Assert.Equal(HttpStatusCode.Forbidden, (await nowhere.GetAsync(SampleSubjects.Path("/evidence/prescription/rx-refused"))).StatusCode);
        using var stranger = new HttpClient(new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true } }) { BaseAddress = made.Ledger.Address };
        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.GetAsync(SampleSubjects.Path("/evidence/prescription/rx-refused"))).StatusCode);
        await Eventually.Holds(
            async () => (await made.Verified(SampleSubjects.Path("/evidence/prescription/rx-refused"))).Events.Count(e => e is { Action: "REG.query", Outcome: "refused" }) == 2,
            "both refusals are in the log");
    }
}
