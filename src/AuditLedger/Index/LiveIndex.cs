using System.Diagnostics;
using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Index;

/// <summary>When the index writes what it keeps to the database.</summary>
internal sealed record IndexPace
{
    /// <summary>Bytes of history in memory that are stored together; some million changes.</summary>
    public long HistoryBytes { get; init; } = 40L << 20;

    /// <summary>Entries from one part of the live volume's image to when the next is begun: about what a start has to replay, some 10 s a million.</summary>
    public long ImageEvery { get; init; } = 1 << 19;

    /// <summary>Parts after which an image is written anew as a whole: a start reads them all, and keys that go on are in each.</summary>
    public int ImageParts { get; init; } = 32;

    /// <summary>
    /// Share of the time in which an image is written while groups are: tens or hundreds of megabytes as fast as they can be written would hold
    /// up each group meanwhile.
    /// </summary>
    public double ImageShare { get; init; } = 0.5;

    /// <summary>Entries since the last image that make one worth while at a clean stop.</summary>
    public long ImageAtStop { get; init; } = 1 << 16;
}

/// <summary>
/// The subject index of the running sequencer and what is needed to answer as of any commit. The sequencer stages each group before its
/// transaction and takes it back when that fails; readers never see a staged group, because they ask as of a published size.
/// It outlives the sequencer's footing: a database that fails for a moment costs no reload. What memory cannot hold, old history and sealed
/// volumes, is stored behind the sequencer's back; whatever of that is lost or damaged, the entries give again.
/// </summary>
internal sealed class LiveIndex(AuditLedgerOptions options, IndexPace pace, NpgsqlDataSource db, ILogger<LiveIndex> log)
{
    private const int ReplayLogStep = 1 << 20;
    private static readonly TimeSpan KeepPoll = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(10);

    private readonly IndexPace _pace = pace;
    private readonly IndexStore _stored = new(db);
    private readonly Lock _gate = new();
    private readonly SortedList<long, VolumeMemory> _volumes = [];
    private SubjectIndex _index = new();
    private bool _staged;

    // Raised when what is in memory is taken back or thrown away: a writer that copied of it gives up.
    private int _generation;
    private long _kept = -1;
    private long _imagedAt;
    private Task _writing = Task.CompletedTask;

    // There while nobody waits for what is being written but groups beside it; completed when somebody does, as at a start or a stop.
    private TaskCompletionSource? _hurry;

    // A write that failed, perhaps after it had been stored; and when, so that it is not tried again at once.
    private Writing? _unsure;
    private long _failedAt;

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
    public CommitEntry Stage(Group group)
    {
        lock (_gate)
        {
            var index = group.FirstIndex;
            foreach (var (request, _) in group.Accepted)
            {
                foreach (var e in request.Batch.Events)
                {
                    _index.Append(index, group.LeafHashes[(int)(index - group.FirstIndex)], e.Keys);
                    index++;
                }
            }

            var entry = _index.Commit(index, options.EpochSize);
            Record(entry);
            _staged = true;
            return entry;
        }
    }

    /// <summary>The staged group is stored for good.</summary>
    public void Keep()
    {
        lock (_gate)
        {
            _staged = false;
            _kept = _index.Last!.Covered;
            _hurry ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_writing.IsCompleted && NextToWrite() is not null)
            {
                _writing = Task.Run(() => WriteAll(CancellationToken.None));
            }
        }
    }

    /// <summary>Stores what a start would otherwise have to replay; at a clean stop.</summary>
    public async Task Rest()
    {
        var known = false;
        lock (_gate)
        {
            known = !_staged;
            _generation += known ? 0 : 1; // A writer must not wait for a group whose fate nobody will learn here.
        }

        await Written();
        if (known && !_stale && _volumes.Count > 0 && _kept >= _volumes.Values[^1].Flushed && _kept - Math.Max(_imagedAt, _volumes.Values[^1].Index.Start) >= _pace.ImageAtStop)
        {
            await Write(new Work(_volumes.Values[^1], Image: true, Sealed: null), CancellationToken.None);
        }
    }

    /// <summary>Brings the index to the head of the database, from where it stands if that is a prefix, and checks each logged commit entry.</summary>
    /// <exception cref="SetBackException">The stored entries do not give a logged commit entry.</exception>
    public async Task Align(SequencerStore store, long size, CancellationToken ct)
    {
        long from;
        Settle(size);
        await Written();
        var goesOn = await GoesOn(store, size, ct);
        for (var attempt = goesOn ? Attempt.AsItIs : Attempt.Image; ; attempt++)
        {
            await Load(store, size, attempt, ct);
            from = _index.Size;
            try
            {
                await Replay(store, size, ct);
                break;
            }
            catch (IndexFaultException e)
            {
                // What was taken up from was not what was logged: then from further back, at last from the entries alone.
                Damaged(e);
            }
        }

        lock (_gate)
        {
            _kept = size - 1;
        }

        LedgerLog.IndexReady(log, size, from, _index.Volume.KeyCount, _index.Sealed.Count);
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

    private Task Written()
    {
        lock (_gate)
        {
            _hurry?.TrySetResult();
            _hurry = null;
            return _writing;
        }
    }

    // A staged group may or may not have been stored.
    private void Settle(long size)
    {
        lock (_gate)
        {
            if (_staged && _index.Size > size)
            {
                Undo();
            }
            else if (_staged)
            {
                _kept = _index.Last!.Covered;
            }

            _staged = false;
        }
    }

    // What memory and database hold must be the same state, and the last commit entry stands for all of it.
    private async Task<bool> GoesOn(SequencerStore store, long size, CancellationToken ct) =>
        _index.Last is { } last && !_stale && _unsure is null && _index.Size <= size && !_index.HasPending
        && last.Equals(await store.ReadCommit(last.Covered, ct)) && await OnlyWriter(ct);

    // Another process that led meanwhile may have stored more than this one remembers.
    private async Task<bool> OnlyWriter(CancellationToken ct)
    {
        var stored = (await _stored.Volumes(ct)).ToDictionary(v => v.Number);
        return _volumes.Values.All(m => stored.TryGetValue(m.Index.Number, out var v) ? v.Flushed == m.Flushed && v.Ended is null : m.Flushed == m.Index.Start);
    }

    // From what is stored: sealed volumes, of which only their roots are needed, and the image of the first that is not.
    private async Task Load(SequencerStore store, long size, Attempt attempt, CancellationToken ct)
    {
        if (attempt == Attempt.AsItIs)
        {
            return;
        }

        if (attempt == Attempt.Entries)
        {
            await FromNothing(ct);
            return;
        }

        var volumes = await _stored.Volumes(ct);
        var whole = volumes.TakeWhile((v, i) => v.Number == i && v.Ended < size && v.Start == (i == 0 ? 0 : volumes[i - 1].Ended)).ToList();
        var open = volumes.Count > whole.Count && volumes[whole.Count] is { Ended: null } next && next.Number == whole.Count && next.Flushed < size ? next : null;
        await _stored.Forget(whole.Count + (open is null ? 0 : 1), ct);
        var sealedVolumes = whole.ConvertAll(v => new SealedVolume(v.Start, v.Ended!.Value, v.TrieRoot!));
        try
        {
            if (attempt == Attempt.Image && open is not null && await _stored.Image(open, ct) is (var volume, var image))
            {
                var from = image.Commits.Min();
                var last = await store.ReadCommit(from, ct) ?? throw new IndexFaultException($"there is no commit entry at {from}, from where an image goes on");
                var memory = new VolumeMemory(volume, open.Flushed, image);
                if (volume.ConsistentFrom == from)
                {
                    // Otherwise the first commit entry to follow behind the slices' latest is compared.
                    if (!volume.Root.Hash.AsSpan().SequenceEqual(last.TrieRoot) || volume.KeyCount != last.KeyCount)
                    {
                        throw new IndexFaultException($"the image of volume {volume.Number} does not give what was logged at {from}");
                    }

                    memory.StandAt(from);
                }

                Reset(new SubjectIndex(sealedVolumes, last, volume), memory);
                _imagedAt = from;
                return;
            }
        }
        catch (IndexFaultException e)
        {
            Damaged(e);
        }

        // History without an image would be flushed a second time.
        await _stored.Forget(whole.Count, ct);
        if (whole.Count == 0 || await store.ReadCommit(whole[^1].Ended!.Value, ct) is not { } end || !end.TrieRoot.AsSpan().SequenceEqual(whole[^1].TrieRoot))
        {
            await FromNothing(ct);
            return;
        }

        Reset(new SubjectIndex(sealedVolumes[..^1], end, null), null);
        _imagedAt = end.Covered;
    }

    private async Task FromNothing(CancellationToken ct)
    {
        await _stored.Forget(0, ct);
        Reset(new SubjectIndex(), null);
    }

    private void Damaged(IndexFaultException e)
    {
        LedgerLog.IndexDamaged(log, e.Message);
        LedgerMetrics.IndexFault();
    }

    private void Reset(SubjectIndex index, VolumeMemory? memory)
    {
        lock (_gate)
        {
            _generation++;
            (_stale, _unsure, _failedAt) = (false, null, 0);
            _index = index;
            _volumes.Clear();
            _imagedAt = 0;
            if (memory is not null)
            {
                _volumes.Add(memory.Index.Number, memory);
            }
        }
    }

    private async Task Replay(SequencerStore store, long size, CancellationToken ct)
    {
        var from = _index.Size;
        if (from == size)
        {
            return;
        }

        await foreach (var entry in store.ReadKeys(from, size, ct))
        {
            Take(entry, fromImage: from > 0);
            if (entry.Commit is not null && Pending() is not null)
            {
                // A long log must not pile up in memory while it is read.
                await WriteAll(ct);
            }

            if (entry.Index % ReplayLogStep == 0 && entry.Index > from)
            {
                LedgerLog.IndexReplays(log, entry.Index, size);
            }
        }
    }

    private void Take(LoggedKeys entry, bool fromImage)
    {
        lock (_gate)
        {
            if (entry.Commit is null)
            {
                _index.Append(entry.Index, entry.LeafHash, entry.Keys.Span);
                return;
            }

            if (!_index.Follow(entry.Commit))
            {
                var what = $"the entries before {entry.Index} do not give the subject index that was committed there";
                throw fromImage ? new IndexFaultException(what) : new SetBackException(what);
            }

            Record(entry.Commit);
            _kept = entry.Index;
        }
    }

    private void Record(CommitEntry entry)
    {
        if (!_volumes.TryGetValue(entry.Volume, out var memory))
        {
            _volumes.Add(entry.Volume, memory = new VolumeMemory(_index.Volume, _index.Volume.Start, StoredImage.None(_index.Volume.Start)));
        }

        memory.Record(entry.Covered);
    }

    private void Undo()
    {
        _generation++;
        var volume = _index.Volume;
        _volumes[volume.Number].Undo();
        _index.Undo();
        if (!ReferenceEquals(volume, _index.Volume) || _index.Last is null)
        {
            _volumes.Remove(volume.Number);
        }
    }

    private Work? Pending()
    {
        lock (_gate)
        {
            return NextToWrite();
        }
    }

    // Sealed volumes first, which then leave memory.
    private Work? NextToWrite()
    {
        if (_volumes.Count == 0 || _stale || (_failedAt != 0 && Stopwatch.GetElapsedTime(_failedAt) < Retry))
        {
            return null;
        }

        var oldest = _volumes.Values[0];
        if (_kept < oldest.Flushed)
        {
            return null; // An image whose slices have not met yet.
        }

        if (_volumes.Count > 1 && _kept > _volumes.Values[1].Index.Start)
        {
            return new Work(oldest, Image: true, _index.Sealed[(int)oldest.Index.Number]);
        }

        var image = _kept - Math.Max(_imagedAt, oldest.Index.Start) >= _pace.ImageEvery;
        return image || oldest.Bytes >= _pace.HistoryBytes ? new Work(oldest, image, null) : null;
    }

    private async Task WriteAll(CancellationToken ct)
    {
        while (Pending() is { } work)
        {
            await Write(work, ct);
        }
    }

    private async Task Write(Work work, CancellationToken ct)
    {
        var writing = new Writing(this, work);
        try
        {
            if (_unsure is { } before)
            {
                // Whether that was stored shows in how far the database says it goes.
                var stored = (await _stored.Volumes(ct)).Find(v => v.Number == before.Part!.Volume);
                var there = stored is not null && (stored.Flushed == before.Part!.UpTo || stored.Ended == before.Part.UpTo);
                Finish(before, there ? SaveOutcome.Stored : SaveOutcome.TakenBack);
                return;
            }

            Finish(writing, await _stored.Save(work.Volume.Index, writing.Image, () => writing.TakeHistory(ct), work.Sealed?.TrieRoot, ct));
        }
#pragma warning disable CA1031 // Nothing depends on it: what is not stored stays in memory, and is tried again.
        catch (Exception e) when (!ct.IsCancellationRequested)
#pragma warning restore CA1031
        {
            LedgerLog.IndexNotStored(log, e);
            lock (_gate)
            {
                _unsure ??= writing.Part is null ? null : writing;
                _failedAt = Stopwatch.GetTimestamp();
            }
        }
    }

    // Leaves disk and processor to the groups for a while.
    private Task Pause(TimeSpan worked)
    {
        lock (_gate)
        {
            return _hurry is null ? Task.CompletedTask : Task.WhenAny(_hurry.Task, Task.Delay(worked * ((1 / _pace.ImageShare) - 1)));
        }
    }

    private void Finish(Writing writing, SaveOutcome outcome)
    {
        lock (_gate)
        {
            (_unsure, _failedAt) = (null, 0);
            _stale = outcome == SaveOutcome.Overtaken;
            if (outcome != SaveOutcome.Stored)
            {
                return; // What was taken back, or did not take place, is made again without the group that was.
            }

            var work = writing.Work;
            work.Volume.Drop(writing.Part!);
            if (work.Image)
            {
                (work.Volume.Image, _imagedAt) = (writing.Made, writing.Latest);
            }

            if (work.Sealed is { } ended)
            {
                _volumes.Remove(work.Volume.Index.Number);
                _imagedAt = ended.End;
            }
        }
    }

    /// <summary>From where the index is brought to the head.</summary>
    private enum Attempt
    {
        AsItIs,
        Image,
        SealedVolumes,
        Entries,
    }

    private sealed record Work(VolumeMemory Volume, bool Image, SealedVolume? Sealed);

    /// <summary>One write on its way: the image slice by slice while the sequencer goes on, then the history up to where the slices stand.</summary>
    private sealed class Writing(LiveIndex live, Work work)
    {
        private readonly int _generation = live._generation;

        // What is sealed is read by the slice from now on, and what has many parts is long to load: these are stored as a whole.
        private readonly StoredImage _before =
            work.Sealed is not null || work.Volume.Image.Parts >= live._pace.ImageParts ? StoredImage.None(work.Volume.Index.Start) : work.Volume.Image;

        private readonly long[] _commits = new long[VolumeImage.Slices];

        public Work Work => work;

        /// <summary>The part of the image that is written; null when none is.</summary>
        public ImagePart? Image => work.Image ? new ImagePart(_before.Parts, Slice, live.Pause) : null;

        /// <summary>How far the image goes with that part.</summary>
        public StoredImage Made => new(_before.Parts + 1, _commits);

        /// <summary>The history that goes with it, once taken.</summary>
        public HistoryPart? Part { get; private set; }

        /// <summary>Latest commit that a slice holds.</summary>
        public long Latest { get; private set; }

        private long End => work.Volume.Index.Number < live._index.Sealed.Count ? live._index.Sealed[(int)work.Volume.Index.Number].End : long.MaxValue;

        private (long Commit, ReadOnlyMemory<byte> Keys) Slice(int slice)
        {
            lock (live._gate)
            {
                Latest = _commits[slice] = Math.Min(live._index.Last!.Covered, End);
                return (Latest, work.Volume.Index.WriteSlice(slice, _before.Commits[slice]));
            }
        }

        // A slice may hold a group that is staged. It is stored only when that group is: until then this waits, and gives up when it is taken back.
        public async Task<HistoryPart?> TakeHistory(CancellationToken ct)
        {
            while (true)
            {
                lock (live._gate)
                {
                    if (_generation != live._generation)
                    {
                        return null;
                    }

                    if (live._kept >= Latest)
                    {
                        var staged = live._staged && ReferenceEquals(live._index.Volume, work.Volume.Index);
                        return Part = work.Volume.Take(Math.Min(live._kept, End), staged);
                    }
                }

                await Task.Delay(KeepPoll, ct);
            }
        }
    }
}

/// <summary>What the index needs of a logged entry.</summary>
/// <param name="Index">Index in the log.</param>
/// <param name="LeafHash">As stored.</param>
/// <param name="Keys">Keys of an event.</param>
/// <param name="Commit">The commit entry, when it is one.</param>
internal readonly record struct LoggedKeys(long Index, byte[] LeafHash, ReadOnlyMemory<byte> Keys, CommitEntry? Commit);
