using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Trust.AuditLedger;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Index;
using Trust.Cli.Local;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;

namespace Trust.Benchmarks.Ledger;

/// <summary>
/// A log of ten million events over a million subjects, made by the ledger's own code for groups, index and rows, without HTTP, signatures and
/// reading back, so that it takes minutes. Three subjects an event as measured in a hospital's day: an institution of 2,000, a practitioner of
/// 50,000 and either a patient of 700,000 or a prescription, each the more used the lower its number.
/// </summary>
internal sealed class BigLog : IAsyncDisposable
{
    /// <summary>Events of the whole log.</summary>
    public const int Events = 10_000_000;

    private const int GroupEvents = 2048;
    private const int BodyBytes = 400;

    private readonly string _directory;
    private readonly PostgresCluster _cluster;
    private readonly NpgsqlConnection _connection;
    private readonly AuditLedgerOptions _options = new() { Origin = "bench", LockStoreDirectory = "/", Sources = [] };
    private readonly List<long> _sizes = [];
    private LogPosition _position = null!;
    private ulong _random = 1;
    private long _seq;
    private long _prescriptions;

    private BigLog(string directory, PostgresCluster cluster, NpgsqlDataSource database, NpgsqlConnection connection)
    {
        _directory = directory;
        _cluster = cluster;
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
        var directory = Directory.CreateTempSubdirectory("trust-bench-").FullName;
        // The database server may run under another account, which walks down to its folder.
        File.SetUnixFileMode(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        var cluster = await PostgresCluster.Start(Path.Combine(directory, "postgres"), [], ct);
        var made = await cluster.CreateServiceSchema("ledger", "ledger", ct);
        var options = new DatabaseOptions
        {
            ConnectionString = made.ConnectionString, PasswordFile = made.PasswordFile, OwnerUsername = made.OwnerUsername,
            OwnerPasswordFile = made.OwnerPasswordFile, Schema = made.Schema, Region = "510000",
        };
        await using (var owner = Outbound.Database(options, asOwner: true))
        {
            await Migrator.Apply(owner, "ledger_runtime", [typeof(Migrator).Assembly, typeof(AuditLedgerOptions).Assembly], ct);
        }

        var database = Outbound.Database(options);
        var log = new BigLog(directory, cluster, database, await database.OpenConnectionAsync(ct));
        await log.Fill(ct);
        return log;
    }

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
        await _cluster.Stop(immediate: true, CancellationToken.None);
        Directory.Delete(_directory, recursive: true);
    }

    private async Task Fill(CancellationToken ct)
    {
        var store = new SequencerStore(_connection);
        var head = await store.ReadHead(ct);
        _position = new LogPosition(await store.LoadTree(0, ct), head.Root, head.Time, head.Writer, "", await store.ReadSources(["bench"], ct));
        await Live.Align(store, 0, ct);
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
        // As after the nightly run of a real installation; until then a proof also pays for pages nobody has read since they were written.
        await Database.Sql("ANALYZE").Execute(ct);
    }

    private async Task Append(SequencerStore store, CancellationToken ct)
    {
        if (_position.Size >= _position.RangeEnd - SequencerStore.RangeMargin)
        {
            _position.RangeEnd = await store.ExtendRanges(ct);
        }

        var group = new Group(_position, TimeProvider.System.GetUtcNow());
        for (var batch = 0; batch < GroupEvents / BatchFrame.MaxCount; batch++)
        {
            var events = new JudgedEvent[BatchFrame.MaxCount];
            for (var i = 0; i < events.Length; i++)
            {
                events[i] = new JudgedEvent(RandomNumberGenerator.GetBytes(BodyBytes), default, new byte[32], new byte[32], Keys());
            }

            var bytes = BatchFrame.Write(1, _seq + 1, new byte[32], [.. events.Select(e => new FramedEvent(e.Body, ReadOnlyMemory<byte>.Empty))], new byte[64]);
            _seq += events.Length;
            group.Accept(new Submission.Append(new JudgedBatch("bench", BatchFrame.TryRead(bytes)!, events, new byte[32], false)));
        }

        group.Close(Live.Stage(group));
        var root = group.Tree.Root();
        await store.Commit(group, _position, root, ct);
        Live.Keep();
        (_position.Tree, _position.Root, _position.Time, _position.Sources) = (group.Tree, root, group.Time, group.Sources);
        _sizes.Add(_position.Size);
    }

    private byte[] Keys()
    {
        var third = Random(2) == 0 ? Patient(Skewed(700_000)) : LedgerKeys.Of(1, Random(3) == 0 ? _prescriptions : _prescriptions++ / 8);
        return LedgerKeys.Sorted([Institution(Skewed(2_000)), LedgerKeys.Of(3, Skewed(50_000)), third]);
    }

    // Cube of a uniform number: the lowest thousandth gets a tenth of all.
    private long Skewed(long below)
    {
        var u = Random(1 << 30) / (double)(1 << 30);
        return (long)(u * u * u * below);
    }
}
