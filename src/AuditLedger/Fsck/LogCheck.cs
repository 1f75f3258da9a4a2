using System.Collections.Concurrent;
using Npgsql;
using Trust.AuditLedger.Checkpoints;
using Trust.AuditLedger.Entries;
using Trust.Kernel.LockStore;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.Pkcs11;

namespace Trust.AuditLedger.Fsck;

/// <summary>
/// Recomputes the log from its stored bytes: leaf hashes, tiles, roots, signed checkpoints wherever they are kept, the subject index of every
/// commit entry and what is stored of it, the map function, the clock, each source's chain and its batch signatures; and opens the keys of sealed
/// detail. Reads only. Where two copies of a hash differ, the third decides which is wrong, and the signed root decides over all.
/// </summary>
internal sealed class LogCheck(NpgsqlDataSource db, DatabaseOptions database, ILockStore lockStore, CheckpointSigner signer, Sources sources, IToken token)
{
    /// <summary>Most faults listed; a log with more is beyond repair row by row.</summary>
    public const int MaxFaults = 1000;

    private const string SelectHead = "SELECT h.size, h.root, h.time, l.minimum FROM head h, entries_layout l";
    // The head moves on meanwhile, so it is read with them; where it stood before only spares looking at older partitions. The last of them, not
    // their number: for that the planner, while it has no statistics, reads the partition through.
    private const string SelectBeyond = "SELECT idx FROM entries WHERE idx >= $1 AND idx >= (SELECT size FROM head) ORDER BY idx DESC LIMIT 1";
    private const string SelectLeaf = "SELECT leaf FROM entries WHERE idx = $1";
    private const string SelectNotes = "SELECT 'witnessed', note FROM witnessed UNION ALL SELECT 'anchor ' || id, note FROM anchors";
    private const string SelectSources = "SELECT name, epoch, seq, hash FROM sources";

    private readonly List<Fault> _faults = [];
    private readonly List<string> _notes = [];
    private LogTree _tree = new();
    private readonly Dictionary<long, byte[]?> _roots = [];
    private readonly Dictionary<long, byte[]> _expected = [];

    /// <summary>Checks everything.</summary>
    /// <param name="progress">Told how many entries of how many are done.</param>
    /// <param name="ct">Cancels.</param>
    public Task<CheckReport> Run(Action<long, long>? progress, CancellationToken ct) => Check(from: null, toVolumesEnd: false, progress, ct);

    /// <summary>How much of the keys is opened at once.</summary>
    public KeyPace KeyPace { get; init; } = new();

    /// <summary>
    /// Checks what lies between a position and the end of the next volume of the subject index, in the memory that the index of one volume takes; behind the
    /// last entry, the next of the keys of sealed detail.
    /// </summary>
    /// <param name="from">Where to go on; null with the first entry.</param>
    /// <param name="progress">Told how many entries of how many are done.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>Its <see cref="CheckReport.Next"/> is null when the log ends here, or something was found.</returns>
    public Task<CheckReport> RunPortion(CheckPosition? from, Action<long, long>? progress, CancellationToken ct) =>
        from?.Keys is { } keys ? OpenKeys(from, keys, progress, ct) : Check(from, toVolumesEnd: true, progress, ct);

    private async Task<CheckReport> Check(CheckPosition? from, bool toVolumesEnd, Action<long, long>? progress, CancellationToken ct)
    {
        await using var bulk = Outbound.Database(database, bulk: true);
        using var blocks = EntryReader.Open(bulk);
        using var tiles = TileCheck.Open(bulk, Report);
        // The lock store first: it never runs ahead of the database, so a log that is being written to is seen without contradiction.
        var locked = ReadLocked();
        var stored = await IndexCheck.Load(db, from, toVolumesEnd, Report, ct);
        var head = await ReadHead(ct);
        var (first, end) = (from?.Size ?? 0, Math.Min(stored.End, head.Size));
        var notes = await ReadNotes(locked, head, first, end, ct);
        var entries = new EntryCheck(sources, fromTheFirst: head.Minimum == 0, Report);
        if (from is not null)
        {
            _tree = LogTree.FromEdge(first, from.Edge);
            entries.GoOn(from, head.Minimum);
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var judged = new BlockingCollection<EntryBlock>();
        using var index = IndexReplay.Open(bulk, stored, head.Minimum, await IsByActor(head.Size, ct), Report, Note, from);
        // Side by side, and none goes on without the others: the blocks they hand on come round again.
        await Task.WhenAll(
            OnThread(() => blocks.Read(first, end, head.Minimum, stop.Token), stop),
            OnThread(() => Judge(blocks, end, entries, tiles, judged, progress, stop.Token), stop),
            OnThread(() => index.Follow(judged.GetConsumingEnumerable(stop.Token), blocks.Return, end == head.Size), stop));
        CheckNotes(notes);
        var keys = new DataKeyCheck(db, token, KeyPace, Report, Note);
        await keys.CheckPlaces(first, end, entries.WithDetail, _expected.ContainsKey, ct);
        var signed = notes.Where(n => _roots[n.Checkpoint.Size].AsSpan().SequenceEqual(n.Checkpoint.Root)).Select(n => n.Checkpoint.Size).DefaultIfEmpty(0).Max();
        KeyPosition? left = null;
        if (end == head.Size)
        {
            await keys.CheckBeyond(end, ct);
            await CheckHead(head, entries, ct);
            left = KeyPosition.Of(end, signed);
        }

        // In portions the keys are the next one's; where something was found there is none. Whoever wants one report of the whole log gets it.
        while (left is not null && (!toVolumesEnd || index.Last is null))
        {
            left = await keys.OpenPortion(left, _expected.ContainsKey, () => Task.CompletedTask, ct);
        }

        return new CheckReport(end, _faults, _notes, _tree.Root(), signed)
        {
            Expected = _expected, Tiles = tiles.Wrong, Ends = entries.Ends,
            Next = (end < head.Size || left is not null) && _faults.Count == 0 && index.Last is { } last
                ? new CheckPosition(_tree.Edge(), [.. index.Sealed], last.Write(), entries.Time, entries.ByActor, entries.Chains, left) : null,
        };
    }

    private async Task<CheckReport> OpenKeys(CheckPosition position, KeyPosition at, Action<long, long>? progress, CancellationToken ct)
    {
        var keys = new DataKeyCheck(db, token, KeyPace, Report, Note);
        // On a thread of its own, because whoever is told may rest there.
        Task Rest() => progress is null ? Task.CompletedTask
            : Task.Factory.StartNew(() => progress(0, at.Size), ct, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        var next = await keys.OpenPortion(at, _expected.ContainsKey, Rest, ct);
        return new CheckReport(at.Size, _faults, _notes, LogTree.FromEdge(at.Size, position.Edge).Root(), at.Signed)
        {
            Next = next is not null && _faults.Count == 0 ? position with { Keys = next } : null,
        };
    }

    private async Task<bool> IsByActor(long size, CancellationToken ct) =>
        await db.Sql(SelectLeaf).With(size - 1).Scalar<byte[]>(ct) is { } last && CommitEntry.TryRead(last) is { ByActor: true };

    private static async Task OnThread(Action work, CancellationTokenSource stop)
    {
        try
        {
            await Task.Factory.StartNew(work, stop.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        catch
        {
            await stop.CancelAsync();
            throw;
        }
    }

    private void Judge(
        EntryReader blocks, long end, EntryCheck entries, TileCheck tiles, BlockingCollection<EntryBlock> judged, Action<long, long>? progress, CancellationToken ct)
    {
        foreach (var block in blocks.All(ct))
        {
            entries.Check(block);
            Grow(block, tiles);
            var done = block.End;
            judged.Add(block, ct);
            progress?.Invoke(done, end);
        }

        tiles.Compare();
        judged.CompleteAdding();
    }

    private void Grow(EntryBlock block, TileCheck tiles)
    {
        for (var i = 0; i < block.Count; i++)
        {
            _tree.Append(block.Hash(i), tiles.Full);
            if (i >= block.Pruned && block.State(i) is EntryState.Damaged)
            {
                _expected[block.First + i] = block.Hash(i).ToArray();
            }

            if (_roots.ContainsKey(_tree.Size))
            {
                _roots[_tree.Size] = _tree.Root();
            }
        }

        tiles.CompareSome();
    }

    private void Report(string code, long? index, string detail)
    {
        lock (_faults)
        {
            if (_faults.Count < MaxFaults)
            {
                _faults.Add(new Fault(code, index, detail));
            }
        }
    }

    // Signed notes wherever they are kept, and the sizes in the stretch being checked whose roots they need.
    private async Task<List<(string Where, Checkpoint Checkpoint)>> ReadNotes(string locked, Head head, long first, long end, CancellationToken ct)
    {
        var size = head.Size;
        var found = new List<(string, Checkpoint)>();
        var verifiers = await signer.Verifiers(ct);
        foreach (var (where, note) in head.Notes.Append(("lock store", locked)))
        {
            if (SignedNote.TryOpen(note, verifiers, verifiers.Count) is not { } text || Checkpoint.TryParse(text) is not { } checkpoint)
            {
                Report("checkpoint-signature", null, $"{where}: not signed by this log's keys");
                continue;
            }

            if (checkpoint.Size > size)
            {
                Report("checkpoint-ahead", checkpoint.Size, $"{where}: a checkpoint of {checkpoint.Size} was signed, the database holds {size}");
                continue;
            }

            if (checkpoint.Size > end || (checkpoint.Size <= first && first > 0))
            {
                continue; // Another portion's.
            }

            found.Add((where, checkpoint));
            _roots[checkpoint.Size] = checkpoint.Size == 0 ? MerkleProof.EmptyRoot : null;
        }

        return found;
    }

    private async Task<Head> ReadHead(CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, ct);
        var row = await tx.Sql(SelectHead).One(r => new Head(r.GetInt64(0), r.GetFieldValue<byte[]>(1), r.GetInt64(2), r.GetInt64(3), [], []), ct)
            ?? throw new InvalidDataException("The head row is missing.");
        return row with
        {
            Notes = await tx.Sql(SelectNotes).All(r => (r.GetString(0), r.GetString(1)), ct),
            Sources = await tx.Sql(SelectSources).All(r => new SourceRow(r.GetString(0), r.GetInt64(1), r.GetInt64(2), r.GetFieldValue<byte[]>(3)), ct),
        };
    }

    private string ReadLocked()
    {
        try
        {
            return lockStore.Read();
        }
        catch (LockStoreException)
        {
            return "";
        }
    }

    private void Note(string text)
    {
        lock (_faults)
        {
            _notes.Add(text);
        }
    }

    private void CheckNotes(List<(string Where, Checkpoint Checkpoint)> notes)
    {
        foreach (var (where, checkpoint) in notes)
        {
            if (_roots[checkpoint.Size] is not { } root || !root.AsSpan().SequenceEqual(checkpoint.Root))
            {
                Report("checkpoint-root", checkpoint.Size, $"{where}: the entries do not give the signed root");
            }
        }
    }

    private async Task CheckHead(Head head, EntryCheck entries, CancellationToken ct)
    {
        if (!_tree.Root().AsSpan().SequenceEqual(head.Root))
        {
            Report("head-root", head.Size, "the entries do not give the root of the head row");
        }

        if (head.Size > head.Minimum && entries.TimeIsKnown && entries.Time != head.Time)
        {
            Report("head-time", head.Size, $"the head row says {head.Time}, the last event {entries.Time}");
        }

        if (await db.Sql(SelectBeyond).With(head.Size).Scalar<long?>(ct) is { } beyond)
        {
            Report("entries-beyond", head.Size, $"entries up to {beyond} lie beyond the head");
        }

        foreach (var (name, epoch, seq, hash) in head.Sources)
        {
            if (head.Minimum == 0 && !entries.EndsAt(name, epoch, seq, hash))
            {
                Report("source-head", null, $"{name}: the row is not where its chain ends");
            }
        }
    }

    private sealed record Head(long Size, byte[] Root, long Time, long Minimum, List<(string Where, string Note)> Notes, List<SourceRow> Sources);

    private sealed record SourceRow(string Name, long Epoch, long Seq, byte[] Hash);
}
