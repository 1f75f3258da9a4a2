using Npgsql;
using Trust.AuditLedger.Checkpoints;
using Trust.AuditLedger.Index;
using Trust.AuditLedger.Shredding;
using Trust.AuditLedger.Watching;
using Trust.AuditLedger.Witnessing;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.LockStore;
using Trust.LogFormat;

namespace Trust.AuditLedger.Entries;

/// <summary>
/// Gives every event its one index. Of several processes one leads, held by a database lock and the lock store, and fenced by the head's
/// compare-and-swap. Order for each group: stage rows and commit; read them back and hash them again; sign; swap the lock store; publish;
/// answer. A crash between any two leaves nothing answered that is not both stored and signed. Any unknown state lets go and loads again.
/// </summary>
internal sealed class Sequencer(
    NpgsqlDataSource db, ILockStore lockStore, CheckpointSigner signer, Sources declared, AuditLedgerOptions options, TimeProvider clock,
    LiveIndex index, WitnessSet witnesses, AccessWatch access, IntakeWatch intake, Alarms alarms, LedgerFaults faults, ILogger<Sequencer> log)
    : IDisposable
{
    /// <summary>From losing or not getting the lead to the next try.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    private readonly SubmissionQueue _queue = new(options.QueueLength);

    private volatile bool _leading;
    private volatile Dictionary<string, SourcePosition> _heads = new(StringComparer.Ordinal);
    private volatile PublishedHead? _published;
    private readonly CancellationTokenSource _found = new();
    private SetBackException? _setBack;
    private volatile string? _why = "starting";

    /// <summary>The latest signed head; null while this process does not lead.</summary>
    public PublishedHead? Published => _leading ? _published : null;

    /// <summary>Why nothing is sequenced here; null while leading.</summary>
    public string? NotLeading => _why;

    /// <summary>Hands in a submission; answers at once when it cannot be taken.</summary>
    public Task<SubmitOutcome> Submit(Submission submission) => _queue.Submit(submission);

    /// <summary>
    /// Judges a witness's answer to a checkpoint of this log: where it proves that this process builds on an older or another history, nothing is signed or
    /// acknowledged from now on, and the process ends.
    /// </summary>
    /// <returns>Whether it proves that.</returns>
    public bool EndBy(string witness, WitnessAnswer answer)
    {
        // The lock store is held while this process leads, so nobody else can have signed for more: only then an answer proves anything.
        if (Published is not { } head || SetBackException.By(witness, answer, head.Checkpoint.Size) is not { } found)
        {
            return false;
        }

        Interlocked.CompareExchange(ref _setBack, found, null);
        _leading = false;
        _queue.Shut();
        _found.Cancel();
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => _found.Dispose();

    /// <summary>A source's head; null while this process does not lead.</summary>
    public SourceHead? HeadOf(string source) => _leading && _heads.TryGetValue(source, out var position) ? position.ToHead() : null;

    /// <summary>Leads for as long as it can, if no other process does.</summary>
    /// <exception cref="ProcessMustEndException">The database or the lock store was set back: signing here would be a second history.</exception>
    public async Task Round(CancellationToken ct)
    {
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, _found.Token);
            await Lead(either.Token);
        }
        catch (SetBackException e)
        {
            throw await End(e, ct);
        }
        catch (Exception) when (Volatile.Read(ref _setBack) is not null)
        {
            throw await End(_setBack!, ct);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            // What was committed, swapped or signed is unknown; the next round loads again and finds out.
            _why = "failed: " + e.GetType().Name;
            LedgerLog.LeadFailed(log, e);
            throw;
        }
        finally
        {
            _leading = false;
            _queue.Close();
        }
    }

    /// <summary>Stores what the next start would otherwise have to replay; when the service stops.</summary>
    public Task StoreIndex(CancellationToken ct) => index.StoreImage();

    private async Task<ProcessMustEndException> End(SetBackException e, CancellationToken ct)
    {
        _why = e.Message;
        LedgerLog.SetBack(log, e.Message);
        await alarms.RecordNow(AlarmKind.SetBack, e.Alarm, ct);
        return new ProcessMustEndException(3, e.Message);
    }

    private async Task Lead(CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        var store = new SequencerStore(connection);
        if (!await store.TryTakeLock(ct))
        {
            _why = "standby";
            return;
        }

        try
        {
            using var held = lockStore.TryAcquire();
            if (held is null)
            {
                _why = "standby: the lock store is held";
                return;
            }

            await connection.WriteSteadily(ct);
            var recovery = new Recovery(store, lockStore, signer, witnesses, declared, log);
            switch (await recovery.Load(ct))
            {
                case RecoveryOutcome.Loaded(var position, var head):
                    await LeadFrom(store, position, head, ct);
                    break;
                case RecoveryOutcome.Unheard(var why):
                    Wait(why);
                    break;
            }
        }
        finally
        {
            await store.ReleaseLock();
        }
    }

    private async Task LeadFrom(SequencerStore store, LogPosition position, Checkpoint head, CancellationToken ct)
    {
        _why = "the subject index is loading";
        await index.BringToHead(store, position.Size, ct);
        PublishHead(position, head);
        if (index.HasPending)
        {
            // A log from before the index: from now on every published head ends in a commit entry.
            await using var tx = await store.BeginGroup(ct);
            await AppendGroup(store, tx, position, new Group(position, clock.GetUtcNow()), ct);
        }

        _why = null;
        _leading = true;
        _queue.Open();
        LedgerLog.Leading(log, position.Size, position.Writer);
        try
        {
            await Run(store, position, ct);
        }
        finally
        {
            _leading = false; // Before the lock store is let go: see EndBy.
            _queue.Shut();
        }
    }

    // Asked again in the next round, perhaps by another process that reaches them; told once.
    private void Wait(string why)
    {
        if (!string.Equals(_why, why, StringComparison.Ordinal))
        {
            LedgerLog.WitnessesUnheard(log, why);
        }

        _why = why;
    }

    private async Task Run(SequencerStore store, LogPosition position, CancellationToken ct)
    {
        var waiting = new List<Submission>();
        try
        {
            while (await _queue.Reader.WaitToReadAsync(ct))
            {
                var events = 0;
                while (events < options.GroupCount && _queue.Reader.TryRead(out var next))
                {
                    waiting.Add(next);
                    events += next is Submission.Append a ? a.Batch.Events.Length : 1;
                    if (next is Submission.OpenEpoch)
                    {
                        break; // Opening is a barrier: it sees every batch before it and none after.
                    }
                }

                await SequenceSubmissions(store, position, waiting, ct);
                waiting.Clear();
            }
        }
        finally
        {
            waiting.ForEach(w => w.Refuse(SubmitRefusal.Unknown));
        }
    }

    private async Task SequenceSubmissions(SequencerStore store, LogPosition position, List<Submission> waiting, CancellationToken ct)
    {
        foreach (var repeat in await AppendNew(store, position, [.. waiting.OfType<Submission.Append>()], ct))
        {
            await AnswerRepeat(store, position, repeat, ct);
        }

        foreach (var open in waiting.OfType<Submission.OpenEpoch>())
        {
            await OpenEpoch(store, position, open, ct);
        }
    }

    private async Task<List<Submission.Append>> AppendNew(SequencerStore store, LogPosition position, List<Submission.Append> requests, CancellationToken ct)
    {
        if (position.Size + requests.Sum(r => r.Batch.Events.Length) >= position.RangeEnd - SequencerStore.RangeMargin)
        {
            position.RangeEnd = await store.ExtendRanges(ct);
        }

        var now = clock.GetUtcNow();
        var group = new Group(position, now);
        var repeats = new List<Submission.Append>();
        await using var tx = await store.BeginGroup(ct);
        var held = await Hold(tx, requests, ct);
        foreach (var request in requests)
        {
            if (group.IsRepeat(request.Batch))
            {
                repeats.Add(request);
            }
            else if (group.Judge(request.Batch) is { } refusal)
            {
                request.Refuse(refusal);
            }
            else if (!request.Batch.IsSealedUnder(held))
            {
                request.Refuse(SubmitRefusal.KeyGone);
            }
            else
            {
                group.Accept(request);
            }
        }

        if (group.Accepted.Count > 0)
        {
            await AppendGroup(store, tx, position, group, ct);
            intake.LookAtGroup(group, now);
        }

        return repeats;
    }

    // From here to the commit nobody shreds the keys that the group's detail lies under: the shredder's last look sees the detail, or comes first.
    private static async Task<HashSet<Guid>> Hold(NpgsqlTransaction tx, List<Submission.Append> requests, CancellationToken ct) =>
        requests.SelectMany(r => r.Batch.KeyedSubjects).DistinctBy(Convert.ToHexString, StringComparer.Ordinal).ToArray() is { Length: > 0 } subjects
            ? await SubjectKeyVault.Hold(tx, subjects, ct) : [];

    private async Task AppendGroup(SequencerStore store, NpgsqlTransaction tx, LogPosition position, Group group, CancellationToken ct)
    {
        group.Close(index.StageGroup(group));
        var root = group.Tree.Root();
        faults.At("before-commit");
        await store.CommitGroup(tx, group, position, root, ct);
        index.ConfirmGroup();
        faults.At("after-commit");

        // The disk, not memory, is what a proof will be made from: hash it again before signing for it.
        var tree = position.Tree.Copy();
        var stored = await store.RehashLeaves(group.FirstIndex, group.Tree.Size, ct);
        stored.ForEach(hash => tree.Append(hash, null));
        if (!tree.Root().AsSpan().SequenceEqual(root))
        {
            throw new InvalidDataException($"What was read back from {group.FirstIndex} on is not what was written.");
        }

        var checkpoint = new Checkpoint(options.Origin, tree.Size, root);
        var note = await signer.Sign(checkpoint, ct);
        faults.At("after-sign");
        lockStore.Swap(position.Note, note);
        faults.At("after-swap");

        (position.Tree, position.Root, position.Time, position.Note, position.Sources) = (tree, root, group.Time, note, group.Sources);
        PublishHead(position, checkpoint);
        foreach (var (request, firstIndex) in group.Accepted)
        {
            request.Done.TrySetResult(new SubmitOutcome.Sequenced(group.Answer(request, firstIndex, note)));
        }

        LedgerMetrics.Sequenced(group.Accepted.Sum(a => a.Request.Batch.Events.Length));
        access.LookAtLeaves(group.Leaves);
    }

    private static async Task AnswerRepeat(SequencerStore store, LogPosition position, Submission.Append request, CancellationToken ct)
    {
        var receipts = await store.FindRepeat(position.Sources[request.Batch.Source], request.Batch, position.Size, ct);
        request.Done.TrySetResult(receipts is null
            ? new SubmitOutcome.Refused(SubmitRefusal.BodyDiffers)
            : new SubmitOutcome.Sequenced(new ReceiptFrame(receipts, position.Note)));
    }

    private async Task OpenEpoch(SequencerStore store, LogPosition position, Submission.OpenEpoch request, CancellationToken ct)
    {
        var source = position.Sources[request.Source];
        if (!source.Hash.AsSpan().SequenceEqual(request.HeadHash))
        {
            request.Refuse(SubmitRefusal.HeadMoved);
            return;
        }

        var opened = source with { OpenEpoch = source.OpenEpoch + 1 };
        await store.WriteSource(opened, ct);
        position.Sources = new Dictionary<string, SourcePosition>(position.Sources, StringComparer.Ordinal) { [request.Source] = opened };
        _heads = position.Sources;
        request.Done.TrySetResult(new SubmitOutcome.Opened(opened.ToHead()));
    }

    private void PublishHead(LogPosition position, Checkpoint checkpoint)
    {
        _heads = position.Sources;
        _published = new PublishedHead(checkpoint, position.Note, position.Tree.Copy());
    }
}
