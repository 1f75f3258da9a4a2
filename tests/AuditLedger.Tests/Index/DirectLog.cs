using System.Security.Cryptography;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Index;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Index;

/// <summary>Writes groups as the sequencer does, without HTTP, chains and signatures, and knows what it wrote.</summary>
internal sealed class DirectLog : IAsyncDisposable
{
    private readonly NpgsqlConnection _connection;
    private readonly AuditLedgerOptions _options;
    private readonly IndexPace _pace;
    private LogPosition _position;
    private long _seq;

    private DirectLog(TestDatabase database, NpgsqlConnection connection, AuditLedgerOptions options, IndexPace pace)
    {
        Database = database;
        _connection = connection;
        _options = options;
        _pace = pace;
        Live = null!;
        _position = null!;
    }

    public TestDatabase Database { get; }

    public LiveIndex Live { get; set; }

    /// <summary>Every posting written: key in hexadecimal, index, leaf hash.</summary>
    public List<(string Key, long Index, byte[] LeafHash)> Written { get; } = [];

    /// <summary>Sizes that end in a commit entry, with their roots.</summary>
    public List<(long Size, byte[] Root)> Heads { get; } = [];

    public PublishedHead Head => new(new Checkpoint("o", _position.Size, _position.Root), "", _position.Tree.Copy());

    public CompletenessProver Prover => new(Live, Database.Runtime, NullLogger<CompletenessProver>.Instance);

    public static async Task<DirectLog> Create(int volumeSize, IndexPace? pace = null)
    {
        var database = await TestDatabase.Create("ledger", typeof(Program).Assembly);
        var options = new AuditLedgerOptions { Origin = "o", LockStoreDirectory = "/", Sources = [], EpochSize = volumeSize };
        var log = new DirectLog(database, await database.Runtime.OpenConnectionAsync(), options, pace ?? new IndexPace());
        await log.Load();
        return log;
    }

    /// <summary>As after a start of the process.</summary>
    public async Task Load()
    {
        Live = new LiveIndex(_options, _pace, Database.Runtime, NullLogger<LiveIndex>.Instance);
        var store = new SequencerStore(_connection);
        var head = await store.ReadHead(default);
        _position = new LogPosition(await store.LoadTree(head.Size, default), head.Root, head.Time, head.Writer, "", await store.ReadSources(["ca"], default));
        await BringToHead();
    }

    /// <summary>As after the sequencer lost its footing.</summary>
    public Task BringToHead() => Live.BringToHead(new SequencerStore(_connection), _position.Size, default);

    /// <summary>Appends events with these keys as one group.</summary>
    /// <param name="events">Keys of each event, 32 bytes each, rising.</param>
    /// <param name="fail">True: the transaction is refused.</param>
    /// <param name="body">Body of each event; random bytes when null.</param>
    public async Task Append(IReadOnlyList<byte[]> events, bool fail = false, byte[]? body = null)
    {
        await new SequencerStore(_connection).ExtendRanges(default);
        var group = new Group(_position, TimeProvider.System.GetUtcNow());
        var judged = events.Select(k => new JudgedEvent(body ?? RandomNumberGenerator.GetBytes(20), default, new byte[32], new byte[32], k)).ToArray();
        foreach (var batch in judged.Chunk(BatchFrame.MaxCount))
        {
            var frame = BatchFrame.TryRead(BatchFrame.Write(1, _seq + 1, new byte[32], [.. batch.Select(e => new FramedEvent(e.Body, ReadOnlyMemory<byte>.Empty))], new byte[64]))!;
            _seq += batch.Length;
            group.Accept(new Submission.Append(new JudgedBatch("ca", frame, batch, new byte[32], false)));
        }

        group.Close(Live.StageGroup(group));
        var root = group.Tree.Root();
        if (fail)
        {
            await Assert.ThrowsAsync<InvalidDataException>(
                () => Commit(group, new LogPosition(_position.Tree, new byte[32], 0, 0, "", _position.Sources), root));
            await BringToHead();
            return;
        }

        await Commit(group, _position, root);
        Live.ConfirmGroup();
        for (var i = 0; i < events.Count; i++)
        {
            foreach (var key in events[i].Chunk(SubjectKey.Size))
            {
                Written.Add((Convert.ToHexString(key), group.FirstIndex + i, group.LeafHashes[i]));
            }
        }

        (_position.Tree, _position.Root, _position.Time, _position.Sources) = (group.Tree, root, group.Time, group.Sources);
        Heads.Add((group.Tree.Size, root));
    }

    private async Task Commit(Group group, LogPosition from, byte[] root)
    {
        var store = new SequencerStore(_connection);
        await using var tx = await store.BeginGroup(default);
        await store.CommitGroup(tx, group, from, root, default);
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await Database.DisposeAsync();
    }
}
