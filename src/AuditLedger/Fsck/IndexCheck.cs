using System.Buffers;
using System.Buffers.Binary;
using System.Data;
using System.Globalization;
using System.Security.Cryptography;
using Npgsql;
using Trust.AuditLedger.Index;
using Trust.Kernel.Postgres;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Fsck;

/// <summary>
/// Holds what is stored of the subject index, every row of history and image, against the index that the entries give, commit by commit. Nothing
/// stored is needed in memory but a hash of each row, which the server makes.
/// </summary>
internal sealed class IndexCheck
{
    private const string SelectEpochs = "SELECT epoch, start, flushed, ended, trie_root FROM index_epochs ORDER BY epoch";

    private const string SelectImage = """
        SELECT epoch, slice, part, lag(commit) OVER (PARTITION BY epoch, slice ORDER BY part), commit, sha256(keys) FROM index_image
        """;

    private const string SelectHistory = """
        SELECT epoch, tile, from_commit, sha256(base), octet_length(changes), sha256(changes) FROM index_history ORDER BY epoch, tile, from_commit
        """;

    private readonly Action<string, long?, string> _report;
    private readonly Dictionary<long, StoredEpoch> _epochs;
    private readonly Dictionary<(long Epoch, long Commit), List<Slice>> _slices;
    private readonly Dictionary<long, List<HistoryRow>> _history;
    private Live? _live;

    private IndexCheck(Action<string, long?, string> report, List<StoredEpoch> epochs, List<Slice> slices, List<HistoryRow> history)
    {
        _report = report;
        _epochs = epochs.ToDictionary(e => e.Epoch);
        _slices = slices.GroupBy(s => (s.Epoch, s.Commit)).ToDictionary(g => g.Key, g => g.ToList());
        _history = history.GroupBy(h => h.Epoch).ToDictionary(g => g.Key, g => g.ToList());
        foreach (var part in slices.GroupBy(s => (s.Epoch, s.Part)).Where(g => g.Count() != EpochImage.Slices))
        {
            Fault(part.Key.Epoch, part.First().Commit, $"part {part.Key.Part} of its image has {part.Count()} slices of {EpochImage.Slices}");
        }

        foreach (var image in slices.GroupBy(s => s.Epoch).Where(g => g.Max(s => s.Part) != g.DistinctBy(s => s.Part).Count() - 1))
        {
            Fault(image.Key, image.First().Commit, "its image has not all of its parts");
        }

        foreach (var stored in epochs.Where(e => e.Ended is not null && slices.Exists(s => s.Epoch == e.Epoch && s.Part > 0)))
        {
            Fault(stored.Epoch, stored.Flushed, "its image has several parts although it is sealed");
        }
    }

    /// <summary>Reads what is stored, as of one moment: before the head is read, which then covers it.</summary>
    public static async Task<IndexCheck> Load(NpgsqlDataSource db, Action<string, long?, string> report, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, ct);
        var epochs = await tx.Sql(SelectEpochs).All(
            r => new StoredEpoch(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.IsDBNull(3) ? null : r.GetInt64(3), r.Nullable<byte[]>(4)), ct);
        var slices = await tx.Sql(SelectImage).All(
            r => new Slice(r.GetInt64(0), r.GetInt16(1), r.GetInt16(2), r.IsDBNull(3) ? null : r.GetInt64(3), r.GetInt64(4), r.GetFieldValue<byte[]>(5)), ct);
        var history = await tx.Sql(SelectHistory).All(
            r => new HistoryRow(r.GetInt64(0), r.GetInt16(1), r.GetInt64(2), r.Nullable<byte[]>(3), r.GetInt32(4), r.GetFieldValue<byte[]>(5)), ct);
        return new IndexCheck(report, epochs, slices, history);
    }

    /// <summary>What is stored of each epoch.</summary>
    public IReadOnlyList<StoredEpoch> Epochs => [.. _epochs.Values];

    /// <summary>The index has followed a commit entry.</summary>
    public void After(SubjectIndex index)
    {
        var (epoch, commit) = (index.Epoch, index.Last!.Covered);
        if (_live is null || _live.Number != epoch.Number)
        {
            Close(index);
            _live = new Live(epoch, _epochs.GetValueOrDefault(epoch.Number), _history.GetValueOrDefault(epoch.Number) ?? [], Fault);
        }

        _live.After(commit);
        if (_slices.Remove((epoch.Number, commit), out var slices))
        {
            foreach (var slice in slices.Where(s => !IsGiven(s, epoch)))
            {
                Fault(slice.Epoch, commit, $"slice {slice.Number} of part {slice.Part} of its image is not what the entries give");
            }
        }
    }

    /// <summary>All commit entries have been followed.</summary>
    public void End(SubjectIndex index)
    {
        Close(index);
        foreach (var epoch in _epochs.Values.Where(e => e.Epoch > index.Epoch.Number))
        {
            Fault(epoch.Epoch, epoch.Start, "the log has no such epoch");
        }

        foreach (var ((epoch, commit), slices) in _slices)
        {
            Fault(epoch, commit, $"{slices.Count} slices of its image are as of no commit entry");
        }
    }

    private void Close(SubjectIndex index)
    {
        if (_live is not { } live)
        {
            return;
        }

        live.Close();
        if (live.Stored is { Ended: { } ended } stored
            && (live.Number >= index.Sealed.Count || index.Sealed[(int)live.Number] is var sealedEpoch && (sealedEpoch.End != ended || stored.Flushed != ended || !sealedEpoch.TrieRoot.AsSpan().SequenceEqual(stored.TrieRoot))))
        {
            Fault(live.Number, ended, "it did not end there, or with another root");
        }
    }

    private static bool IsGiven(Slice slice, EpochIndex epoch)
    {
        var since = slice.Since ?? epoch.Start;
        return slice.Number is >= 0 and < EpochImage.Slices && since >= epoch.Start && since <= slice.Commit
            && SHA256.HashData(epoch.WriteSlice(slice.Number, since).Span).AsSpan().SequenceEqual(slice.Hash);
    }

    private void Fault(long epoch, long commit, string detail) =>
        _report("index-row", commit, string.Create(CultureInfo.InvariantCulture, $"epoch {epoch}: {detail}"));

    // Since: the commit of the part before, null for the first.
    private sealed record Slice(long Epoch, int Number, int Part, long? Since, long Commit, byte[] Hash);

    private sealed record HistoryRow(long Epoch, int Tile, long From, byte[]? Base, int Length, byte[] Changes);

    /// <summary>The epoch that is being followed.</summary>
    private sealed class Live
    {
        private readonly EpochIndex _epoch;
        private readonly Tile[] _tiles;
        private readonly Action<long, long, string> _fault;
        private bool _flushSeen;

        public Live(EpochIndex epoch, StoredEpoch? stored, List<HistoryRow> rows, Action<long, long, string> fault)
        {
            (_epoch, Stored, _fault) = (epoch, stored, fault);
            _tiles = [.. Enumerable.Range(0, TileHistory.Tiles).Select(_ => new Tile())];
            foreach (var row in rows)
            {
                if (row.Tile is >= 0 and < TileHistory.Tiles)
                {
                    _tiles[row.Tile].Rows.Enqueue(row);
                }
                else
                {
                    fault(row.Epoch, row.From, $"there is no tile {row.Tile}");
                }
            }

            if (stored is not null && stored.Start != epoch.Start)
            {
                fault(epoch.Number, stored.Start, $"it begins at {epoch.Start}");
            }
        }

        public long Number => _epoch.Number;

        public StoredEpoch? Stored { get; }

        public void After(long commit)
        {
            if (Stored is null || commit > Stored.Flushed)
            {
                return;
            }

            var at = checked((uint)(commit - _epoch.Start));
            var before = -1;
            foreach (var bucket in _epoch.Touched)
            {
                var tile = bucket / TileHistory.Width;
                _tiles[tile].Add(at, bucket % TileHistory.Width, _epoch.Bucket(bucket, out var kind), kind);
                if (tile != before)
                {
                    _tiles[TileHistory.Top].Add(at, tile, _epoch.Tile(tile, out var above), above);
                    before = tile;
                }
            }

            foreach (var tile in _tiles)
            {
                if (tile.Commit(commit) is { } why)
                {
                    _fault(Number, commit, why);
                }
            }

            _flushSeen |= commit == Stored.Flushed;
        }

        public void Close()
        {
            if (Stored is null)
            {
                return;
            }

            if (!_flushSeen)
            {
                _fault(Number, Stored.Flushed, "its history does not end with a commit entry");
            }

            foreach (var tile in _tiles.Where(t => t.IsOpen))
            {
                _fault(Number, Stored.Flushed, "its history holds more than the entries give");
            }
        }
    }

    /// <summary>One tile's values, and how far its rows have been held against them.</summary>
    private sealed class Tile
    {
        private const int ValueSize = 1 + IndexHash.Size;

        private readonly byte[] _values = new byte[TileHistory.Width * ValueSize];
        private readonly ArrayBufferWriter<byte> _changes = new();
        private HistoryRow? _row;
        private IncrementalHash? _hash;
        private int _left;
        private bool _isFaulty;

        public Queue<HistoryRow> Rows { get; } = new();

        /// <summary>Rows, or parts of one, are left over.</summary>
        public bool IsOpen => !_isFaulty && (_left > 0 || Rows.Count > 0);

        public void Add(uint commit, int slot, ReadOnlySpan<byte> hash, SubtreeKind kind)
        {
            var change = _changes.GetSpan(TileHistory.ChangeSize);
            BinaryPrimitives.WriteUInt32BigEndian(change, commit);
            (change[4], change[5]) = ((byte)slot, (byte)kind);
            hash.CopyTo(change[6..]);
            _changes.Advance(TileHistory.ChangeSize);
        }

        /// <summary>The commit's changes are complete; says what is wrong with the row that must hold them.</summary>
        public string? Commit(long commit)
        {
            if (_changes.WrittenCount == 0 || _isFaulty)
            {
                return null;
            }

            var changes = _changes.WrittenSpan;
            var why = (_left == 0 ? Open(commit) : null) ?? Take(changes, commit);
            for (var at = 0; at < changes.Length; at += TileHistory.ChangeSize)
            {
                changes.Slice(at + 5, ValueSize).CopyTo(_values.AsSpan(changes[at + 4] * ValueSize));
            }

            _changes.ResetWrittenCount();
            _isFaulty = why is not null;
            return why;
        }

        private string? Open(long commit)
        {
            if (!Rows.TryDequeue(out _row) || _row.From != commit)
            {
                return "a row of its history is missing, or begins elsewhere";
            }

            _hash ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            _left = _row.Length;
            return _row.Base is null ? _values.AsSpan().ContainsAnyExcept((byte)0) ? Differs(commit) : null
                : SHA256.HashData(_values).AsSpan().SequenceEqual(_row.Base) ? null : Differs(commit);
        }

        private string? Take(ReadOnlySpan<byte> changes, long commit)
        {
            if (changes.Length > _left)
            {
                return Differs(commit);
            }

            _hash!.AppendData(changes);
            _left -= changes.Length;
            return _left > 0 || _hash.GetHashAndReset().AsSpan().SequenceEqual(_row!.Changes) ? null : Differs(commit);
        }

        private string Differs(long commit) => string.Create(CultureInfo.InvariantCulture, $"tile {_row!.Tile} from {_row.From} is not what the entries up to {commit} give");
    }
}
