using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

/// <summary>How a remote step fails.</summary>
public enum Took
{
    NoEffect,
    Effect,
}

/// <summary>Stands between a relay and its ledger and spoils what a test tells it to.</summary>
public sealed class FaultyHandler(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _checkpoints;

    /// <summary>Path of the step that fails once, and how.</summary>
    public (string Path, Took Took)? FailOnce { get; set; }

    /// <summary>Path of the step that never returns, and how.</summary>
    public (string Path, Took Took)? Hang { get; set; }

    /// <summary>Nothing gets through.</summary>
    public bool Away { get; set; }

    /// <summary>Path that is answered 503.</summary>
    public string? Unavailable { get; set; }

    /// <summary>Index that batches are acknowledged with, and the indices after it, without being passed on.</summary>
    public long? Acknowledge { get; set; }

    /// <summary>The first event of every batch is refused, as by a ledger of another version.</summary>
    public bool RefuseEvents { get; set; }

    /// <summary>Batches so refused.</summary>
    public int Refused { get; private set; }

    /// <summary>Checkpoints asked for.</summary>
    public int Checkpoints => Volatile.Read(ref _checkpoints);

    /// <summary>Completes when a hanging step has been reached (and, with Effect, has taken effect).</summary>
    public Task Reached => _reached.Task;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var path = request.RequestUri!.AbsolutePath;
        if (path.EndsWith("/checkpoint", StringComparison.Ordinal))
        {
            Interlocked.Increment(ref _checkpoints);
        }

        if (Away)
        {
            throw new HttpRequestException("away");
        }

        if (Unavailable is { } unavailable && path.EndsWith(unavailable, StringComparison.Ordinal))
        {
            return new HttpResponseMessage(System.Net.HttpStatusCode.ServiceUnavailable) { RequestMessage = request };
        }

        if (Acknowledge is { } from && path.EndsWith("/entries", StringComparison.Ordinal))
        {
            var count = BatchFrame.TryRead(await request.Content!.ReadAsByteArrayAsync(cancellationToken))!.Events.Count;
            var receipts = Enumerable.Range(0, count).Select(i => new Receipt(from + i, DateTimeOffset.UnixEpoch.AddYears(50), new byte[32], from + count + 1)).ToList();
            return new HttpResponseMessage(System.Net.HttpStatusCode.OK) { RequestMessage = request, Content = new ByteArrayContent(new ReceiptFrame(receipts, "").Write()) };
        }

        if (RefuseEvents && path.EndsWith("/entries", StringComparison.Ordinal))
        {
            Refused++;
            const string problem = "{\"type\":\"urn:trust:problem:ledger:event-refused\",\"position\":0,\"reason\":\"unknown-action\"}";
            return new HttpResponseMessage(System.Net.HttpStatusCode.UnprocessableEntity)
            {
                RequestMessage = request, Content = new StringContent(problem, System.Text.Encoding.UTF8, "application/problem+json"),
            };
        }

        if (FailOnce is var (failing, took) && path.EndsWith(failing, StringComparison.Ordinal))
        {
            FailOnce = null;
            if (took == Took.Effect)
            {
                using var lost = await base.SendAsync(request, cancellationToken);
            }

            throw new HttpRequestException("lost");
        }

        if (Hang is var (hanging, effect) && path.EndsWith(hanging, StringComparison.Ordinal))
        {
            if (effect == Took.Effect)
            {
                using var lost = await base.SendAsync(request, cancellationToken);
            }

            _reached.TrySetResult();
            // Hangs, as a peer that never answers does; the caller's patience ends it.
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }

        return await base.SendAsync(request, cancellationToken);
    }
}

/// <summary>A service that records events: its database, token, outbox, and relays to a real ledger.</summary>
public sealed class RelayFixture : IAsyncDisposable
{
    private readonly List<IDisposable> _owned = [];

    private RelayFixture(LedgerFixture ledger, RunningLedger running, TestDatabase database, IToken token)
    {
        Ledger = ledger;
        Running = running;
        Database = database;
        Token = token;
    }

    public LedgerFixture Ledger { get; }

    internal RunningLedger Running { get; }

    public TestDatabase Database { get; }

    public IToken Token { get; }

    public static async Task<RelayFixture> Create()
    {
        var ledger = await LedgerFixture.Create();
        var token = await Tokens.NewToken("sign");
        var key = await token.Generate(new KeyRef("batch"), KeyAlgorithm.EcdsaP256, default);
        await ledger.SetBatchKey("sign", key.SubjectPublicKeyInfo);
        var running = await ledger.Start(Tokens.NewOptions("ledger"));
        await running.Leads();
        using var ca = ledger.Client("ca", running.Address);
        var link = new LedgerLink(ca, "ca");
        await link.OpenEpoch(new string('0', 64), default);
        Assert.IsType<PostOutcome.Accepted>(await link.Post(ledger.Producer("ca").Next(TestProducer.Ceremony()), 1, default));
        return new RelayFixture(ledger, running, await TestDatabase.Create("sign"), token);
    }

    public FaultyHandler Faults() => new(Ledger.Handler("sign"));

    /// <summary>One instance of the service.</summary>
    public RelayInstance Instance(FaultyHandler? faults = null, Func<AuditOptions, AuditOptions>? with = null, IToken? token = null)
    {
        var options = new AuditOptions
        {
            Source = "sign",
            Region = "510000",
            Node = "sign-1",
            Poll = TimeSpan.FromMilliseconds(5),
            Retry = TimeSpan.FromMilliseconds(50),
            LedgerKeys = File.ReadAllLines(Path.Combine(Ledger.Public, "ledger.vkeys")),
        };
        options = with?.Invoke(options) ?? options;
        var client = new HttpClient(faults ?? Ledger.Handler("sign")) { BaseAddress = Running.Address, Timeout = TimeSpan.FromSeconds(10) };
        var state = new OutboxState(TimeProvider.System);
        var board = new ReceiptBoard();
        _owned.Add(client);
        _owned.Add(state);
        var link = new LedgerLink(client, "sign");
        var relay = new Relay(Database.Runtime, options, state, board, link, token ?? Token, TimeProvider.System, NullLogger<Relay>.Instance);
        var watched = new Lines<CheckpointWatch>();
        var watch = new CheckpointWatch(Database.Runtime, options, link, TimeProvider.System, watched);
        var end = new ProcessEnd(() => { });
        Loop Loop(LoopWork work) => new(work, TimeProvider.System, end, NullLogger<Loop>.Instance);
        return new RelayInstance(
            new Outbox(Database.Runtime, options, state, board, TimeProvider.System, new GroupCommit(Database.Runtime)),
            [Loop(new LoopWork("relay", TimeSpan.Zero, relay.Round)), Loop(new LoopWork("checkpoint-watch", options.Retry, watch.Look))],
            end,
            state,
            Database.Runtime,
            options,
            watched.Said);
    }

    public Task<long> InLedger() =>
        Ledger.Database.Runtime.Sql("SELECT COALESCE(sum(last_seq - first_seq + 1), 0)::bigint FROM batches b JOIN sources s ON s.id = b.source WHERE s.name = 'sign'").Scalar<long>(default);

    public Task<long> Verified() => Database.Runtime.Sql("SELECT verified_size FROM audit_relay").Scalar<long>(default);

    public Task<long> Answered() => Database.Runtime.Sql("SELECT count(*) FROM audit_outbox WHERE idx IS NOT NULL").Scalar<long>(default);

    public async ValueTask DisposeAsync()
    {
        _owned.ForEach(o => o.Dispose());
        await Running.DisposeAsync();
        await Token.DisposeAsync();
        await Database.DisposeAsync();
        await Ledger.DisposeAsync();
    }
}

/// <summary>Outbox and relay of one instance.</summary>
public sealed record RelayInstance(Outbox Outbox, IReadOnlyList<Loop> Loops, ProcessEnd End, OutboxState State, NpgsqlDataSource Db, AuditOptions Options, List<string> Watched)
{
    public static AuditEvent Event(string action = "RX.review") => new()
    {
        Action = action,
        Actor = new Actor("urn:mdid:p:1"),
        Subjects = [SubjectKey.Prescription("rx-1")],
        Outcome = EventOutcome.Success,
    };

    public Task Start() => Task.WhenAll(Loops.Select(l => l.StartAsync(default)));

    public Task Stop() => Task.WhenAll(Loops.Select(l => l.StopAsync(default)));

    public async Task<AppendOutcome> Append(string action = "RX.review")
    {
        await using var connection = await Db.OpenConnectionAsync();
        await using var tx = await connection.BeginTransactionAsync();
        var outcome = await Outbox.Append(tx, Event(action), default);
        await tx.CommitAsync();
        return outcome;
    }

    public async Task<ConfirmOutcome> Confirm(string action = "SIGN.request")
    {
        await using var connection = await Db.OpenConnectionAsync();
        await using var tx = await connection.BeginTransactionAsync();
        return await Outbox.AppendConfirmed(tx, Event(action), default);
    }

    public async Task AppendMany(int count)
    {
        for (var i = 0; i < count; i++)
        {
            Assert.IsType<AppendOutcome.Appended>(await Append());
        }
    }
}
