using System.ComponentModel.DataAnnotations;
using System.Text;
using Npgsql;
using Trust.AuditLedger.Checkpoints;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Proofs;
using Trust.AuditLedger.Watching;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.Pkcs11;

namespace Trust.AuditLedger.Witnessing;

/// <summary>A checkpoint with a quorum of cosignatures (or without, where configuration asks for none).</summary>
/// <param name="Checkpoint">What was cosigned.</param>
/// <param name="Note">The log's lines, then the witnesses'.</param>
internal sealed record WitnessedHead(Checkpoint Checkpoint, string Note);

/// <summary>
/// Brings the newest checkpoint to the witnesses, about every second or when asked, and keeps the newest that a quorum has cosigned. Intake never
/// waits for it: a lost or slow witness costs others nothing, and each is asked again only when its last answer has come.
/// </summary>
internal sealed class CosignatureRounds(
    NpgsqlDataSource db, Sequencer sequencer, CheckpointSigner signer, WitnessSet witnesses, AuditLedgerOptions options, Alarms alarms, TimeProvider clock, ILogger<CosignatureRounds> log)
    : IDisposable
{
    private const string SelectWitnessed = "SELECT note, stored_at FROM witnessed";
    private const string KeepWitnessed = """
        INSERT INTO witnessed (size, note, stored_at) VALUES ($1, $2, $3)
        ON CONFLICT (one) DO UPDATE SET size = excluded.size, note = excluded.note, stored_at = excluded.stored_at WHERE witnessed.size <= excluded.size
        """;

    private readonly WitnessingOptions _options = options.Witnessing;
    private readonly SemaphoreSlim _asked = new(0);
    private readonly SemaphoreSlim _keeping = new(1, 1);
    private readonly Dictionary<string, Task> _busy = new(StringComparer.Ordinal);
    private volatile TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Collected? _collected;
    private volatile WitnessedHead? _witnessed;
    private volatile WitnessedHead? _empty;
    private long _goodAt;
    private bool _loaded;
    private bool _alarmed;
    private bool _heard;

    /// <summary>
    /// What <c>/checkpoint</c> shows; null while there is nothing to show. Before the first quorum that is the empty log, which needs no witness:
    /// producers that look at the checkpoint find the ledger there, and nobody is shown an entry that no witness saw.
    /// </summary>
    public WitnessedHead? Shown
    {
        get
        {
            if (sequencer.Published is not { } head)
            {
                return null;
            }

            var newest = new WitnessedHead(head.Checkpoint, head.Note);
            var witnessed = _witnessed;
            return _options.Quorum == 0 || (_options.FailOpen && IsOverdue(head))
                ? witnessed is not null && witnessed.Checkpoint.Size == head.Checkpoint.Size ? witnessed : newest
                : witnessed ?? _empty;
        }
    }

    /// <summary>Entries published beyond the last quorum; 0 where none is asked for.</summary>
    public long Lag => _options.Quorum > 0 && sequencer.Published is { } head ? head.Checkpoint.Size - (_witnessed?.Checkpoint.Size ?? 0) : 0;

    /// <summary>Whether a quorum is had in time.</summary>
    public Readiness Health()
    {
        if (_options.Quorum == 0)
        {
            return new Readiness(true, _options.Witnesses.Count == 0 ? "no witnesses" : "no quorum asked for");
        }

        return sequencer.Published is { } head && IsOverdue(head)
            ? new Readiness(_options.FailOpen, $"no quorum of {_options.Quorum} since {Since():O}, {Lag} entries behind{(_options.FailOpen ? "; published without (FailOpen)" : "")}")
            : new Readiness(true, $"{Lag} entries behind");
    }

    /// <summary>A head of at least that size with its quorum; begins a round at once and waits for it.</summary>
    /// <param name="minSize">Number of leaves it must cover.</param>
    /// <param name="ct">Ends the waiting: the caller decides how long an answer may take.</param>
    /// <exception cref="OperationCanceledException">No such head in time.</exception>
    public Task<WitnessedHead> RequestRound(long minSize, CancellationToken ct) => Request(() => Shown, minSize, ct);

    /// <summary>The same, and never one without the quorum that is configured, also where <c>/checkpoint</c> goes on without: a verifier refuses it.</summary>
    /// <param name="minSize">Number of leaves it must cover.</param>
    /// <param name="ct">Ends the waiting.</param>
    /// <exception cref="OperationCanceledException">No such head in time.</exception>
    public Task<WitnessedHead> RequestQuorum(long minSize, CancellationToken ct) => Request(() => _options.Quorum == 0 ? Shown : _witnessed, minSize, ct);

    private async Task<WitnessedHead> Request(Func<WitnessedHead?> newest, long minSize, CancellationToken ct)
    {
        while (true)
        {
            var moved = _moved.Task;
            if (newest() is { } head && head.Checkpoint.Size >= minSize)
            {
                return head;
            }

            _asked.Release();
            // A quarter second at most: what is shown without a quorum moves with the sequencer, which tells nobody.
            await Task.WhenAny(moved, Task.Delay(TimeSpan.FromMilliseconds(250), clock, ct));
            ct.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Asks the witnesses that have not cosigned the newest checkpoint, then waits for the interval or until a round is asked for.</summary>
    /// <exception cref="ProcessMustEndException">The configured keys of the witnesses cannot be used: no later round would find it otherwise.</exception>
    public async Task Round(CancellationToken ct)
    {
        try
        {
            _ = witnesses.Clients;
        }
        catch (ValidationException e)
        {
            throw new ProcessMustEndException(1, e.Message);
        }

        if (!_loaded)
        {
            Good();
            await Load(ct);
            _loaded = true;
        }

        if (sequencer.Published is { } head && witnesses.Clients.Count > 0)
        {
            Judge(head);
            Begin(head, ct);
            await SignEmpty(ct);
        }

        await _asked.WaitAsync(_options.Interval, ct);
        while (_asked.CurrentCount > 0)
        {
            await _asked.WaitAsync(ct);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _asked.Dispose();
        _keeping.Dispose();
    }

    private void Begin(PublishedHead head, CancellationToken ct)
    {
        var collected = _collected;
        if (collected is null || collected.Head.Checkpoint.Size < head.Checkpoint.Size)
        {
            _collected = collected = new Collected(head);
        }

        foreach (var witness in witnesses.Clients)
        {
            if ((!_busy.TryGetValue(witness.Name, out var running) || running.IsCompleted) && !collected.Has(witness))
            {
                _busy[witness.Name] = Ask(witness, collected, ct);
            }
        }
    }

    private async Task Ask(WitnessClient witness, Collected collected, CancellationToken ct)
    {
        try
        {
            var answer = await Submit(witness, collected.Head, ct);
            LedgerMetrics.WitnessAnswered(witness.Name, answer);
            if (sequencer.EndBy(witness.Name, answer))
            {
                return;
            }

            switch (answer)
            {
                case WitnessAnswer.Cosigned(var line):
                    collected.Add(witness, line);
                    await Keep(collected, ct);
                    break;
                case WitnessAnswer.Elsewhere(var size):
                    LedgerLog.WitnessElsewhere(log, witness.Name, size, collected.Head.Checkpoint.Size);
                    break;
                case WitnessAnswer.Refused(var status, var why):
                    LedgerLog.WitnessRefused(log, witness.Name, status, why);
                    break;
            }
        }
#pragma warning disable CA1031 // A round's task is awaited by nobody: what failed is told here and tried again in the next round.
        catch (Exception e) when (!ct.IsCancellationRequested)
#pragma warning restore CA1031
        {
            LedgerLog.RoundFailed(log, witness.Name, e);
        }
        catch (OperationCanceledException)
        {
            return;
        }
    }

    // The witness says where it stands when we are wrong about it; a second disagreement within one round waits for the next.
    private async Task<WitnessAnswer> Submit(WitnessClient witness, PublishedHead head, CancellationToken ct)
    {
        WitnessAnswer answer = new WitnessAnswer.Away("not asked");
        for (var attempt = 0; attempt < 2; attempt++)
        {
            var old = witness.At ?? 0;
            if (old > head.Checkpoint.Size)
            {
                return new WitnessAnswer.Elsewhere(old);
            }

            var proof = await new TreeReader(db, head.Edge).Consistency(old, head.Checkpoint.Size, ct);
            answer = await witness.Add(old, proof, head.Note, ct);
            switch (answer)
            {
                case WitnessAnswer.Cosigned:
                    witness.At = head.Checkpoint.Size;
                    return answer;
                case WitnessAnswer.Elsewhere(var size):
                    witness.At = size;
                    continue;
                default:
                    return answer;
            }
        }

        return answer;
    }

    private async Task Keep(Collected collected, CancellationToken ct)
    {
        await _keeping.WaitAsync(ct);
        try
        {
            var lines = collected.Lines();
            var checkpoint = collected.Head.Checkpoint;
            if (lines.Count < Math.Max(1, _options.Quorum) || (_witnessed is { } known && known.Checkpoint.Size > checkpoint.Size))
            {
                return;
            }

            var note = collected.Head.Note + string.Concat(lines.Select(l => l + "\n"));
            await db.Sql(KeepWitnessed).With(checkpoint.Size).With(note).With(clock.GetUtcNow()).Execute(ct);
            _witnessed = new WitnessedHead(checkpoint, note);
            Good();
            Interlocked.Exchange(ref _moved, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
        }
        finally
        {
            _keeping.Release();
        }
    }

    private async Task Load(CancellationToken ct)
    {
        var kept = await db.Sql(SelectWitnessed).One(r => new Kept(r.GetString(0), r.GetFieldValue<DateTimeOffset>(1)), ct);
        if (kept is { Note: var note } && SignedNote.TryOpen(note, [.. witnesses.Clients.Select(w => w.Key)], Math.Max(1, _options.Quorum)) is { } text
            && Checkpoint.TryParse(text) is { } checkpoint)
        {
            _witnessed = new WitnessedHead(checkpoint, note);
            // Patience goes on from there: a process that is started again and again would otherwise never be late.
            Interlocked.Exchange(ref _goodAt, kept.At.UtcTicks);
        }
    }

    private async Task SignEmpty(CancellationToken ct)
    {
        var empty = new Checkpoint(signer.Origin, 0, MerkleProof.EmptyRoot);
        _empty ??= new WitnessedHead(empty, await signer.Sign(empty, ct));
    }

    private void Judge(PublishedHead head)
    {
        if ((_witnessed?.Checkpoint.Size ?? 0) >= head.Checkpoint.Size)
        {
            Good(); // An idle log is not late; patience begins with the next entry.
        }

        // A log that had stood still is behind at once; it is late, and alarmed, when the witnesses have been asked and did not make it good.
        _heard |= _busy.Count > 0 && _busy.Values.All(t => t.IsCompleted);
        var overdue = _heard && _options.Quorum > 0 && IsOverdue(head);
        if (overdue && !_alarmed)
        {
            LedgerLog.NoQuorum(log, _options.Quorum, Since(), Lag, _options.FailOpen);
            alarms.Raise(AlarmKind.WitnessLag, FormattableString.Invariant($"quorum:{_options.Quorum} entries:{Lag} failOpen:{_options.FailOpen}"));
        }
        else if (!overdue && _alarmed)
        {
            LedgerLog.QuorumAgain(log, _witnessed?.Checkpoint.Size ?? 0);
        }

        _alarmed = overdue;
        LedgerMetrics.WitnessLag = Lag;
    }

    private void Good() => Interlocked.Exchange(ref _goodAt, clock.GetUtcNow().UtcTicks);

    private DateTimeOffset Since() => new(Interlocked.Read(ref _goodAt), TimeSpan.Zero);

    private bool IsOverdue(PublishedHead head) =>
        (_witnessed?.Checkpoint.Size ?? 0) < head.Checkpoint.Size && clock.GetUtcNow() - Since() > _options.Patience;

    private sealed record Kept(string Note, DateTimeOffset At);

    /// <summary>Cosignatures of one head as they come in.</summary>
    private sealed class Collected(PublishedHead head)
    {
        private readonly Dictionary<string, NoteLine> _lines = new(StringComparer.Ordinal);
        private readonly Lock _gate = new();

        public PublishedHead Head => head;

        public bool Has(WitnessClient witness)
        {
            lock (_gate)
            {
                return _lines.ContainsKey(witness.Name);
            }
        }

        public void Add(WitnessClient witness, NoteLine line)
        {
            lock (_gate)
            {
                _lines[witness.Name] = line;
            }
        }

        public IReadOnlyList<NoteLine> Lines()
        {
            lock (_gate)
            {
                return [.. _lines.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => l.Value)];
            }
        }
    }
}
