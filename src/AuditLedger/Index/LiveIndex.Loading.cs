using Trust.AuditLedger.Entries;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Index;

// How the index is brought to the head of the database: from memory, images or entries.
internal sealed partial class LiveIndex
{
    private const int ReplayLogStep = 1 << 20;

    /// <summary>Brings the index to the head of the database, from where it stands if that is a prefix, and checks each logged commit entry.</summary>
    /// <exception cref="SetBackException">The stored entries do not give a logged commit entry.</exception>
    public async Task BringToHead(SequencerStore store, long size, CancellationToken ct)
    {
        long from;
        SettleStagedGroup(size);
        await FinishWriting();
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
                ReportDamage(e);
            }
        }

        lock (_gate)
        {
            _confirmed = size - 1;
        }

        LedgerLog.IndexReady(log, size, from, _index.Volume.KeyCount, _index.Sealed.Count);
    }

    // A staged group may or may not have been stored.
    private void SettleStagedGroup(long size)
    {
        lock (_gate)
        {
            if (_staged && _index.Size > size)
            {
                RevertGroup();
            }
            else if (_staged)
            {
                _confirmed = _index.Last!.Covered;
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
            ReportDamage(e);
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

    private void ReportDamage(IndexFaultException e)
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
            FollowEntry(entry, fromImage: from > 0);
            if (entry.Commit is not null && NextWork() is not null)
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

    private void FollowEntry(LoggedKeys entry, bool fromImage)
    {
        lock (_gate)
        {
            if (entry.Commit is null)
            {
                _index.Append(entry.Index, entry.LeafHash, entry.Keys.Span, entry.ByActor);
                return;
            }

            if (!_index.Follow(entry.Commit))
            {
                var what = $"the entries before {entry.Index} do not give the subject index that was committed there";
                throw fromImage ? new IndexFaultException(what) : new SetBackException(what);
            }

            RecordCommit(entry.Commit);
            _confirmed = entry.Index;
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
}
