using System.Net;
using System.Net.Http.Json;
using Trust.AuditLedger.Anchoring;
using Trust.Cli.Local;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Anchoring;

/// <summary>Outside authorities say when a checkpoint existed.</summary>
public sealed class AnchorTests : IAsyncLifetime
{
    private readonly TokenOptions _token = Tokens.NewOptions("ledger");
    private LedgerFixture _fixture = null!;
    private SampleTimeStamper _outside = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await LedgerFixture.Create();
        _outside = await SampleTimeStamper.Start();
        _fixture.MorePeers.Add((_outside.Name, _outside.Address));
        Configure();
    }

    public async ValueTask DisposeAsync()
    {
        await _outside.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task An_anchored_checkpoint_is_exported_with_a_token_that_openssl_verifies()
    {
        await using var ledger = await Started();
        using var client = _fixture.Client("ca", ledger.Address);
        var anchor = await Anchored(client);
        var checkpoint = Checkpoint.TryParse(SignedNote.TryRead(anchor.Note)!.Value.Text)!;
        Assert.Equal((checkpoint.Size, Convert.ToHexString(checkpoint.Root)), (anchor.Size, Convert.ToHexString(anchor.Root)));
        var (note, token) = (Path.Combine(_fixture.Directory, "note"), Path.Combine(_fixture.Directory, "token"));
        await File.WriteAllTextAsync(note, anchor.Note);
        await File.WriteAllBytesAsync(token, anchor.Stamps[0].Token);
        string[] verify = ["ts", "-verify", "-data", note, "-in", token, "-token_in", "-CAfile", _outside.RootFile];
        Assert.Equal(0, (await Command.Try("openssl", verify, default)).Code);
        await File.AppendAllTextAsync(note, " ");
        Assert.NotEqual(0, (await Command.Try("openssl", verify, default)).Code);
        Assert.Equal(anchor.Size, (await client.GetFromJsonAsync($"anchors/{anchor.Size}", AnchorJson.Default.AnchorAnswer))!.Size);
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync("anchors/1000000")).StatusCode);
    }

    [Fact]
    public async Task An_anchor_is_an_event_and_an_idle_log_is_not_anchored_for_its_own_anchors()
    {
        await using var ledger = await Started();
        using var client = _fixture.Client("ca", ledger.Address);
        var anchor = await Anchored(client);
        var before = 0L;
        await Eventually.Holds(async () => (before = await AnchorEvents()) > 0, "the anchor is told of");
        Assert.True(anchor.Size > 0);
        // Ten intervals on, the only growth was the anchors' own.
        await Eventually.Holds(async () => await Still(client), "no more anchors come");
    }

    [Fact]
    public async Task The_next_authority_is_asked_when_the_first_gives_nothing()
    {
        await using var second = await SampleTimeStamper.Start("tsa-two");
        _fixture.MorePeers.Add((second.Name, second.Address));
        Configure(second);
        _outside.Away = true;
        await using var ledger = await Started();
        using var client = _fixture.Client("ca", ledger.Address);
        Assert.Equal("tsa-two", (await Anchored(client)).Stamps[0].Authority);
    }

    [Theory]
    [InlineData("nonce")]
    [InlineData("imprint")]
    [InlineData("root")]
    [InlineData("clock")]
    public async Task A_token_that_does_not_verify_is_not_kept_and_the_budget_runs_out(string fault)
    {
        await using var stranger = await SampleTimeStamper.Start("stranger");
        _outside.OtherNonce = fault is "nonce";
        _outside.OtherImprint = fault is "imprint";
        _outside.ClockError = fault is "clock" ? TimeSpan.FromMinutes(-10) : TimeSpan.Zero;
        if (fault is "root")
        {
            File.Copy(stranger.RootFile, _outside.RootFile, overwrite: true);
        }

        await using var ledger = await Started();
        using var client = _fixture.Client("ca", ledger.Address);
        await Eventually.Holds(() => _outside.Stamped > 1, "it is asked again");
        await Eventually.Holds(async () => (await Ready(client)).Contains("not anchored since", StringComparison.Ordinal), "readiness tells");
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync("anchors/latest")).StatusCode);
        await Eventually.Holds(async () => (await _fixture.Alarms()).Exists(a => a.StartsWith("alarm:not-anchored since:", StringComparison.Ordinal)), "the alarm is an event");
    }

    [Fact]
    public async Task Where_configured_a_spent_budget_stops_intake_until_the_log_is_anchored_again()
    {
        Configure(stop: true);
        _outside.Away = true;
        await using var ledger = await Started();
        using var client = _fixture.Client("ca", ledger.Address);
        var link = new LedgerLink(client, "ca");
        await Eventually.Holds(
            async () => await link.Post([1], 1, default) is PostOutcome.Away(var why) && why.Contains("not-anchored", StringComparison.Ordinal), "intake stops");
        _outside.Away = false;
        await Eventually.Holds(
            async () => await link.Post([1], 1, default) is PostOutcome.Away(var why) && why.Contains("malformed-batch", StringComparison.Ordinal), "intake goes on");
    }

    [Fact]
    public async Task A_log_that_is_not_anchored_in_time_is_late_in_the_next_process_too()
    {
        var clock = new ShiftedClock();
        Configure(budget: "00:30:00");
        await using (var ledger = await Started(clock))
        {
            using var client = _fixture.Client("ca", ledger.Address);
            await Anchored(client);
            _outside.Away = true;
        }

        await using (var soon = await _fixture.Start(_token, clock: clock))
        {
            await soon.Leads();
            using var client = _fixture.Client("ca", soon.Address);
            // It grows by what is no anchor.
            var link = new LedgerLink(client, "ca");
            var head = (await link.OpenEpoch((await link.Head(default)).Hash, default))!;
            var producer = _fixture.Producer("ca");
            (producer.Epoch, producer.Head) = (head.OpenEpoch, Convert.FromHexString(head.Hash));
            Assert.IsType<PostOutcome.Accepted>(await link.Post(producer.Next(producer.Body()), 1, default));
            var asked = _outside.Asked;
            await Eventually.Holds(() => _outside.Asked > asked + 1, "an authority is asked in vain");
            Assert.DoesNotContain("not anchored since", await Ready(client), StringComparison.Ordinal);
        }

        clock.Shift(TimeSpan.FromHours(1));
        await using var again = await _fixture.Start(_token, clock: clock);
        await again.Leads();
        using var late = _fixture.Client("ca", again.Address);
        await Eventually.Holds(async () => (await Ready(late)).Contains("not anchored since", StringComparison.Ordinal), "readiness tells");
        await Eventually.Holds(async () => (await _fixture.AlarmsWaiting()).Exists(a => a.StartsWith("alarm:not-anchored since:", StringComparison.Ordinal)), "the alarm is an event");
    }

    [Fact]
    public async Task A_stamp_whose_authority_ends_soon_is_stamped_again_over_note_and_token()
    {
        await _outside.Certify(TimeSpan.FromDays(10));
        await using (var ledger = await Started())
        {
            using var client = _fixture.Client("ca", ledger.Address);
            await Anchored(client);
        }

        await _outside.Certify(TimeSpan.FromDays(300));
        await using var again = await _fixture.Start(_token);
        await again.Leads();
        using var after = _fixture.Client("ca", again.Address);
        AnchorAnswer anchor = null!;
        await Eventually.Holds(async () => (anchor = (await after.GetFromJsonAsync("anchors/1", AnchorJson.Default.AnchorAnswer))!).Stamps.Count == 2, "it is renewed");
        var (data, token) = (Path.Combine(_fixture.Directory, "data"), Path.Combine(_fixture.Directory, "token"));
        await File.WriteAllBytesAsync(data, [.. System.Text.Encoding.UTF8.GetBytes(anchor.Note), .. anchor.Stamps[0].Token]);
        await File.WriteAllBytesAsync(token, anchor.Stamps[1].Token);
        Assert.Equal(0, (await Command.Try("openssl", ["ts", "-verify", "-data", data, "-in", token, "-token_in", "-CAfile", _outside.RootFile], default)).Code);
        Assert.True(anchor.Stamps[1].Ends > anchor.Stamps[0].Ends);
    }

    private void Configure(SampleTimeStamper? second = null, bool stop = false, string budget = "00:00:02")
    {
        object[] authorities = second is null ? [_outside.Options()] : [_outside.Options(), second.Options()];
        _fixture.Anchoring = new { Authorities = authorities, Interval = "00:00:00.100", Budget = budget, StopIntake = stop };
    }

    private async Task<RunningLedger> Started(TimeProvider? clock = null)
    {
        var ledger = await _fixture.Start(_token, clock: clock);
        await ledger.Leads();
        using var client = _fixture.Client("ca", ledger.Address);
        var link = new LedgerLink(client, "ca");
        await link.OpenEpoch(new string('0', 64), default);
        Assert.IsType<PostOutcome.Accepted>(await link.Post(_fixture.Producer("ca").Next(TestProducer.Ceremony()), 1, default));
        return ledger;
    }

    private async Task<AnchorAnswer> Anchored(HttpClient client)
    {
        AnchorAnswer? anchor = null;
        await Eventually.Holds(
            async () =>
            {
                using var answer = await client.GetAsync("anchors/latest");
                anchor = answer.IsSuccessStatusCode ? await answer.Content.ReadFromJsonAsync(AnchorJson.Default.AnchorAnswer) : null;
                return anchor is { Size: > 0 };
            },
            "the log is anchored");
        return anchor!;
    }

    private Task<long> AnchorEvents() => _fixture.Database.Runtime
        .Sql("SELECT count(*) FROM entries WHERE position('\"action\":\"LEDGER.anchor\"'::bytea in leaf) > 0").Scalar<long>(default);

    private async Task<bool> Still(HttpClient client)
    {
        var first = (await client.GetFromJsonAsync("anchors/latest", AnchorJson.Default.AnchorAnswer))!.Size;
        var stamped = _outside.Stamped;
        // That nothing comes can only be watched for: ten intervals.
        await Task.Delay(TimeSpan.FromSeconds(1));
        return stamped == _outside.Stamped && first == (await client.GetFromJsonAsync("anchors/latest", AnchorJson.Default.AnchorAnswer))!.Size;
    }

    private static async Task<string> Ready(HttpClient client)
    {
        using var answer = await client.GetAsync("health/ready");
        return await answer.Content.ReadAsStringAsync();
    }
}
