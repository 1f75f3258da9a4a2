using System.Collections.Concurrent;
using System.Diagnostics;
using Trust.AuditLedger.Proofs;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

/// <summary>
/// Two ledger processes compete for one log under load, and whichever leads, or their database server, is killed, again and again: nothing
/// acknowledged is lost, no index is given twice, and no two signed heads contradict each other.
/// </summary>
public sealed class KillTests : IAsyncLifetime
{
    // `./trust test --long` asks for the long run.
    private static readonly int Rounds = Environment.GetEnvironmentVariable("TRUST_TEST_LONG") is null ? 8 : 500;

    private const int SetBack = 3;

    private readonly ConcurrentBag<(string Source, long Epoch, long Seq, Receipt Receipt)> _acknowledged = [];
    private readonly ConcurrentDictionary<string, byte> _notes = new(StringComparer.Ordinal);
    private LedgerFixture _fixture = null!;

    public async ValueTask InitializeAsync() => _fixture = await LedgerFixture.Create(await TestDatabase.OnOwnServer("ledger", typeof(Program).Assembly));

    public async ValueTask DisposeAsync()
    {
        await _fixture.Database.Server.Stop(immediate: true, default);
        await _fixture.DisposeAsync();
    }

    [Fact]
    public Task Killed_at_random_points_with_two_competing_writers_it_loses_repeats_and_contradicts_nothing() => Survive(Rounds, async pair =>
    {
        var victim = await Leader(pair.Addresses);
        pair.Processes[victim].Kill();
        pair.Processes[victim] = LedgerProcess.Start(pair.Configs[victim]);
    });

    [Fact]
    public Task With_the_database_server_crashed_at_random_points_it_loses_repeats_and_contradicts_nothing() =>
        Survive(Math.Max(3, Rounds / 10), _ => _fixture.Database.Server.Restart(default));

    private async Task Survive(int rounds, Func<Pair, Task> strike)
    {
        var token = Tokens.NewOptions("ledger");
        await using (var first = await _fixture.Start(token, "ledger-0"))
        {
            await first.Leads(); // Provisions the keys and signs the empty tree.
        }

        var one = _fixture.Configure("ledger-1", token);
        var two = _fixture.Configure("ledger-2", token);
        Uri[] addresses = [one.Address, two.Address];
        var pair = new Pair([LedgerProcess.Start(one.Config), LedgerProcess.Start(two.Config)], [one.Config, two.Config], addresses);
        using var done = new CancellationTokenSource();
        try
        {
            await Begin(addresses);
            var load = new[] { Produce("sign", addresses, done.Token), Produce("idp", addresses, done.Token) };
            var random = new Random();
            for (var round = 0; round < rounds; round++)
            {
                var before = _acknowledged.Count;
                var more = random.Next(1, 200);
                await Eventually.Holds(
                    async () =>
                    {
                        pair.Supervise();
                        await Task.WhenAll(load.Where(l => l.IsFaulted));
                        return _acknowledged.Count > before + more;
                    },
                    $"the survivor goes on in round {round}",
                    TimeSpan.FromMinutes(2));
                await strike(pair);
            }

            await done.CancelAsync();
            await Task.WhenAll(load);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException(string.Join("\n\n", pair.Processes.Select(p => p.Said)), e);
        }
        finally
        {
            Array.ForEach(pair.Processes, p => p.Kill());
        }

        _fixture.Database.Runtime.Clear(); // Connections from before a crash.
        await CheckLog();
        await CheckHeads(rounds);
        await CheckIndex();
    }

    private async Task Begin(Uri[] addresses)
    {
        var link = new RotatingLink(_fixture, "ca", addresses);
        await link.Open(new string('0', 64));
        var ca = _fixture.Producer("ca");
        await Acknowledge(link, ca, ca.Next(TestProducer.Ceremony()), 1);
    }

    private async Task Produce(string source, Uri[] addresses, CancellationToken ct)
    {
        var link = new RotatingLink(_fixture, source, addresses);
        await link.Open(new string('0', 64));
        var producer = _fixture.Producer(source);
        while (!ct.IsCancellationRequested)
        {
            var count = Random.Shared.Next(1, 20);
            await Acknowledge(link, producer, producer.Next([.. Enumerable.Range(0, count).Select(i => producer.Body($"rx-{i}"))]), count);
        }
    }

    private async Task Acknowledge(RotatingLink link, TestProducer producer, byte[] frame, int count)
    {
        var answer = await link.Post(frame, count);
        _notes.TryAdd(answer.Checkpoint, 0);
        for (var i = 0; i < count; i++)
        {
            _acknowledged.Add((producer.Source, producer.Epoch, producer.Seq - count + 1 + i, answer.Receipts[i]));
        }
    }

    private async Task<int> Leader(Uri[] addresses)
    {
        for (var i = 0; ; i = 1 - i)
        {
            using var client = _fixture.Client("ca", addresses[i]);
            try
            {
                using var answer = await client.GetAsync("checkpoint");
                if (answer.IsSuccessStatusCode)
                {
                    return i;
                }
            }
            catch (HttpRequestException)
            {
                // Starting.
                continue;
            }
        }
    }

    private async Task CheckLog()
    {
        var db = _fixture.Database.Runtime;
        var size = await db.Sql("SELECT size FROM head").Scalar<long>(default);
        Assert.Equal(size, await db.Sql("SELECT count(*) FROM entries").Scalar<long>(default));
        Assert.Equal(size - 1, await db.Sql("SELECT max(idx) FROM entries").Scalar<long>(default));
        var events = await db.Sql("SELECT count(*) FROM entries WHERE get_byte(leaf, 0) <> 2").Scalar<long>(default);
        Assert.Equal(events, await db.Sql("SELECT sum(last_seq - first_seq + 1)::bigint FROM batches").Scalar<long>(default));
        const string places = """
            SELECT s.name, b.epoch, b.first_seq + n, b.first_idx + n, e.leaf_hash
            FROM batches b JOIN sources s ON s.id = b.source CROSS JOIN LATERAL generate_series(0, b.last_seq - b.first_seq) AS g (n)
            JOIN entries e ON e.idx = b.first_idx + n
            """;
        var stored = (await db.Sql(places)
            .All(r => (Place: (r.GetString(0), r.GetInt64(1), r.GetInt64(2)), Index: r.GetInt64(3), Hash: r.GetFieldValue<byte[]>(4)), default))
            .ToDictionary(r => r.Place);
        Assert.NotEmpty(_acknowledged);
        foreach (var (source, epoch, seq, receipt) in _acknowledged)
        {
            var row = stored[(source, epoch, seq)];
            Assert.Equal(row.Index, receipt.Index);
            Assert.Equal(row.Hash, receipt.LeafHash);
        }
    }

    // Whatever was killed when, every commit entry is what the entries before it give, and every published head ends in one.
    private async Task CheckIndex()
    {
        var index = new SubjectIndex();
        var ends = new HashSet<long> { 0 };
        foreach (var (leaf, hash) in await _fixture.Database.Runtime.Sql("SELECT leaf, leaf_hash FROM entries ORDER BY idx")
            .All(r => (r.GetFieldValue<byte[]>(0), r.GetFieldValue<byte[]>(1)), default))
        {
            if (EventLeaf.TryRead(leaf, out var e))
            {
                index.Append(index.Size, hash, e.Keys, e.ByActor);
            }
            else
            {
                Assert.True(index.Follow(CommitEntry.TryRead(leaf)!));
                ends.Add(index.Size);
            }
        }

        Assert.All(_notes.Keys, note => Assert.Contains(Checkpoint.TryParse(SignedNote.TryRead(note)!.Value.Text)!.Size, ends));
    }

    private async Task CheckHeads(int rounds)
    {
        var hashes = await _fixture.Database.Runtime.Sql("SELECT leaf_hash FROM entries ORDER BY idx").All(r => r.GetFieldValue<byte[]>(0), default);
        var tree = new LogTree();
        var roots = new List<byte[]> { tree.Root() };
        foreach (var hash in hashes)
        {
            tree.Append(hash, null);
            roots.Add(tree.Root());
        }

        var keys = File.ReadAllLines(Path.Combine(_fixture.Public, "ledger.vkeys")).Select(l => NoteVerifier.TryParse(l)!).ToList();
        Assert.True(_notes.Count > rounds);
        foreach (var note in _notes.Keys)
        {
            var head = Checkpoint.TryParse(SignedNote.TryOpen(note, keys, keys.Count)!)!;
            Assert.Equal(roots[(int)head.Size], head.Root);
        }
    }

    private sealed record Pair(LedgerProcess[] Processes, string[] Configs, Uri[] Addresses)
    {
        // Whoever ends by itself is started again, as by any init system: but never after a refusal to sign.
        public void Supervise()
        {
            for (var i = 0; i < Processes.Length; i++)
            {
                if (Processes[i].ExitCode is { } code)
                {
                    Assert.True(code != SetBack, Processes[i].Said);
                    Processes[i] = LedgerProcess.Start(Configs[i]);
                }
            }
        }
    }

    /// <summary>Sends to whichever process answers, the same bytes until they are acknowledged.</summary>
    private sealed class RotatingLink(LedgerFixture fixture, string source, Uri[] addresses)
    {
        private readonly LedgerLink[] _links = [.. addresses.Select(a => new LedgerLink(fixture.Client(source, a), source))];

        public async Task Open(string head) => await Eventually.Holds(
            async () =>
            {
                foreach (var link in _links)
                {
                    try
                    {
                        if (await link.OpenEpoch(head, default) is not null)
                        {
                            return true;
                        }
                    }
                    catch (HttpRequestException)
                    {
                        continue;
                    }
                }

                return false;
            },
            "an epoch opens",
            TimeSpan.FromMinutes(2));

        public async Task<ReceiptFrame> Post(byte[] frame, int count)
        {
            ReceiptFrame? taken = null;
            await Eventually.Holds(
                async () =>
                {
                    foreach (var link in _links)
                    {
                        switch (await link.Post(frame, count, default))
                        {
                            case PostOutcome.Accepted(var answer):
                                taken = answer;
                                return true;
                            case PostOutcome.Away:
                                continue;
                            case var other:
                                Assert.Fail($"A batch was answered {other}.");
                                break;
                        }
                    }

                    return false;
                },
                "the batch is taken",
                TimeSpan.FromMinutes(2));
            return taken!;
        }
    }
}

/// <summary>The real service as a process of its own.</summary>
internal sealed class LedgerProcess
{
    private const int LinesKept = 100;

    private readonly Process _process;
    private readonly ConcurrentQueue<string?> _said = [];

    private LedgerProcess(Process process) => _process = process;

    public static LedgerProcess Start(string config)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            ArgumentList = { Path.Combine(AppContext.BaseDirectory, "Trust.AuditLedger.dll"), "run", "--config", config },
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["SOFTHSM2_CONF"] = Tokens.SoftHsm.ConfigurationPath },
        };
        var process = Process.Start(start)!;
        var started = new LedgerProcess(process);
        process.OutputDataReceived += (_, line) => started.Hear(line.Data);
        process.ErrorDataReceived += (_, line) => started.Hear(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return started;
    }

    /// <summary>With which code it ended by itself; null while it runs.</summary>
    public int? ExitCode => _process.HasExited ? _process.ExitCode : null;

    /// <summary>What it printed last.</summary>
    public string Said => string.Join('\n', _said);

    private void Hear(string? line)
    {
        _said.Enqueue(line);
        while (_said.Count > LinesKept)
        {
            _said.TryDequeue(out _);
        }
    }

    /// <summary>SIGKILL.</summary>
    public void Kill()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.WaitForExit();
    }
}
