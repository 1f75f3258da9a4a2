using System.Diagnostics;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Index;

// How history and images are written to the database while the sequencer goes on.
internal sealed partial class LiveIndex
{
    private static readonly TimeSpan ConfirmPoll = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(10);

    private long _imagedAt;
    private Task _writing = Task.CompletedTask;

    // There while nobody waits for what is being written but groups beside it; completed when somebody does, as at a start or a stop.
    private TaskCompletionSource? _hurry;

    // A write that failed, perhaps after it had been stored; and when, so that it is not tried again at once.
    private Writing? _unsure;
    private long _failedAt;

    /// <summary>Stores what a start would otherwise have to replay; at a clean stop.</summary>
    public async Task StoreImage()
    {
        var known = false;
        lock (_gate)
        {
            known = !_staged;
            _generation += known ? 0 : 1; // A writer must not wait for a group whose fate nobody will learn here.
        }

        await FinishWriting();
        if (known && !_stale && _volumes.Count > 0 && _confirmed >= _volumes.Values[^1].Flushed && _confirmed - Math.Max(_imagedAt, _volumes.Values[^1].Index.Start) >= _pace.ImageAtStop)
        {
            await WriteWork(new Work(_volumes.Values[^1], Image: true, Sealed: null), CancellationToken.None);
        }
    }

    private Task FinishWriting()
    {
        lock (_gate)
        {
            _hurry?.TrySetResult();
            _hurry = null;
            return _writing;
        }
    }

    private Work? NextWork()
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
        if (_confirmed < oldest.Flushed)
        {
            return null; // An image whose slices have not met yet.
        }

        if (_volumes.Count > 1 && _confirmed > _volumes.Values[1].Index.Start)
        {
            return new Work(oldest, Image: true, _index.Sealed[(int)oldest.Index.Number]);
        }

        var image = _confirmed - Math.Max(_imagedAt, oldest.Index.Start) >= _pace.ImageEvery;
        return image || oldest.Bytes >= _pace.HistoryBytes ? new Work(oldest, image, null) : null;
    }

    private async Task WriteAll(CancellationToken ct)
    {
        while (NextWork() is { } work)
        {
            await WriteWork(work, ct);
        }
    }

    private async Task WriteWork(Work work, CancellationToken ct)
    {
        var writing = new Writing(this, work);
        try
        {
            if (_unsure is { } before)
            {
                // Whether that was stored shows in how far the database says it goes.
                var stored = (await _stored.Volumes(ct)).Find(v => v.Number == before.Part!.Volume);
                var there = stored is not null && (stored.Flushed == before.Part!.UpTo || stored.Ended == before.Part.UpTo);
                Conclude(before, there ? SaveOutcome.Stored : SaveOutcome.TakenBack);
                return;
            }

            Conclude(writing, await _stored.Save(work.Volume.Index, writing.Image, () => writing.TakeHistory(ct), work.Sealed?.TrieRoot, ct));
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

    private void Conclude(Writing writing, SaveOutcome outcome)
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
            work.Volume.DropStored(writing.Part!);
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

                    if (live._confirmed >= Latest)
                    {
                        var staged = live._staged && ReferenceEquals(live._index.Volume, work.Volume.Index);
                        return Part = work.Volume.CopyHistory(Math.Min(live._confirmed, End), staged);
                    }
                }

                await Task.Delay(ConfirmPoll, ct);
            }
        }
    }
}
