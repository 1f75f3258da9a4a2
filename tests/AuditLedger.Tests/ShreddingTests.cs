using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.AuditLedger.Fsck;
using Trust.AuditLedger.Shredding;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

/// <summary>Destroying a subject's detail: by two people, never early, never under hold, and for good.</summary>
public sealed partial class ShreddingTests : IAsyncLifetime
{
    private static readonly TimeSpan BeyondRetention = TimeSpan.FromDays(220);

    private readonly ShiftedClock _clock = new();
    private readonly TokenOptions _token = Tokens.NewOptions("ledger");
    private readonly SubjectKey _anna = SubjectKey.Patient(RandomNumberGenerator.GetBytes(32));
    private readonly SubjectKey _bela = SubjectKey.Patient(RandomNumberGenerator.GetBytes(32));
    private readonly Dictionary<SubjectKey, BuiltEvent> _events = [];
    private LedgerFixture _fixture = null!;
    private TokenIssuer _issuer = null!;

    public async ValueTask InitializeAsync()
    {
        _issuer = await TokenIssuer.Start();
        _fixture = await LedgerFixture.Create();
        _fixture.Tokens = _issuer;
    }

    public async ValueTask DisposeAsync()
    {
        await _issuer.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task Detail_is_shredded_by_two_people_after_its_retention_and_survivors_stay_readable()
    {
        await using var ledger = await StartFilled();
        Assert.Equal("detail on anna", await Detail(ledger, _anna));
        var proof = await Proof(ledger, _anna);

        Assert.Equal("retention", await Problem(await Request(ledger, _anna, "officer-1")));
        _clock.Shift(BeyondRetention);
        var id = await Requested(ledger, _anna);
        Assert.Equal("same-person", await Problem(await Approve(ledger, id, "officer-1")));
        Assert.Equal(HttpStatusCode.Accepted, (await Approve(ledger, id, "officer-2")).StatusCode);
        await Destroyed(ledger, id);

        Assert.Null(await Detail(ledger, _anna));
        Assert.Equal("detail on bela", await Detail(ledger, _bela));
        Assert.Equal(proof, await Proof(ledger, _anna));
    }

    [Fact]
    public async Task A_backup_from_before_the_shredding_no_longer_opens()
    {
        await using var ledger = await StartFilled();
        var db = ledger.App.Services.GetRequiredService<NpgsqlDataSource>();
        var backup = await db.Sql("SELECT subject, master, wrapped FROM subject_keys").All(
            r => (r.GetFieldValue<byte[]>(0), r.GetInt32(1), r.GetFieldValue<byte[]>(2)), default);
        await Shred(ledger, _anna);

        foreach (var (subject, master, wrapped) in backup)
        {
            await db.Sql("INSERT INTO subject_keys (subject, master, wrapped) VALUES ($1, $2, $3) ON CONFLICT (subject) DO UPDATE SET master = $2, wrapped = $3")
                .With(subject).With(master).With(wrapped).Execute(default);
        }

        var restored = new SubjectKeyVault(db, ledger.App.Services.GetRequiredService<IToken>(), TimeProvider.System);
        foreach (var subject in new[] { _anna, _bela })
        {
            await Assert.ThrowsAnyAsync<Exception>(() => restored.DataKey(Index(subject), SHA256.HashData(_events[subject].Bytes), default));
        }
    }

    [Fact]
    public async Task A_legal_hold_refuses_the_shredding_until_it_is_released_and_each_step_is_an_event()
    {
        await using var ledger = await StartFilled();
        _clock.Shift(BeyondRetention);
        using var regulator = Client(ledger, "regulator-1", "audit.hold", "regulator");
        var hold = await regulator.PostAsync("/holds", Keyed(new { kind = "patient", subject = Text(_anna), caseNumber = "CASE-7" }));
        Assert.Equal(HttpStatusCode.Created, hold.StatusCode);
        Assert.Equal("legal-hold", await Problem(await Request(ledger, _anna, "officer-1")));

        var id = (await hold.Content.ReadFromJsonAsync<JsonObject>())!["id"]!.GetValue<string>();
        using var second = Client(ledger, "regulator-2", "audit.hold", "regulator");
        Assert.Equal(HttpStatusCode.Accepted, (await regulator.PostAsync($"/holds/{id}/release", Keyed(new { }))).StatusCode);
        // Asking twice is not two persons.
        Assert.Equal(HttpStatusCode.Accepted, (await regulator.PostAsync($"/holds/{id}/release", Keyed(new { }))).StatusCode);
        Assert.Equal("legal-hold", await Problem(await Request(ledger, _anna, "officer-1")));
        Assert.Equal(HttpStatusCode.NoContent, (await second.PostAsync($"/holds/{id}/release", Keyed(new { }))).StatusCode);
        Assert.Equal("no-open-hold", await Problem(await regulator.PostAsync($"/holds/{id}/release", Keyed(new { }))));
        await Shred(ledger, _anna, shifted: true);
        var written = await ledger.App.Services.GetRequiredService<NpgsqlDataSource>()
            .Sql("SELECT convert_from(body, 'UTF8') FROM audit_outbox ORDER BY id").All(r => JsonNode.Parse(r.GetString(0))!, default);
        Assert.Equal(
            ["LEDGER.hold", "KEY.destroy legal-hold", "LEDGER.release release-requested", "KEY.destroy legal-hold", "LEDGER.release released", "KEY.destroy shredding-requested", "KEY.destroy shredding-approved", "KEY.destroy shredded"],
            written.Select(e => $"{e["action"]} {e["reason"]}".Trim()).Where(a => a.StartsWith("LEDGER", StringComparison.Ordinal) || a.StartsWith("KEY.destroy", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_source_that_is_about_to_delete_is_told_which_of_its_subjects_an_open_hold_lies_on()
    {
        await using var ledger = await StartFilled();
        await Hold(ledger, "patient", Text(_anna));
        using var sign = _fixture.Client("sign", ledger.Address);
        Assert.Equal([HoldQuestion.Name(_anna)], await Held(sign, HoldQuestion.Name(_anna), HoldQuestion.Name(_bela)));
        Assert.Empty(await Held(sign));
        Assert.Equal(HttpStatusCode.BadRequest, (await sign.PostAsJsonAsync("/holds/held", new { subjects = new[] { "short" } })).StatusCode);
        using var officer = Client(ledger, "officer-1", "audit.hold", "regulator");
        Assert.Equal(HttpStatusCode.Unauthorized, (await officer.PostAsJsonAsync("/holds/held", new { subjects = Array.Empty<string>() })).StatusCode);

        static async Task<IEnumerable<string>> Held(HttpClient client, params string[] subjects)
        {
            using var answer = await client.PostAsJsonAsync("/holds/held", new { subjects });
            return (await answer.Content.ReadFromJsonAsync<JsonObject>())!["held"]!.AsArray().Select(h => h!.GetValue<string>()).ToList();
        }
    }

    [Fact]
    public async Task A_hold_on_any_subject_of_an_event_keeps_its_detail()
    {
        await using var ledger = await StartFilled();
        _clock.Shift(BeyondRetention);
        await Hold(ledger, "institution", SampleSubjects.Institution);
        Assert.Equal("legal-hold", await Problem(await Request(ledger, _anna, "officer-1")));
    }

    [Fact]
    public async Task A_hold_that_is_placed_after_the_approval_still_spares_the_subject()
    {
        var faults = new Once("shred-after-new-master");
        await using var ledger = await StartFilled(faults);
        await Detail(ledger, _anna);
        _clock.Shift(BeyondRetention);
        var id = await Requested(ledger, _anna);
        Assert.Equal(HttpStatusCode.Accepted, (await Approve(ledger, id, "officer-2")).StatusCode);
        await Eventually.Holds(() => faults.Hit, "the shredding has begun");
        await Hold(ledger, "patient", Text(_anna));
        ledger.App.Services.GetRequiredService<Shredder>().Wake();
        await Reaches(ledger, id, "refused");
        await Eventually.Holds(async () => await ledger.App.Services.GetRequiredService<IToken>().Find(SubjectKeyVault.Master(1), default) is null, "the old master is destroyed");
        Assert.Equal("detail on anna", await Detail(ledger, _anna));
        Assert.Equal("detail on bela", await Detail(ledger, _bela));
        var reasons = await ledger.App.Services.GetRequiredService<NpgsqlDataSource>()
            .Sql("SELECT convert_from(body, 'UTF8') FROM audit_outbox WHERE action = 'KEY.destroy' ORDER BY id").All(r => JsonNode.Parse(r.GetString(0))!, default);
        Assert.Equal(["shredding-requested success", "shredding-approved success", "legal-hold refused"], reasons.Select(e => $"{e["reason"]} {e["outcome"]}"));
        Assert.Empty((await ledger.Check()).Faults);
    }

    [Fact]
    public async Task A_hold_that_comes_when_the_key_is_gone_comes_too_late_and_the_shredding_says_so()
    {
        var faults = new Once("shred-before-destroy");
        await using var ledger = await StartFilled(faults);
        await Detail(ledger, _anna);
        _clock.Shift(BeyondRetention);
        var id = await Requested(ledger, _anna);
        Assert.Equal(HttpStatusCode.Accepted, (await Approve(ledger, id, "officer-2")).StatusCode);
        await Eventually.Holds(() => faults.Hit, "the key is gone");
        await Hold(ledger, "patient", Text(_anna));
        ledger.App.Services.GetRequiredService<Shredder>().Wake();
        await Reaches(ledger, id, "destroyed");
        Assert.Null(await Detail(ledger, _anna));
        Assert.Equal("detail on bela", await Detail(ledger, _bela));
    }

    [Fact]
    public async Task A_check_of_the_log_knows_what_was_shredded_from_what_is_damaged()
    {
        await using var ledger = await StartFilled();
        var db = ledger.App.Services.GetRequiredService<NpgsqlDataSource>();
        Assert.Empty((await ledger.Check()).Faults);
        await Shred(ledger, _anna);
        var report = await ledger.Check();
        Assert.Empty(report.Faults);
        Assert.Contains(report.Notes, n => n.StartsWith("1 data keys are of shredded subjects", StringComparison.Ordinal));

        await db.Sql("UPDATE data_keys SET key = set_bit(key, 500, 1 - get_bit(key, 500)) WHERE subject = $1").With(_bela.Key.ToArray()).Execute(default);
        Assert.Equal(("data-key", Index(_bela)), Single((await ledger.Check()).Faults));
        await db.Sql("DELETE FROM subject_keys WHERE subject = $1").With(_bela.Key.ToArray()).Execute(default);
        Assert.Equal(("data-key", Index(_bela)), Single((await ledger.Check()).Faults));

        static (string, long?) Single(IReadOnlyList<Fault> faults) => (Assert.Single(faults).Code, faults[0].Index);
    }

    [Theory]
    [InlineData("shred-after-new-master")]
    [InlineData("shred-before-destroy")]
    [InlineData("shred-after-destroy")]
    public async Task A_shredding_that_stops_half_way_is_finished_and_loses_no_survivor(string point)
    {
        var faults = new Once(point);
        await using var ledger = await StartFilled(faults);
        await Shred(ledger, _anna, wakeTwice: true);
        Assert.True(faults.Hit);
        Assert.Null(await Detail(ledger, _anna));
        Assert.Equal("detail on bela", await Detail(ledger, _bela));
        // And the next one changes the master again.
        await Shred(ledger, _bela, shifted: true);
        Assert.Null(await Detail(ledger, _bela));
        Assert.Null(await ledger.App.Services.GetRequiredService<IToken>().Find(SubjectKeyVault.Master(2), default));
    }

    [Fact]
    public async Task Only_the_named_roles_hold_or_shred()
    {
        await using var ledger = await StartFilled();
        using var physician = Client(ledger, "urn:mdid:p:1", "audit.shred audit.hold", "physician");
        Assert.Equal("not-a-records-officer", await Problem(await physician.PostAsync("/shreddings", Keyed(new { kind = "patient", subject = Text(_anna), reason = "x" }))));
        Assert.Equal("not-a-regulator", await Problem(await physician.PostAsync("/holds", Keyed(new { kind = "patient", subject = Text(_anna), caseNumber = "C" }))));
        using var unscoped = Client(ledger, "officer-1", "audit.read", "records-officer");
        Assert.Equal(HttpStatusCode.Forbidden, (await unscoped.PostAsync("/shreddings", Keyed(new { kind = "patient", subject = Text(_anna), reason = "x" }))).StatusCode);
        using var officer = Client(ledger, "officer-1", "audit.shred", "records-officer");
        Assert.Equal("malformed-identifier", await Problem(await officer.PostAsync("/shreddings", Keyed(new { kind = "patient", subject = "short", reason = "x" }))));
        Assert.Equal("malformed-shredding", await Problem(await officer.PostAsync("/shreddings", Keyed(new { kind = "patient", subject = Text(_anna), reason = "" }))));
    }

    private async Task<RunningLedger> StartFilled(LedgerFaults? faults = null)
    {
        var ledger = await _fixture.Start(_token, faults: faults, clock: _clock);
        await ledger.Leads();
        await Eventually.Holds(
            async () => await ledger.App.Services.GetRequiredService<NpgsqlDataSource>().Sql("SELECT count(*) FROM subject_masters").Scalar<long>(default) == 1, "the first master exists");
        var ca = await Producer("ca", ledger);
        await Post(ledger, "ca", ca.Next(TestProducer.Ceremony()), 1);
        var idp = await Producer("idp", ledger);
        foreach (var (subject, text) in new[] { (_anna, "detail on anna"), (_bela, "detail on bela") })
        {
            _events[subject] = EventBody.TryBuild(
                new AuditEvent
                {
                    Action = "REC.write", Actor = new Actor("urn:mdid:p:1"), Subjects = [SubjectKey.Institution(SampleSubjects.Institution), subject], Outcome = EventOutcome.Success,
                    Class = "ACCESS", Sealed = Encoding.UTF8.GetBytes(text),
                },
                new EventPlace("510000", "n"), DateTimeOffset.UtcNow, out _)!;
        }

        await Post(ledger, "idp", idp.Next(_events[_anna], _events[_bela]), 2);
        await Eventually.Holds(() => ledger.App.Services.GetRequiredService<OutboxState>().LedgerReached == true, "the ledger's own relay runs");
        return ledger;
    }

    private async Task<TestProducer> Producer(string source, RunningLedger ledger)
    {
        using var client = _fixture.Client(source, ledger.Address);
        await new LedgerLink(client, source).OpenEpoch(new string('0', 64), default);
        return _fixture.Producer(source);
    }

    private async Task Post(RunningLedger ledger, string source, byte[] frame, int count)
    {
        using var client = _fixture.Client(source, ledger.Address);
        Assert.IsType<PostOutcome.Accepted>(await new LedgerLink(client, source).Post(frame, count, default));
    }

    private long Index(SubjectKey subject) => _indices[subject];

    private readonly Dictionary<SubjectKey, long> _indices = [];

    private async Task<string?> Detail(RunningLedger ledger, SubjectKey subject)
    {
        var e = _events[subject];
        _indices[subject] = await ledger.App.Services.GetRequiredService<NpgsqlDataSource>()
            .Sql("SELECT idx FROM data_keys WHERE subject = $1").With(subject.Key.ToArray()).Scalar<long>(default);
        var key = await ledger.App.Services.GetRequiredService<SubjectKeyVault>().DataKey(_indices[subject], SHA256.HashData(e.Bytes), default);
        var text = JsonNode.Parse(e.Bytes)!["sealed"]!.GetValue<string>();
        return key is null ? null : Encoding.UTF8.GetString(EventBody.Open(text, key, e.Id));
    }

    private async Task<string> Proof(RunningLedger ledger, SubjectKey subject)
    {
        await Detail(ledger, subject);
        using var client = _fixture.Client("ca", ledger.Address);
        return await client.GetStringAsync($"/proofs/inclusion?index={_indices[subject]}&size={_indices[subject] + 1}");
    }

    private async Task Shred(RunningLedger ledger, SubjectKey subject, bool shifted = false, bool wakeTwice = false)
    {
        _indices[_anna] = _indices[_bela] = 0;
        await Detail(ledger, _anna);
        await Detail(ledger, _bela);
        if (!shifted)
        {
            _clock.Shift(BeyondRetention);
        }

        var id = await Requested(ledger, subject);
        Assert.Equal(HttpStatusCode.Accepted, (await Approve(ledger, id, "officer-2")).StatusCode);
        if (wakeTwice)
        {
            ledger.App.Services.GetRequiredService<Shredder>().Wake();
        }

        await Destroyed(ledger, id);
    }

    private async Task<HttpResponseMessage> Request(RunningLedger ledger, SubjectKey subject, string officer)
    {
        using var client = Client(ledger, officer, "audit.shred", "records-officer");
        return await client.PostAsync("/shreddings", Keyed(new { kind = "patient", subject = Text(subject), reason = "retention ended" }));
    }

    private async Task<string> Requested(RunningLedger ledger, SubjectKey subject)
    {
        var answer = await Request(ledger, subject, "officer-1");
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        return (await answer.Content.ReadFromJsonAsync<JsonObject>())!["id"]!.GetValue<string>();
    }

    private async Task<HttpResponseMessage> Approve(RunningLedger ledger, string id, string officer)
    {
        using var client = Client(ledger, officer, "audit.shred", "records-officer");
        return await client.PostAsync($"/shreddings/{id}/approve", Keyed(new { }));
    }

    [Fact]
    public async Task The_open_holds_are_listed_a_page_at_a_time_and_one_that_is_released_meanwhile_hides_no_other()
    {
        await using var ledger = await StartFilled();
        for (var i = 0; i < 5; i++)
        {
            await Hold(ledger, "prescription", SampleSubjects.Id("rx-" + i.ToString(CultureInfo.InvariantCulture)));
        }

        using var regulator = Client(ledger, "regulator-1", "audit.hold", "regulator");
        var all = (await regulator.GetFromJsonAsync<JsonArray>("/holds"))!.Select(h => h!["id"]!.GetValue<string>()).ToList();
        Assert.Equal(5, all.Count);

        var (first, next) = await HoldPage(regulator, "/holds?limit=2");
        Assert.Equal(all[..2], first);
        using var other = Client(ledger, "regulator-2", "audit.hold", "regulator");
        Assert.Equal(HttpStatusCode.Accepted, (await other.PostAsync($"/holds/{first[1]}/release", Keyed(new { }))).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await regulator.PostAsync($"/holds/{first[1]}/release", Keyed(new { }))).StatusCode);
        var (second, last) = await HoldPage(regulator, next!);
        Assert.Equal(all[2..4], second);
        var (third, none) = await HoldPage(regulator, last!);
        Assert.Equal(all[4..], third);
        Assert.Null(none);

        foreach (var malformed in new[] { "limit=0", "limit=1001", "after=x", "after=" + new string('A', 33), "after=" + new string('_', 32) })
        {
            Assert.Equal("malformed-page", await Problem(await regulator.GetAsync("/holds?" + malformed)));
        }
    }

    [Fact]
    public async Task A_regulator_of_another_region_neither_sees_nor_releases_a_hold()
    {
        await using var ledger = await StartFilled();
        await Hold(ledger, "prescription", SampleSubjects.Id("rx-1"));
        using var here = Client(ledger, "regulator-1", "audit.hold", "regulator");
        var id = Assert.Single((await here.GetFromJsonAsync<JsonArray>("/holds"))!)!["id"]!.GetValue<string>();
        using var there = _issuer.Client(ledger.Address, "regulator-beijing", "audit.hold", "regulator", "110000", _clock.GetUtcNow());
        Assert.Empty((await there.GetFromJsonAsync<JsonArray>("/holds"))!);
        Assert.Equal("not-own-hold", await Problem(await there.PostAsync($"/holds/{id}/release", Keyed(new { }))));
        Assert.Single((await here.GetFromJsonAsync<JsonArray>("/holds"))!);
    }

    private static async Task<(List<string> Ids, string? Next)> HoldPage(HttpClient client, string address)
    {
        using var answer = await client.GetAsync(address);
        var ids = (await answer.Content.ReadFromJsonAsync<JsonArray>())!.Select(h => h!["id"]!.GetValue<string>()).ToList();
        var link = answer.Headers.TryGetValues("Link", out var links) ? Assert.Single(links) : null;
        return (ids, link is null ? null : Regex.Match(link, "^<(?<next>/[^>]+)>; rel=\"next\"$", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1)).Groups["next"].Value);
    }

    private Task Destroyed(RunningLedger ledger, string id) => Reaches(ledger, id, "destroyed");

    private async Task Reaches(RunningLedger ledger, string id, string state)
    {
        using var client = Client(ledger, "officer-1", "audit.shred", "records-officer");
        await Eventually.Holds(async () => (await client.GetFromJsonAsync<JsonObject>($"/shreddings/{id}"))!["state"]!.GetValue<string>() == state, "the shredding is " + state);
    }

    private async Task Hold(RunningLedger ledger, string kind, string subject)
    {
        using var regulator = Client(ledger, "regulator-1", "audit.hold", "regulator");
        Assert.Equal(HttpStatusCode.Created, (await regulator.PostAsync("/holds", Keyed(new { kind, subject, caseNumber = "CASE-8" }))).StatusCode);
    }

    private HttpClient Client(RunningLedger ledger, string subject, string scope, string role) =>
        _issuer.Client(ledger.Address, subject, scope, role, "510000", _clock.GetUtcNow());

    private static JsonContent Keyed(object body)
    {
        var content = JsonContent.Create(body);
        content.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());
        return content;
    }

    private static string Text(SubjectKey subject) => System.Buffers.Text.Base64Url.EncodeToString(subject.Key);

    private static async Task<string> Problem(HttpResponseMessage answer) => (await answer.Content.ReadFromJsonAsync<JsonObject>())!["title"]!.GetValue<string>();

    private sealed class Once(string point) : LedgerFaults
    {
        private int _hit;

        public bool Hit => _hit > 0;

        public override void At(string reached)
        {
            if (string.Equals(reached, point, StringComparison.Ordinal) && Interlocked.Exchange(ref _hit, 1) == 0)
            {
                throw new InvalidOperationException("stopped at " + point);
            }
        }
    }
}
