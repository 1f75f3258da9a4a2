using System.Globalization;
using Npgsql;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Fsck;

/// <summary>
/// Makes the subject index again, entry by entry, holds it against every commit entry, and what is stored of it against both. Of pruned entries the
/// stored image says which keys they had: it is not believed, but what it gives has to hash to the commit entries whose hashes the log's tree holds.
/// </summary>
internal sealed class IndexReplay : IDisposable
{
    private readonly IndexCheck _stored;
    private readonly PrunedPostings? _pruned;
    private readonly Action<string, long?, string> _report;
    private readonly Action<string> _note;

    // Null when nothing more can be compared.
    private SubjectIndex? _index;

    private IndexReplay(IndexCheck stored, PrunedPostings? pruned, SubjectIndex index, Action<string, long?, string> report, Action<string> note)
    {
        (_stored, _pruned, _report, _note) = (stored, pruned, report, note);
        _index = index;
    }

    /// <summary>Volumes that were sealed before the last commit entry; none when nothing more could be compared.</summary>
    public IReadOnlyList<SealedVolume> Sealed => _index?.Sealed ?? [];

    /// <summary>The last commit entry that was followed; null when there is none, or nothing more could be compared.</summary>
    public CommitEntry? Last => _index?.Last;

    /// <summary>Makes one before the first entry, or where a check goes on.</summary>
    /// <param name="db">The database, for what is stored of pruned entries.</param>
    /// <param name="stored">What is stored of the index.</param>
    /// <param name="minimum">Entries below it are pruned.</param>
    /// <param name="byActor">What the log's last commit entry says of it: the first events may be pruned.</param>
    /// <param name="report">Told each fault.</param>
    /// <param name="note">Told what could not be checked.</param>
    /// <param name="from">Where the check goes on; null with the first entry.</param>
    public static IndexReplay Open(
        NpgsqlDataSource db, IndexCheck stored, long minimum, bool byActor, Action<string, long?, string> report, Action<string> note, CheckPosition? from = null)
    {
        var pruned = minimum > (from?.Size ?? 0) ? PrunedPostings.Open(db, stored.Volumes, minimum) : null;
        var index = from is null
            ? new SubjectIndex(canUndo: pruned is not null, byActor) : new SubjectIndex(from.Sealed, from.Entry, volume: null, canUndo: pruned is not null);
        return new IndexReplay(stored, pruned, index, report, note);
    }

    /// <summary>Follows the log, to its end or to the end of a volume.</summary>
    /// <param name="blocks">Judged blocks, in order.</param>
    /// <param name="done">Takes each back.</param>
    /// <param name="toLogsEnd">Whether the log ends where they end.</param>
    public void Follow(IEnumerable<EntryBlock> blocks, Action<EntryBlock> done, bool toLogsEnd = true)
    {
        foreach (var block in blocks)
        {
            for (var i = 0; i < block.Count && _index is not null; i++)
            {
                var goesOn = i < block.Pruned ? FollowPruned(_index, block, i, _pruned!) : Follow(_index, block, i);
                _index = goesOn ? _index : null;
            }

            done(block);
        }

        if (_index is not null && toLogsEnd)
        {
            _stored.EndLog(_index);
        }
        else if (_index is not null)
        {
            _stored.EndVolume(_index);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _pruned?.Dispose();

    private bool Follow(SubjectIndex index, EntryBlock block, int i)
    {
        switch (block.State(i))
        {
            case EntryState.Event:
                index.Append(block.First + i, block.Hash(i), block.Keys(i), block.IsByActor(i));
                return true;
            case EntryState.Commit:
                if (index.HasPending && index.Follow(CommitEntry.TryRead(block.Leaf(i))!))
                {
                    _stored.After(index);
                    return true;
                }

                _report("index-root", block.First + i, "the subject index recomputed from the entries is not the one this commit entry names");
                return false;
            default:
                _note($"The subject index was not recomputed beyond entry {block.First + i}, which is damaged.");
                return false;
        }
    }

    private bool FollowPruned(SubjectIndex index, EntryBlock block, int i, PrunedPostings pruned)
    {
        var at = block.First + i;
        var beginsVolume = index.Last is { } last && pruned.EndOf(last.Volume) == last.Covered;
        var volume = index.Volume.Number + (beginsVolume ? 1 : 0);
        if (!pruned.TryKeys(at, out var keys))
        {
            _report("index-row", at, string.Create(CultureInfo.InvariantCulture, $"volume {volume}: its image is missing or damaged, and entries that could replace it are pruned"));
            return false;
        }

        // An event that concerns no subject looks like a commit entry, until the index is hashed with all events before it. Such events are few.
        if (keys.IsEmpty && index.HasPending && index.TryFollow(at, block.Hash(i), beginsVolume))
        {
            _stored.After(index);
            return true;
        }

        if (at == pruned.EndOf(volume))
        {
            _report("index-row", at, string.Create(CultureInfo.InvariantCulture, $"volume {volume}: its image does not give the commit entry that ended it, and entries that could replace it are pruned"));
            return false;
        }

        index.Append(at, block.Hash(i), keys);
        return true;
    }
}
