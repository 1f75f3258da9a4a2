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
/// stored is needed in memory but a hash of each row, which the server makes. Names of tables and columns are those of <see cref="IndexStore"/>.
/// </summary>
internal sealed class IndexCheck
{
    private const string SelectVolumes = "SELECT epoch, start, flushed, ended, trie_root FROM index_epochs ORDER BY epoch";

    private const string SelectImage = """
        SELECT epoch, slice, part, lag(commit) OVER (PARTITION BY epoch, slice ORDER BY part), commit, sha256(keys) FROM index_image
        WHERE epoch >= $1 AND epoch <= $2
        """;

    private const string SelectHistory = """
        SELECT epoch, tile, from_commit, sha256(base), octet_length(changes), sha256(changes) FROM index_history
        WHERE epoch >= $1 AND epoch <= $2 ORDER BY epoch, tile, from_commit
        """;

    private readonly Action<string, long?, string> _report;
    private readonly Dictionary<long, StoredVolume> _volumes;
    private readonly Dictionary<(long Volume, long Commit), List<Slice>> _slices;
    private readonly Dictionary<long, List<HistoryRow>> _history;
    private readonly StoredVolume? _last;
    private Live? _live;

    private IndexCheck(Action<string, long?, string> report, List<StoredVolume> volumes, StoredVolume? last, List<Slice> slices, List<HistoryRow> history)
    {
        (_report, _last) = (report, last);
        _volumes = volumes.ToDictionary(v => v.Number);
        _slices = slices.GroupBy(s => (s.Volume, s.Commit)).ToDictionary(g => g.Key, g => g.ToList());
        _history = history.GroupBy(h => h.Volume).ToDictionary(g => g.Key, g => g.ToList());
        foreach (var part in slices.GroupBy(s => (s.Volume, s.Part)).Where(g => g.Count() != VolumeImage.Slices))
        {
            Fault(part.Key.Volume, part.First().Commit, $"part {part.Key.Part} of its image has {part.Count()} slices of {VolumeImage.Slices}");
        }

        foreach (var image in slices.GroupBy(s => s.Volume).Where(g => g.Max(s => s.Part) != g.DistinctBy(s => s.Part).Count() - 1))
        {
            Fault(image.Key, image.First().Commit, "its image has not all of its parts");
        }

        foreach (var stored in volumes.Where(v => v.Ended is not null && slices.Exists(s => s.Volume == v.Number && s.Part > 0)))
        {
            Fault(stored.Number, stored.Flushed, "its image has several parts although it is sealed");
        }
    }

    /// <summary>Reads what is stored, as of one moment: before the head is read, which then covers it.</summary>
    /// <param name="db">The database.</param>
    /// <param name="from">Where the check goes on; null with the first entry.</param>
    /// <param name="toVolumesEnd">Whether it goes no further than the next end of a volume: then no more is read either.</param>
    /// <param name="report">Told each fault.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<IndexCheck> Load(NpgsqlDataSource db, CheckPosition? from, bool toVolumesEnd, Action<string, long?, string> report, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, ct);
        var volumes = await tx.Sql(SelectVolumes).All(
            r => new StoredVolume(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.IsDBNull(3) ? null : r.GetInt64(3), r.Nullable<byte[]>(4)), ct);
        var first = from?.Volume + 1 ?? 0;
        var last = toVolumesEnd ? volumes.Find(v => v.Number >= first && v.Ended >= (from?.Size ?? 0)) : null;
        var slices = await tx.Sql(SelectImage).With(first).With(last?.Number ?? long.MaxValue).All(
            r => new Slice(r.GetInt64(0), r.GetInt16(1), r.GetInt16(2), r.IsDBNull(3) ? null : r.GetInt64(3), r.GetInt64(4), r.GetFieldValue<byte[]>(5)), ct);
        var history = await tx.Sql(SelectHistory).With(first).With(last?.Number ?? long.MaxValue).All(
            r => new HistoryRow(r.GetInt64(0), r.GetInt16(1), r.GetInt64(2), r.Nullable<byte[]>(3), r.GetInt32(4), r.GetFieldValue<byte[]>(5)), ct);
        return new IndexCheck(report, volumes, last, slices, history);
    }

    /// <summary>What is stored of each volume.</summary>
    public IReadOnlyList<StoredVolume> Volumes => [.. _volumes.Values];

    /// <summary>Index after the commit entry that ended the last volume of this check, as stored; the largest number where that is the log's last.</summary>
    public long End => _last?.Ended + 1 ?? long.MaxValue;

    /// <summary>The index has followed a commit entry.</summary>
    public void After(SubjectIndex index)
    {
        var (volume, commit) = (index.Volume, index.Last!.Covered);
        if (_live is null || _live.Number != volume.Number)
        {
            Close(index);
            _live = new Live(volume, _volumes.GetValueOrDefault(volume.Number), _history.GetValueOrDefault(volume.Number) ?? [], Fault);
        }

        _live.After(commit);
        if (_slices.Remove((volume.Number, commit), out var slices))
        {
            foreach (var slice in slices.Where(s => !IsGiven(s, volume)))
            {
                Fault(slice.Volume, commit, $"slice {slice.Number} of part {slice.Part} of its image is not what the entries give");
            }
        }
    }

    /// <summary>The commit entry has been followed behind which another check goes on: there a volume has to end, of which nothing stored may be left over.</summary>
    public void EndVolume(SubjectIndex index)
    {
        _live?.Close();
        if (_last is { } last && !(index.Last is { } commit && (commit.Volume, commit.Covered) == (last.Number, last.Ended) && last.Flushed == last.Ended
            && commit.TrieRoot.AsSpan().SequenceEqual(last.TrieRoot)))
        {
            Fault(last.Number, last.Ended!.Value, "it did not end there, or with another root");
        }

        ReportLeftOver();
    }

    /// <summary>All commit entries have been followed.</summary>
    public void EndLog(SubjectIndex index)
    {
        Close(index);
        foreach (var volume in _volumes.Values.Where(v => v.Number > index.Volume.Number))
        {
            Fault(volume.Number, volume.Start, "the log has no such volume");
        }

        ReportLeftOver();
    }

    private void ReportLeftOver()
    {
        foreach (var ((volume, commit), slices) in _slices)
        {
            Fault(volume, commit, $"{slices.Count} slices of its image are as of no commit entry");
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
            && (live.Number >= index.Sealed.Count || index.Sealed[(int)live.Number] is var sealedVolume && (sealedVolume.End != ended || stored.Flushed != ended || !sealedVolume.TrieRoot.AsSpan().SequenceEqual(stored.TrieRoot))))
        {
            Fault(live.Number, ended, "it did not end there, or with another root");
        }
    }

    private static bool IsGiven(Slice slice, IndexVolume volume)
    {
        var since = slice.Since ?? volume.Start;
        return slice.Number is >= 0 and < VolumeImage.Slices && since >= volume.Start && since <= slice.Commit
            && SHA256.HashData(volume.WriteSlice(slice.Number, since).Span).AsSpan().SequenceEqual(slice.Hash);
    }

    private void Fault(long volume, long commit, string detail) =>
        _report("index-row", commit, string.Create(CultureInfo.InvariantCulture, $"volume {volume}: {detail}"));

    // Since: the commit of the part before, null for the first.
    private sealed record Slice(long Volume, int Number, int Part, long? Since, long Commit, byte[] Hash);

    private sealed record HistoryRow(long Volume, int Fan, long From, byte[]? Base, int Length, byte[] Changes);

    /// <summary>The volume that is being followed.</summary>
    private sealed class Live
    {
        private readonly IndexVolume _volume;
        private readonly Fan[] _fans;
        private readonly Action<long, long, string> _fault;
        private bool _flushSeen;

        public Live(IndexVolume volume, StoredVolume? stored, List<HistoryRow> rows, Action<long, long, string> fault)
        {
            (_volume, Stored, _fault) = (volume, stored, fault);
            _fans = [.. Enumerable.Range(0, FanHistory.Fans).Select(_ => new Fan())];
            foreach (var row in rows)
            {
                if (row.Fan is >= 0 and < FanHistory.Fans)
                {
                    _fans[row.Fan].Rows.Enqueue(row);
                }
                else
                {
                    fault(row.Volume, row.From, $"there is no fan {row.Fan}");
                }
            }

            if (stored is not null && stored.Start != volume.Start)
            {
                fault(volume.Number, stored.Start, $"it begins at {volume.Start}");
            }
        }

        public long Number => _volume.Number;

        public StoredVolume? Stored { get; }

        public void After(long commit)
        {
            if (Stored is null || commit > Stored.Flushed)
            {
                return;
            }

            var at = checked((uint)(commit - _volume.Start));
            var before = -1;
            foreach (var bucket in _volume.Touched)
            {
                var fan = bucket / FanHistory.Width;
                _fans[fan].AddChange(at, bucket % FanHistory.Width, _volume.Bucket(bucket, out var kind), kind);
                if (fan != before)
                {
                    _fans[FanHistory.Top].AddChange(at, fan, _volume.FanRoot(fan, out var above), above);
                    before = fan;
                }
            }

            foreach (var fan in _fans)
            {
                if (fan.EndCommit(commit) is { } why)
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

            foreach (var fan in _fans.Where(f => f.IsOpen))
            {
                _fault(Number, Stored.Flushed, "its history holds more than the entries give");
            }
        }
    }

    /// <summary>One fan's values, and how far its rows have been held against them.</summary>
    private sealed class Fan
    {
        private const int ValueSize = 1 + IndexHash.Size;

        private readonly byte[] _values = new byte[FanHistory.Width * ValueSize];
        private readonly ArrayBufferWriter<byte> _changes = new();
        private HistoryRow? _row;
        private IncrementalHash? _hash;
        private int _left;
        private bool _isFaulty;

        public Queue<HistoryRow> Rows { get; } = new();

        /// <summary>Rows, or parts of one, are left over.</summary>
        public bool IsOpen => !_isFaulty && (_left > 0 || Rows.Count > 0);

        public void AddChange(uint commit, int slot, ReadOnlySpan<byte> hash, SubtreeKind kind)
        {
            var change = _changes.GetSpan(FanHistory.ChangeSize);
            BinaryPrimitives.WriteUInt32BigEndian(change, commit);
            (change[4], change[5]) = ((byte)slot, (byte)kind);
            hash.CopyTo(change[6..]);
            _changes.Advance(FanHistory.ChangeSize);
        }

        /// <summary>The commit's changes are complete; says what is wrong with the row that must hold them.</summary>
        public string? EndCommit(long commit)
        {
            if (_changes.WrittenCount == 0 || _isFaulty)
            {
                return null;
            }

            var changes = _changes.WrittenSpan;
            var why = (_left == 0 ? OpenRow(commit) : null) ?? CompareWithRow(changes, commit);
            for (var at = 0; at < changes.Length; at += FanHistory.ChangeSize)
            {
                changes.Slice(at + 5, ValueSize).CopyTo(_values.AsSpan(changes[at + 4] * ValueSize));
            }

            _changes.ResetWrittenCount();
            _isFaulty = why is not null;
            return why;
        }

        private string? OpenRow(long commit)
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

        private string? CompareWithRow(ReadOnlySpan<byte> changes, long commit)
        {
            if (changes.Length > _left)
            {
                return Differs(commit);
            }

            _hash!.AppendData(changes);
            _left -= changes.Length;
            return _left > 0 || _hash.GetHashAndReset().AsSpan().SequenceEqual(_row!.Changes) ? null : Differs(commit);
        }

        private string Differs(long commit) => string.Create(CultureInfo.InvariantCulture, $"fan {_row!.Fan} from {_row.From} is not what the entries up to {commit} give");
    }
}
