using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Trust.AuditLedger.Witnessing;
using Trust.Kernel.Audit;
using Trust.LogFormat;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Witnessing;

/// <summary>The ledger brings its checkpoints to witnesses and shows what a quorum has cosigned.</summary>
public sealed class CosignatureTests : IAsyncLifetime
{
    private readonly TokenOptions _token = Tokens.NewOptions("ledger");
    private readonly List<ScriptedWitness> _witnesses = [];
    private LedgerFixture _fixture = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await LedgerFixture.Create();
        foreach (var name in new[] { "wit-a", "wit-b", "wit-c" })
        {
            var witness = await ScriptedWitness.Start(name);
            _witnesses.Add(witness);
            _fixture.AddWitness(name, witness.Address, witness.Key);
        }

        _fixture.Quorum = 2;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var witness in _witnesses)
        {
            await witness.DisposeAsync();
        }

        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task The_checkpoint_shown_carries_a_quorum_of_verified_cosignatures_and_survives_a_restart()
    {
        string before;
        await using (var run = await Run.Start(this))
        {
            await run.Fill(5);
            var head = await run.Rounds.RequestRound(8, Soon);
            Assert.NotNull(SignedNote.TryOpen(head.Note, [.. _witnesses.Select(w => w.Key)], 2));
            Assert.NotNull(SignedNote.TryOpen(head.Note, run.LogKeys, run.LogKeys.Count));
            await Eventually.Holds(async () => _witnesses.TrueForAll(w => w.Size == 8) && SignedNote.TryOpen(await run.Client.GetStringAsync("checkpoint"), Keys, 3) is not null, "all three cosign");
            before = await run.Client.GetStringAsync("checkpoint");
        }

        // They say where they stand, and cosign nothing.
        _witnesses.ForEach(w => w.Instead = () => Results.Text("8\n", "text/x.tlog.size", statusCode: 409));
        await using var again = await Run.Start(this);
        // What was kept is read in the first round; until then nothing is shown, and never anything else.
        await Eventually.Holds(async () => await Shown(again.Client) is { } shown && (shown == before ? true : throw new Xunit.Sdk.XunitException(shown)), "the kept checkpoint is shown");
    }

    private static async Task<string?> Shown(HttpClient client)
    {
        using var answer = await client.GetAsync("checkpoint");
        return answer.StatusCode == HttpStatusCode.ServiceUnavailable ? null : await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync();
    }

    [Fact]
    public async Task A_key_of_a_witness_that_cannot_be_read_ends_the_process_and_says_which_file()
    {
        await File.WriteAllTextAsync(_fixture.Witnesses[1].VKeyFile, "no key\n");
        await using var ledger = await _fixture.Start(_token);
        var end = ledger.App.Services.GetRequiredService<Kernel.Hosting.ProcessEnd>();
        await Eventually.Holds(() => end.Code == 1, "the process is to end");
        await Eventually.Holds(() => ledger.App.Lifetime.ApplicationStopping.IsCancellationRequested, "it stops");
    }

    [Fact]
    public async Task A_lost_witness_and_a_slow_one_stop_neither_intake_nor_the_others()
    {
        _witnesses[0].Instead = () => Results.StatusCode(500);
        await using var run = await Run.Start(this);
        await run.Fill(3);
        Assert.Equal(6, (await run.Rounds.RequestRound(6, Soon)).Checkpoint.Size);
        (_witnesses[0].Instead, _witnesses[1].Hangs) = (null, true);
        await run.Fill(3);
        Assert.Equal(10, (await run.Rounds.RequestRound(10, Soon)).Checkpoint.Size);
    }

    [Fact]
    public async Task Without_a_quorum_intake_goes_on_and_the_checkpoint_stays_at_the_last_that_had_one()
    {
        await using var run = await Run.Start(this);
        await run.Fill(3);
        await run.Rounds.RequestRound(6, Soon);
        _witnesses.ForEach(w => w.Instead = () => Results.StatusCode(503));
        await run.Fill(4);
        Assert.Equal(6, Size(await run.Client.GetStringAsync("checkpoint")));
        Assert.Equal(5, run.Rounds.Lag);
        await Eventually.Holds(async () => await Ready(run) is (HttpStatusCode.ServiceUnavailable, var detail) && detail.Contains("no quorum of 2", StringComparison.Ordinal), "readiness tells");
        await Eventually.Holds(async () => (await _fixture.Alarms()).Count > 0, "the alarm is an event");
        Assert.StartsWith("alarm:witness-lag quorum:2 entries:", Assert.Single(await _fixture.Alarms()), StringComparison.Ordinal);
        _witnesses.ForEach(w => w.Instead = null);
        await Eventually.Holds(async () => Size(await run.Client.GetStringAsync("checkpoint")) >= 11, "the witnesses are asked again");
        await Eventually.Holds(async () => (await Ready(run)).Item1 == HttpStatusCode.OK, "ready again");
    }

    [Fact]
    public async Task A_quorum_that_is_late_is_late_in_the_next_process_too()
    {
        var clock = new ShiftedClock();
        _fixture.Patience = "00:30:00";
        await using (var run = await Run.Start(this, clock))
        {
            await run.Fill(3);
            await run.Rounds.RequestRound(6, Soon);
            _witnesses.ForEach(w => w.Instead = () => Results.Text("6\n", "text/x.tlog.size", statusCode: 409));
            await run.Fill(4);
        }

        // Started again in time it is not late, and late when it was started again and again for longer than patience lasts.
        await using (var soon = await Run.Start(this, clock))
        {
            await Eventually.Holds(async () => await Ready(soon) is (HttpStatusCode.OK, "5 entries behind"), "it knows how far it is behind");
        }

        clock.Shift(TimeSpan.FromHours(1));
        await using var again = await Run.Start(this, clock);
        await Eventually.Holds(async () => await Ready(again) is (HttpStatusCode.ServiceUnavailable, var detail) && detail.Contains("no quorum of 2 since", StringComparison.Ordinal), "readiness tells");
        await Eventually.Holds(async () => (await _fixture.AlarmsWaiting()).Exists(a => a.StartsWith("alarm:witness-lag quorum:2 entries:", StringComparison.Ordinal)), "the alarm is an event");
    }

    [Fact]
    public async Task Failing_open_is_configured_and_visible()
    {
        _fixture.FailOpen = true;
        await using var run = await Run.Start(this);
        await run.Fill(3);
        await run.Rounds.RequestRound(6, Soon);
        _witnesses.ForEach(w => w.Instead = () => Results.StatusCode(503));
        await run.Fill(4);
        Assert.Equal(6, Size(await run.Client.GetStringAsync("checkpoint")));
        await Eventually.Holds(async () => Size(await run.Client.GetStringAsync("checkpoint")) >= 11, "published without");
        var (status, detail) = await Ready(run);
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Contains("published without (FailOpen)", detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(403)]
    [InlineData(404)]
    public async Task A_witness_that_refuses_gives_no_cosignature_and_the_others_still_count(int status)
    {
        await using var run = await Run.Start(this);
        _witnesses[0].Instead = () => Results.Text("because\n", statusCode: status);
        await run.Fill(3);
        var head = await run.Rounds.RequestRound(6, Soon);
        Assert.Null(SignedNote.TryOpen(head.Note, [_witnesses[0].Key], 1));
        Assert.NotNull(SignedNote.TryOpen(head.Note, Keys, 2));
    }

    [Fact]
    public async Task A_witness_that_stands_elsewhere_says_so_and_is_brought_up_from_there()
    {
        await using var run = await Run.Start(this);
        await run.Fill(3);
        await run.Rounds.RequestRound(6, Soon);
        var newcomer = _witnesses[0];
        newcomer.Believe(0, MerkleProof.EmptyRoot); // as after a loss of its state
        await run.Fill(2);
        await Eventually.Holds(() => newcomer.Size == 9, "it is brought up from where it stands");
    }

    [Fact]
    public async Task A_line_of_another_key_or_over_another_text_is_no_cosignature()
    {
        var stranger = new NoteLine(_witnesses[0].Key.Name, _witnesses[0].Key.KeyId, new byte[Cosignature.Size]);
        await using var run = await Run.Start(this);
        Assert.Equal(2, (await run.Rounds.RequestRound(2, Soon)).Checkpoint.Size);
        _witnesses[0].Instead = () => Results.Text(stranger + "\n");
        _witnesses[1].Instead = () => Results.Text(new string('x', 100_000));
        await run.Fill(3);
        var asked = _witnesses[0].Asked;
        await Eventually.Holds(() => _witnesses[0].Asked > asked + 1, "it is asked again and again");
        Assert.Equal(2, Size(await run.Client.GetStringAsync("checkpoint")));
    }

    // Incident Venafi 2017: an older backup signs a second history. The lock store's half of this is in SequencerFaultTests.
    [Fact]
    public async Task Started_on_an_older_database_and_lock_store_than_a_witness_knows_it_refuses_and_names_both_sizes()
    {
        _witnesses[1].Believe(1000, new byte[32]);
        await using var ledger = await _fixture.Start(_token, with: StaysUp);
        await Eventually.Holds(() => ledger.SetBack is not null, "it refuses");
        Assert.Contains("checkpoint of 0", ledger.SetBack, StringComparison.Ordinal);
        Assert.Contains("wit-b has cosigned one of 1000", ledger.SetBack, StringComparison.Ordinal);
        Assert.NotNull(ledger.Sequencer.NotLeading);
    }

    [Fact]
    public async Task With_a_quorum_nothing_is_signed_before_as_many_witnesses_have_said_where_they_stand()
    {
        _witnesses[0].Instead = () => Results.StatusCode(503);
        _witnesses[1].Hangs = true;
        await using var ledger = await _fixture.Start(_token, with: StaysUp);
        var client = _fixture.Client("ca", ledger.Address);
        await Eventually.Holds(() => ledger.Sequencer.NotLeading?.Contains("wit-b: no answer in time", StringComparison.Ordinal) == true, "it waits for them");
        Assert.StartsWith("nothing is signed before 2 witnesses have said where they stand, 1 have", ledger.Sequencer.NotLeading, StringComparison.Ordinal);
        Assert.Contains("wit-a: HTTP 503", ledger.Sequencer.NotLeading, StringComparison.Ordinal);
        Assert.Equal("", _fixture.SignedHead());
        using var ready = await client.GetAsync("health/ready");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        Assert.Contains("nothing is signed before 2 witnesses", await ready.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.IsType<PostOutcome.Away>(await new LedgerLink(client, "ca").Post(_fixture.Producer("ca").Next([TestProducer.Ceremony()]), 1, default));
        (_witnesses[1].Hangs, _witnesses[1].Instead) = (false, null);
        await ledger.Leads();
    }

    // A quorum of one may have been any one of three: only all three know what it cosigned.
    [Fact]
    public async Task Enough_must_answer_that_one_of_every_earlier_quorum_is_among_them()
    {
        _fixture.Quorum = 1;
        _witnesses[2].Instead = () => Results.StatusCode(503);
        await using var ledger = await _fixture.Start(_token, with: StaysUp);
        await Eventually.Holds(() => ledger.Sequencer.NotLeading?.Contains("before 3 witnesses", StringComparison.Ordinal) == true, "it waits for the third");
        _witnesses[2].Believe(1000, new byte[32]);
        _witnesses[2].Instead = null;
        await Eventually.Holds(() => ledger.SetBack is not null, "the third knows more");
        Assert.Equal("", _fixture.SignedHead());
    }

    [Fact]
    public async Task Without_a_quorum_asked_for_the_ledger_waits_for_nobody()
    {
        _fixture.Quorum = 0;
        _witnesses.ForEach(w => w.Instead = () => Results.StatusCode(503));
        await using var run = await Run.Start(this);
        await run.Fill(3);
        Assert.Equal(6, Size(await run.Client.GetStringAsync("checkpoint")));
    }

    // Database and lock store were set back together while the witness could not be asked; it answers later.
    [Theory]
    [InlineData(409, 0)]
    [InlineData(409, 2)]
    [InlineData(422, 2)]
    public async Task A_witness_that_turns_out_to_know_more_or_another_log_ends_signing_and_is_alarmed(int status, int quorum)
    {
        _fixture.Quorum = quorum;
        _witnesses[2].Instead = () => Results.StatusCode(503);
        await using var run = await Run.Start(this);
        await run.Fill(3);
        _witnesses[2].Instead = () => status == 409 ? Results.Text("1000\n", "text/x.tlog.size", statusCode: 409) : Results.Text("another log\n", statusCode: 422);
        await Eventually.Holds(() => run.EndCode == 3, "the process is to end");
        Assert.Contains("wit-c has cosigned", run.NotLeading, StringComparison.Ordinal);
        await Eventually.Holds(async () => (await _fixture.AlarmsWaiting()).Count > 0, "the alarm stands in the outbox");
        Assert.Equal($"alarm:set-back witness:wit-c ours:6 theirs:{(status == 409 ? "1000" : "other-log")}", Assert.Single(await _fixture.AlarmsWaiting()));
    }

    [Fact]
    public async Task One_key_under_two_names_is_no_quorum_of_two()
    {
        var key = Convert.FromBase64String(_witnesses[0].Key.VKey.Split('+', 3)[2])[1..];
        _fixture.AddWitness("wit-d", _witnesses[0].Address, NoteVerifier.Cosigner("another.name", key));
        await using var ledger = await _fixture.Start(_token, with: StaysUp);
        await Eventually.Holds(() => ledger.App.Services.GetRequiredService<Kernel.Hosting.ProcessEnd>().Code == 1, "the process is to end");
        Assert.NotNull(ledger.Sequencer.NotLeading);
    }

    [Fact]
    public async Task A_tlog_proof_file_proves_an_entry_under_the_witnessed_checkpoint()
    {
        await using var run = await Run.Start(this);
        await run.Fill(6);
        await run.Rounds.RequestRound(9, Soon);
        for (var index = 0; index < 9; index++)
        {
            var file = await run.Client.GetStringAsync($"proofs/tlog-proof?index={index}");
            var (proof, note) = (file[..file.IndexOf("\n\n", StringComparison.Ordinal)].Split('\n'), file[(file.IndexOf("\n\n", StringComparison.Ordinal) + 2)..]);
            Assert.Equal(["c2sp.org/tlog-proof@v1", $"index {index}"], proof[..2]);
            var checkpoint = Checkpoint.TryParse(SignedNote.TryOpen(note, Keys, 2)!)!;
            var leaf = await _fixture.LeafHash(index);
            Assert.True(MerkleProof.VerifyInclusion(index, checkpoint.Size, leaf, [.. proof[2..].Select(Convert.FromBase64String)], checkpoint.Root));
        }

        using var beyond = await run.Client.GetAsync("proofs/tlog-proof?index=9");
        Assert.Equal(HttpStatusCode.NotFound, beyond.StatusCode);
    }

    // The host would end, perhaps while it still starts; here it stays to be asked.
    private static void StaysUp(IServiceCollection services) =>
        services.Configure<HostOptions>(o => o.BackgroundServiceExceptionBehavior = BackgroundServiceExceptionBehavior.Ignore);

    private static CancellationToken Soon => new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;

    private List<NoteVerifier> Keys => [.. _witnesses.Select(w => w.Key)];

    private static long Size(string note) => Checkpoint.TryParse(SignedNote.TryRead(note)!.Value.Text)!.Size;

    private static async Task<(HttpStatusCode, string)> Ready(Run run)
    {
        using var answer = await run.Client.GetAsync("health/ready");
        var checks = await answer.Content.ReadFromJsonAsync<JsonElement>();
        return (answer.StatusCode, checks.GetProperty("checks").GetProperty("witnesses").GetProperty("detail").GetString()!);
    }

    private sealed class Run : IAsyncDisposable
    {
        private readonly RunningLedger _ledger;
        private readonly LedgerLink _link;
        private readonly TestProducer _producer;

        private Run(CosignatureTests test, RunningLedger ledger)
        {
            _ledger = ledger;
            Client = test._fixture.Client("ca", ledger.Address);
            _link = new LedgerLink(Client, "ca");
            _producer = test._fixture.Producer("ca");
            LogKeys = [.. File.ReadAllLines(Path.Combine(test._fixture.Public, "ledger.vkeys")).Select(l => NoteVerifier.TryParse(l)!)];
        }

        public HttpClient Client { get; }

        public List<NoteVerifier> LogKeys { get; }

        public int EndCode => _ledger.App.Services.GetRequiredService<Kernel.Hosting.ProcessEnd>().Code;

        public string? NotLeading => _ledger.Sequencer.NotLeading;

        public CosignatureRounds Rounds => _ledger.App.Services.GetRequiredService<CosignatureRounds>();

        public static async Task<Run> Start(CosignatureTests test, TimeProvider? clock = null)
        {
            var ledger = await test._fixture.Start(test._token, clock: clock);
            await ledger.Leads();
            var run = new Run(test, ledger);
            var head = (await run._link.OpenEpoch((await run._link.Head(default)).Hash, default))!;
            (run._producer.Epoch, run._producer.Head) = (head.OpenEpoch, Convert.FromHexString(head.Hash));
            if (head.Epoch == 0)
            {
                await run.Post(TestProducer.Ceremony());
            }

            return run;
        }

        public Task Fill(int events) => Post([.. Enumerable.Range(0, events).Select(_ => _producer.Body())]);

        public async ValueTask DisposeAsync()
        {
            Client.Dispose();
            await _ledger.DisposeAsync();
        }

        private async Task Post(params byte[][] bodies) =>
            Assert.IsType<PostOutcome.Accepted>(await _link.Post(_producer.Next(bodies), bodies.Length, default));
    }
}
