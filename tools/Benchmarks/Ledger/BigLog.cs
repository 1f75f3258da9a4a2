using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Trust.AuditLedger;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Index;
using Trust.Cli.Local;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.Benchmarks.Ledger;

/// <summary>
/// A log of ten million events over a million subjects in the database of a real service, which is stopped meanwhile: made by the ledger's own code
/// for groups, index and rows, without HTTP, signatures and reading back, so that it takes minutes. Three subjects an event as measured in a hospital's day: an institution of 2,000, a practitioner of
/// 50,000 and either a patient of 700,000 or a prescription, each the more used the lower its number.
/// </summary>
internal sealed class BigLog : IAsyncDisposable
{
    /// <summary>Events of the whole log.</summary>
    public const int Events = 10_000_000;

    private const int GroupEvents = 2048;
    private const int BodyBytes = 400;

    // What a busy producer has when its relay comes round.
    private const int BatchEvents = 32;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);

    private readonly string _directory;
    private readonly BenchLedger _ledger;
    private readonly NpgsqlConnection _connection;
    private readonly AuditLedgerOptions _options = new() { Origin = "bench", LockStoreDirectory = "/", Sources = [] };
    private readonly List<long> _sizes = [];
    private LogPosition _position = null!;
    private ulong _random = 1;
    private long _seq;
    private long _prescriptions;
    private Task<BigLogService>? _service;

    private BigLog(string directory, BenchLedger ledger, NpgsqlDataSource database, NpgsqlConnection connection)
    {
        _directory = directory;
        _ledger = ledger;
        Database = database;
        _connection = connection;
        Live = new LiveIndex(_options, new IndexPace(), database, NullLogger<LiveIndex>.Instance);
    }

    /// <summary>As the ledger's runtime role.</summary>
    public NpgsqlDataSource Database { get; }

    /// <summary>Its subject index.</summary>
    public LiveIndex Live { get; }

    /// <summary>Events appended per second: the second quarter million, and the last half million.</summary>
    public (double Early, double Late) Rates { get; private set; }

    /// <summary>Largest resident set of this process while it was made, MiB; generator included.</summary>
    public double PeakMemory { get; private set; }

    /// <summary>Live bytes of the managed heap at the end, MiB.</summary>
    public double LiveMemory { get; private set; }

    /// <summary>How long it took to make.</summary>
    public TimeSpan Took { get; private set; }

    /// <summary>The head as if it had been published.</summary>
    public PublishedHead Head => new(new Checkpoint("bench", _position.Size, _position.Root), "", _position.Tree.Copy());

    /// <summary>Sizes that end in a commit entry.</summary>
    public IReadOnlyList<long> Sizes => _sizes;

    /// <summary>Makes it.</summary>
    public static async Task<BigLog> Make(CancellationToken ct)
    {
        var assembly = LedgerAppend.Assembly() ?? throw new CommandFailedException("the ledger is not built");
        var directory = BenchLedger.NewFolder();
        // Started once: it signs the empty tree, from which on it catches up.
        var ledger = await BenchLedger.Start(directory, assembly, IntakeLoad.Producers, ct, large: true);
        await ledger.Stop(ct);
        var database = Outbound.Database(ledger.Database);
        var log = new BigLog(directory, ledger, database, await database.OpenConnectionAsync(ct));
        try
        {
            await log.Fill(ct);
            return log;
        }
        catch
        {
            await log.DisposeAsync();
            throw;
        }
    }

    /// <summary>The service on this log, restarted in every way when it is first asked for. It appends to the log from then on.</summary>
    public Task<BigLogService> Service(CancellationToken ct) => _service ??= Restart(ct);

    /// <summary>Reads it all into the system's memory.</summary>
    public Task Warm(CancellationToken ct) => _ledger.Warm(ct);

    /// <summary>A number below a bound; the same sequence in every run.</summary>
    public long Random(long below)
    {
        _random ^= _random << 13;
        _random ^= _random >> 7;
        _random ^= _random << 17;
        return (long)(_random % (ulong)below);
    }

    /// <summary>The n-th institution.</summary>
    public static byte[] Institution(long n) => LedgerKeys.Of(4, n);

    /// <summary>The n-th patient.</summary>
    public static byte[] Patient(long n) => LedgerKeys.Of(2, n);

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await Database.DisposeAsync();
        await _ledger.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task<BigLogService> Restart(CancellationToken ct)
    {
        var catchingUp = await _ledger.Resume(Patience, ct);
        await _ledger.Kill(ct);
        var afterCrash = await _ledger.Resume(Patience, ct);
        var stopping = await _ledger.Stop(ct);
        var afterStop = await _ledger.Resume(Patience, ct);
        return new BigLogService(_ledger, catchingUp, afterCrash, stopping, afterStop);
    }

    private async Task Fill(CancellationToken ct)
    {
        var store = new SequencerStore(_connection);
        var head = await store.ReadHead(ct);
        _position = new LogPosition(await store.LoadTree(0, ct), head.Root, head.Time, head.Writer, "", await store.ReadSources(["bench"], ct));
        await Live.BringToHead(store, 0, ct);
        var watch = Stopwatch.StartNew();
        var marks = new Dictionary<int, TimeSpan>();
        for (var done = 0; done < Events; done += GroupEvents)
        {
            await Append(store, ct);
            foreach (var mark in (int[])[250_000, 500_000, Events - 500_000])
            {
                if (done < mark && done + GroupEvents >= mark)
                {
                    marks[mark] = watch.Elapsed;
                }
            }

            if (done / 1_000_000 != (done + GroupEvents) / 1_000_000)
            {
                PeakMemory = Math.Max(PeakMemory, Environment.WorkingSet / 1048576.0);
                await Console.Error.WriteLineAsync($"{(done + GroupEvents) / 1_000_000} of {Events / 1_000_000} million events after {watch.Elapsed.TotalSeconds:F0} s …");
            }
        }

        Took = watch.Elapsed;
        Rates = (250_000 / (marks[500_000] - marks[250_000]).TotalSeconds, 500_000 / (Took - marks[Events - 500_000]).TotalSeconds);
        LiveMemory = GC.GetTotalMemory(forceFullCollection: true) / 1048576.0;
        await _ledger.Maintain(ct);
    }

    private async Task Append(SequencerStore store, CancellationToken ct)
    {
        if (_position.Size >= _position.RangeEnd - SequencerStore.RangeMargin)
        {
            _position.RangeEnd = await store.ExtendRanges(ct);
        }

        var group = new Group(_position, TimeProvider.System.GetUtcNow());
        for (var batch = 0; batch < GroupEvents / BatchEvents; batch++)
        {
            var events = new JudgedEvent[BatchEvents];
            for (var i = 0; i < events.Length; i++)
            {
                events[i] = new JudgedEvent(RandomNumberGenerator.GetBytes(BodyBytes), default, new byte[32], new byte[32], Keys());
            }

            var bytes = BatchFrame.Write(1, _seq + 1, new byte[32], [.. events.Select(e => new FramedEvent(e.Body, ReadOnlyMemory<byte>.Empty))], new byte[64]);
            _seq += events.Length;
            group.Accept(new Submission.Append(new JudgedBatch("bench", BatchFrame.TryRead(bytes)!, events, new byte[32], false)));
        }

        group.Close(Live.StageGroup(group));
        var root = group.Tree.Root();
        await using (var tx = await store.BeginGroup(ct))
        {
            await store.CommitGroup(tx, group, _position, root, ct);
        }

        Live.ConfirmGroup();
        (_position.Tree, _position.Root, _position.Time, _position.Sources) = (group.Tree, root, group.Time, group.Sources);
        _sizes.Add(_position.Size);
    }

    private byte[] Keys()
    {
        var third = Random(2) == 0 ? Patient(Skewed(700_000)) : LedgerKeys.Of(1, (Random(3) == 0 ? _prescriptions : _prescriptions++) / 8);
        return LedgerKeys.Sorted([Institution(Skewed(2_000)), LedgerKeys.Of(3, Skewed(50_000)), third]);
    }

    // Cube of a uniform number: the lowest thousandth gets a tenth of all.
    private long Skewed(long below)
    {
        var u = Random(1 << 30) / (double)(1 << 30);
        return (long)(u * u * u * below);
    }
}

/// <summary>The real service on a <see cref="BigLog"/>.</summary>
/// <param name="Ledger">The ledger.</param>
/// <param name="CatchingUp">First start: ten million entries that nobody has signed for are read back and hashed, then the index is loaded.</param>
/// <param name="AfterCrash">A start after the process was killed.</param>
/// <param name="Stopping">A stop in order, which stores the index.</param>
/// <param name="AfterStop">The start after it.</param>
internal sealed record BigLogService(BenchLedger Ledger, TimeSpan CatchingUp, TimeSpan AfterCrash, TimeSpan Stopping, TimeSpan AfterStop);
