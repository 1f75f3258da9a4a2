using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Index;

/// <summary>
/// The subject index of the running sequencer and what is needed to answer as of any commit. The sequencer stages each group before its
/// transaction and takes it back when that fails; readers never see a staged group, because they ask as of a published size.
/// It outlives the sequencer's footing: a database that fails for a moment costs no reload. What memory cannot hold, old history and sealed
/// volumes, is stored behind the sequencer's back; whatever of that is lost or damaged, the entries give again.
/// </summary>
internal sealed partial class LiveIndex(AuditLedgerOptions options, IndexPace pace, NpgsqlDataSource db, ILogger<LiveIndex> log)
{
    private readonly IndexPace _pace = pace;
    private readonly IndexStore _stored = new(db);
    private readonly Lock _gate = new();
    private readonly SortedList<long, VolumeMemory> _volumes = [];
    private SubjectIndex _index = new();
    private bool _staged;
    private long _confirmed = -1;

    // Raised when what is in memory is taken back or thrown away: a writer that copied of it gives up.
    private int _generation;

    // What is stored does not go on from what is in memory: nothing more is written until the index is loaded again.
    private bool _stale;

    /// <summary>Events were logged that no commit entry covers: the log is older than the index.</summary>
    public bool HasPending => _index.HasPending;

    /// <summary>Volumes that memory holds whole.</summary>
    public int Resident
    {
        get
        {
            lock (_gate)
            {
                return _volumes.Count;
            }
        }
    }

    /// <summary>Takes a group's events and gives the commit entry that follows them.</summary>
    public CommitEntry StageGroup(Group group)
    {
        lock (_gate)
        {
            var index = group.FirstIndex;
            foreach (var (request, _) in group.Accepted)
            {
                foreach (var e in request.Batch.Events)
                {
                    _index.Append(index, group.LeafHashes[(int)(index - group.FirstIndex)], e.Keys, byActor: true);
                    index++;
                }
            }

            var entry = _index.Commit(index, options.EpochSize);
            RecordCommit(entry);
            _staged = true;
            return entry;
        }
    }

    /// <summary>The staged group is stored for good.</summary>
    public void ConfirmGroup()
    {
        lock (_gate)
        {
            _staged = false;
            _confirmed = _index.Last!.Covered;
            _hurry ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_writing.IsCompleted && NextToWrite() is not null)
            {
                _writing = Task.Run(() => WriteAll(CancellationToken.None));
            }
        }
    }

    /// <summary>Sealed volumes, of which a commit entry knows the first <paramref name="count"/>; null when there are fewer.</summary>
    public IReadOnlyList<SealedVolume>? Sealed(long count)
    {
        lock (_gate)
        {
            return count <= _index.Sealed.Count ? [.. _index.Sealed.Take((int)count)] : null;
        }
    }

    /// <summary>A fan's values as a commit left them.</summary>
    public async Task<SubtreeValue[]> Values(VolumeAt at, int fan, CancellationToken ct)
    {
        lock (_gate)
        {
            if (_volumes.TryGetValue(at.Number, out var memory) && at.Commit >= memory.Flushed)
            {
                return memory.Fans[fan].AsOf((uint)(at.Commit - at.Start));
            }
        }

        return await _stored.Values(at, fan, ct);
    }

    /// <summary>What the volume holds of each key of a bucket: later postings than the caller asks for included.</summary>
    public async Task<List<KeyPostings>> Bucket(VolumeAt at, int bucket, CancellationToken ct)
    {
        lock (_gate)
        {
            if (_volumes.TryGetValue(at.Number, out var memory))
            {
                return memory.Index.Read(bucket);
            }
        }

        return await _stored.Bucket(at, bucket, ct);
    }

    private void RecordCommit(CommitEntry entry)
    {
        if (!_volumes.TryGetValue(entry.Volume, out var memory))
        {
            _volumes.Add(entry.Volume, memory = new VolumeMemory(_index.Volume, _index.Volume.Start, StoredImage.None(_index.Volume.Start)));
        }

        memory.RecordCommit(entry.Covered);
    }

    private void RevertGroup()
    {
        _generation++;
        var volume = _index.Volume;
        _volumes[volume.Number].RevertCommit();
        _index.RevertCommit();
        if (!ReferenceEquals(volume, _index.Volume) || _index.Last is null)
        {
            _volumes.Remove(volume.Number);
        }
    }
}
