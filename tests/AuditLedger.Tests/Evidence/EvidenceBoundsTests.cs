using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Trust.AuditLedger.Evidence;
using Trust.AuditLedger.Tests.Index;
using Trust.AuditLedger.Tests.Witnessing;
using Trust.AuditLedger.Watching;
using Trust.Cli.Local;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Evidence;

/// <summary>No file is given out that its verifiers refuse, and none is too large to be made.</summary>
public sealed class EvidenceBoundsTests : IAsyncLifetime
{
    private LedgerFixture _fixture = null!;
    private TokenIssuer _issuer = null!;
    private ScriptedWitness _witness = null!;
    private WebApplication _sign = null!;
    private Uri _signAddress = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await LedgerFixture.Create();
        _fixture.Tokens = _issuer = await TokenIssuer.Start();
        _witness = await ScriptedWitness.Start("w1");
        _fixture.AddWitness(_witness.Name, _witness.Address, _witness.Key);
        _fixture.Quorum = 1;
        _fixture.Evidence = new { MaxBytes = 65_536, AtOnce = 1 };
        _signAddress = new Uri($"http://127.0.0.1:{PostgresCluster.FreePort()}");
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls(_signAddress.ToString());
        _sign = builder.Build();
        _sign.MapGet("/prescriptions/{id}/evidence", (string id) => id == SampleSubjects.Id("rx-huge") ? Results.Text($"{{\"a\":\"{new string('x', 9 << 20)}\"}}", "application/json") : Results.NotFound());
        await _sign.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _sign.DisposeAsync();
        await _witness.DisposeAsync();
        await _issuer.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task More_bytes_than_a_file_may_have_are_refused_and_nothing_is_logged_as_given_out()
    {
        await using var ledger = await Start();
        await Fill(ledger, "rx-many", 150);
        var (status, problem) = await Ask(ledger, "rx-many");
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, status);
        Assert.Equal(65_536, problem["bytes"]!.GetValue<long>());
        var said = await Queries();
        Assert.Contains(said, body => body.Contains("\"outcome\":\"refused\"", StringComparison.Ordinal) && body.Contains("too-much-recorded", StringComparison.Ordinal));
        Assert.DoesNotContain(said, body => body.Contains("\"outcome\":\"success\"", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.OK, (await Ask(ledger, "rx-few")).Status);
    }

    [Fact]
    public async Task No_file_is_given_out_without_the_quorum_it_names_also_where_checkpoints_are_shown_without()
    {
        _fixture.FailOpen = true;
        await using var ledger = await Start();
        _witness.Instead = () => Results.StatusCode(503);
        await Fill(ledger, "rx-few", 3);
        using var client = _fixture.Client("ca", ledger.Address);
        await Eventually.Holds(
            async () => Checkpoint.TryParse(SignedNote.TryRead(await client.GetStringAsync("checkpoint"))!.Value.Text)!.Size > 4, "the checkpoint is shown without a quorum");
        Assert.Equal("urn:trust:problem:ledger:witnesses-away", (await Ask(ledger, "rx-few")).Problem["type"]!.GetValue<string>());
        _witness.Instead = null;
        Assert.Equal(HttpStatusCode.OK, (await Ask(ledger, "rx-few")).Status);
    }

    [Fact]
    public async Task As_many_files_are_made_at_once_as_may_be_and_others_are_told_when_to_come_back()
    {
        await using var ledger = await Start();
        using (ledger.App.Services.GetRequiredService<EvidenceDesk>().TryEnter())
        {
            using var client = _issuer.Client(ledger.Address, "urn:mdid:p:regulator", "audit.read", "regulator", "510000");
            using var answer = await client.GetAsync("evidence/prescription/" + SampleSubjects.Id("rx-few"));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
            Assert.NotNull(answer.Headers.RetryAfter);
            Assert.Contains("evidence-busy", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        Assert.Equal(HttpStatusCode.OK, (await Ask(ledger, "rx-few")).Status);
    }

    [Fact]
    public async Task What_the_signing_service_answers_is_bounded()
    {
        await using var ledger = await Start();
        await Fill(ledger, "rx-huge", 1);
        Assert.Equal("urn:trust:problem:ledger:signatures-unavailable", (await Ask(ledger, "rx-huge")).Problem["type"]!.GetValue<string>());
    }

    [Fact]
    public void More_keys_of_a_source_than_a_file_may_name_stop_the_start()
    {
        static bool Valid(int earlier)
        {
            var options = new SourceOptions { Name = "ca", BatchKeyFile = "k", EarlierBatchKeyFiles = [.. Enumerable.Repeat("k", earlier)] };
            return Validator.TryValidateObject(options, new ValidationContext(options), null, validateAllProperties: true);
        }

        Assert.True(Valid(63));
        Assert.False(Valid(64));
    }

    // A regulator of elsewhere than where most happens: its answers must not reach to the begin of the log for want of an event it may see.
    [Fact]
    public async Task Where_nothing_near_may_be_shown_the_ledgers_own_marks_bound_the_range()
    {
        await using var log = await DirectLog.Create(1 << 20);
        for (var group = 0; group < 5; group++)
        {
            await log.Append([.. Enumerable.Repeat(Array.Empty<byte>(), 8_000)]);
        }

        await log.Database.Owner.Sql("INSERT INTO marks (idx) VALUES (9000), (39000)").Execute(default);
        var marks = await log.Database.Runtime.Sql("SELECT leaf FROM entries WHERE idx IN (9000, 39000)").All(r => Convert.ToHexString(r.GetFieldValue<byte[]>(0)), default);
        var store = new EvidenceStore(log.Database.Runtime);
        bool MayBeShown(byte[] leaf) => marks.Contains(Convert.ToHexString(leaf));
        Assert.Equal(9000, (await store.LastBefore(30_000, MayBeShown, default))!.Value.Index);
        Assert.Equal(39_000, (await store.FirstFrom(10_000, 40_000, MayBeShown, default))!.Value.Index);
        Assert.Null(await store.FirstFrom(10_000, 38_000, MayBeShown, default));
        Assert.Null(await store.LastBefore(8_999, MayBeShown, default));
    }

    [Fact]
    public async Task A_check_of_the_log_is_a_mark()
    {
        await using var ledger = await Start();
        await ledger.App.Services.GetRequiredService<Scrub>().CheckLog(default);
        await Eventually.Holds(async () => await _fixture.Database.Runtime.Sql("SELECT count(*) FROM marks").Scalar<long>(default) == 1, "the check is logged as a mark");
    }

    private async Task<RunningLedger> Start()
    {
        var ledger = await _fixture.Start(Tokens.NewOptions("ledger"), sign: _signAddress);
        await ledger.Leads();
        using var client = _fixture.Client("ca", ledger.Address);
        var link = new LedgerLink(client, "ca");
        await link.OpenEpoch(new string('0', 64), default);
        Assert.IsType<PostOutcome.Accepted>(await link.Post(_fixture.Producer("ca").Next(TestProducer.Ceremony()), 1, default));
        await Eventually.Holds(() => ledger.App.Services.GetRequiredService<OutboxState>().LedgerReached == true, "the ledger's own relay runs");
        return ledger;
    }

    private async Task Fill(RunningLedger ledger, string subject, int count)
    {
        using var client = _fixture.Client("sign", ledger.Address);
        var link = new LedgerLink(client, "sign");
        var producer = _fixture.Producer("sign");
        await link.OpenEpoch(new string('0', 64), default);
        Assert.IsType<PostOutcome.Accepted>(await link.Post(producer.Next([.. Enumerable.Range(0, count).Select(_ => producer.Body(subject))]), count, default));
    }

    private async Task<(HttpStatusCode Status, JsonNode Problem)> Ask(RunningLedger ledger, string subject)
    {
        using var client = _issuer.Client(ledger.Address, "urn:mdid:p:regulator", "audit.read", "regulator", "510000");
        using var answer = await client.GetAsync("evidence/prescription/" + SampleSubjects.Id(subject));
        return (answer.StatusCode, JsonNode.Parse(await answer.Content.ReadAsStringAsync())!);
    }

    private Task<List<string>> Queries() => _fixture.Database.Runtime
        .Sql("SELECT convert_from(body, 'UTF8') FROM audit_outbox WHERE action = 'REG.query'").All(r => r.GetString(0), default);
}
