using System.Data;
using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Npgsql;
using Trust.Kernel.Hosting;
using Trust.LogFormat;
using Trust.Pkcs11;

namespace Trust.Kernel.Audit;

/// <summary>The database and the ledger disagree about this service's own chain; nothing may be recorded until an operator has decided.</summary>
/// <param name="message">What disagrees; names both heads.</param>
public sealed class LedgerHeadException(string message) : Exception(message);

/// <summary>
/// Carries events from the outbox to the ledger. Of several instances one holds the relay lock; the others watch what it sees.
/// States: watching, opening (compare heads, open an epoch, settle what was sent before), relaying. Any unknown state goes back to watching.
/// </summary>
public sealed class Relay(
    NpgsqlDataSource db, AuditOptions options, OutboxState state, ReceiptBoard board, LedgerLink link, IToken token, TimeProvider clock,
    ILogger<Relay> log)
{
    /// <summary>The process's exit code when ledger and database contradict one another.</summary>
    public const int HeadBehindExitCode = 4;

    private static readonly Meter Meter = new("Trust.Kernel.Audit");
    private static readonly Counter<long> Relayed = Meter.CreateCounter<long>("trust.audit.relayed");
    private static readonly Counter<long> Gaps = Meter.CreateCounter<long>("trust.audit.quarantined");

    private readonly long _began = clock.GetTimestamp();
    private long _lastView;
    private long _lastBatch;
    private TimeSpan _gapPause;

    /// <summary>Leads while it may, or looks on; then waits for work.</summary>
    /// <exception cref="ProcessMustEndException">The ledger and this database contradict one another: a service that cannot record must not act.</exception>
    public async Task Round(CancellationToken ct)
    {
        try
        {
            await Turn(ct);
        }
        catch (LedgerHeadException e)
        {
            state.PublishBehind(e.Message);
            log.HeadBehind(e.Message);
            throw new ProcessMustEndException(HeadBehindExitCode, e.Message);
        }
        catch (HttpRequestException e)
        {
            Away(e.Message);
        }

        if (_gapPause > TimeSpan.Zero)
        {
            await Task.Delay(_gapPause, clock, ct);
        }

        await state.Work(Again, ct);
    }

    // Services start together, and everything waits for the head to be compared (docs/ARCHITECTURE.md §7): a ledger that is not up yet is asked more often at first.
    private TimeSpan Again => state.HeadCompared || clock.GetElapsedTime(_began) > options.Retry * 30 ? options.Retry : options.Retry / 5;

    private async Task Turn(CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        try
        {
            await Turn(connection, ct);
        }
        catch (NpgsqlException) when (connection.State is not ConnectionState.Open)
        {
            // Behind the next session may stand another database: a standby that was promoted too early, or a dump.
            state.PublishCompared(false);
            throw;
        }
    }

    private async Task Turn(NpgsqlConnection connection, CancellationToken ct)
    {
        if (!await RelayStore.TryTakeLock(connection, ct))
        {
            await CompareBeside(connection, ct);
            var view = await RelayStore.ReadView(connection, ct);
            state.Publish(view.Reached, view.Pending, view.Oldest, view.SeenAt is { } seen ? clock.GetUtcNow() - seen : default);
            return;
        }

        try
        {
            state.Leads = true;
            await View(connection, state.LedgerReached, ct);
            await Lead(connection, ct);
        }
        catch (Exception e) when (e is HttpRequestException or TokenException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            await View(connection, reached: false, ct);
            Away(e.Message);
        }
        finally
        {
            state.Leads = false;
            await RelayStore.ReleaseLock(connection);
        }
    }

    private async Task Lead(NpgsqlConnection connection, CancellationToken ct)
    {
        if (await Open(connection, ct) is not { } head)
        {
            return;
        }

        Reached();
        await View(connection, reached: true, ct);
        while (!ct.IsCancellationRequested)
        {
            await Gather(ct);
            var batch = await RelayStore.NumberNext(connection, options.Source, head, options.BatchCount, ct);
            if (batch is null)
            {
                await Idle(connection, ct);
                continue;
            }

            _lastBatch = clock.GetTimestamp();
            if (!await Deliver(connection, batch, ct))
            {
                return;
            }

            head = new OwnHead(batch.Epoch, batch.Rows[^1].Seq, batch.Rows[^1].EnvelopeHash);
        }
    }

    private async Task<OwnHead?> Open(NpgsqlConnection connection, CancellationToken ct)
    {
        var head = await link.Head(ct);
        await Compare(connection, head, ct);
        state.PublishCompared(true);
        if (await link.OpenEpoch(head.Hash, ct) is not { } opened)
        {
            log.Superseded();
            return null;
        }

        // From here on nothing older than this epoch can be appended, so the head is final for what we numbered before.
        while (await RelayStore.ReadUnanswered(connection, opened.Epoch, opened.Seq, options.BatchCount, ct) is { } sent)
        {
            if (!await Deliver(connection, sent, ct))
            {
                return null;
            }
        }

        await RelayStore.BeginEpoch(connection, opened, ct);
        log.EpochOpened(opened.OpenEpoch, opened.Epoch, opened.Seq);
        return new OwnHead(opened.OpenEpoch, 0, Convert.FromHexString(opened.Hash));
    }

    // An instance that does not lead: what the leader stored of its own comparison may have come with a dump, so each process compares for itself.
    private async Task CompareBeside(NpgsqlConnection connection, CancellationToken ct)
    {
        if (state.HeadCompared)
        {
            return;
        }

        // The leader numbers before it posts, so the ledger's head, asked first, is never beyond a database that was not set back.
        var head = await link.Head(ct);
        await CompareOwn(connection, head, ct);
        state.PublishCompared(true);
    }

    private async Task Compare(NpgsqlConnection connection, SourceHead head, CancellationToken ct)
    {
        await CompareOwn(connection, head, ct);
        if (await RelayStore.CountLost(connection, head, ct) is > 0 and var lost)
        {
            throw new LedgerHeadException(
                $"the ledger's head of '{options.Source}' is ({head.Epoch}, {head.Seq}), but it has acknowledged {lost} later events: it was set back");
        }
    }

    private async Task CompareOwn(NpgsqlConnection connection, SourceHead head, CancellationToken ct)
    {
        var own = await RelayStore.ReadHead(connection, ct);
        if ((head.Epoch, head.Seq).CompareTo((own.Epoch, own.Seq)) > 0)
        {
            throw new LedgerHeadException(
                $"the ledger holds ({head.Epoch}, {head.Seq}) of '{options.Source}', this database only ({own.Epoch}, {own.Seq}): it was set back");
        }

        var hash = head.Seq == 0 ? null : await RelayStore.HashAt(connection, head.Epoch, head.Seq, ct);
        if (hash is not null && !hash.AsSpan().SequenceEqual(Convert.FromHexString(head.Hash)))
        {
            throw new LedgerHeadException($"the ledger holds another event than this database at ({head.Epoch}, {head.Seq}) of '{options.Source}'");
        }
    }

    /// <summary>Sends until the ledger has answered; false when the epoch is no longer ours or the ledger is away.</summary>
    private async Task<bool> Deliver(NpgsqlConnection connection, RelayBatch batch, CancellationToken ct)
    {
        while (true)
        {
            switch (await link.Post(await Frame(batch, ct), batch.Rows.Count, ct))
            {
                case PostOutcome.Accepted(var answer):
                    _gapPause = TimeSpan.Zero;
                    await Record(connection, batch, answer, ct);
                    return true;
                case PostOutcome.Poison(var position, var reason) when position >= 0 && position < batch.Rows.Count && batch.Rows[position].IsGap:
                    // What stands in an event's place is refused too, so the next one would be: a ledger of another version, which only an operator can mend.
                    _gapPause = _gapPause == TimeSpan.Zero ? options.Retry : _gapPause < options.LongestGapPause / 2 ? 2 * _gapPause : options.LongestGapPause;
                    throw new HttpRequestException($"the ledger refuses LEDGER.gap itself: {reason}");
                case PostOutcome.Poison(var position, var reason) when position >= 0 && position < batch.Rows.Count:
                    await Quarantine(connection, batch, position, reason, ct);
                    break;
                case PostOutcome.Superseded:
                    log.Superseded();
                    return false;
                case PostOutcome.Contradicted:
                    throw new LedgerHeadException(
                        $"the ledger holds other bodies than this database from ({batch.Epoch}, {batch.FirstSeq}) of '{options.Source}'");
                case PostOutcome.Away(var detail):
                    // The batch keeps its numbers; opening again asks the ledger whether it took effect.
                    throw new HttpRequestException(detail);
                case PostOutcome.Poison(var position, _):
                    throw new HttpRequestException($"the ledger refuses event {position} of a batch of {batch.Rows.Count}");
            }
        }
    }

    private async Task<byte[]> Frame(RelayBatch batch, CancellationToken ct)
    {
        var digest = Envelope.BatchDigest(options.Source, batch.Epoch, batch.FirstSeq, batch.Rows.Count, batch.Rows[^1].EnvelopeHash);
        var signature = await Sign(digest, ct);
        var events = batch.Rows.Select(r => new FramedEvent(r.Body, r.DataKey)).ToList();
        return BatchFrame.Write(batch.Epoch, batch.FirstSeq, batch.Rows[0].Prev, events, signature);
    }

    // A call into a token that hangs never ends; waiting for it would hold the relay's lock, and with it everybody's events, without a word.
    private async Task<byte[]> Sign(byte[] digest, CancellationToken ct)
    {
        using var given = CancellationTokenSource.CreateLinkedTokenSource(ct);
        try
        {
            return await token.Sign(options.BatchKey, digest, given.Token).AsTask().WaitAsync(options.SignWithin, clock, ct);
        }
        catch (TimeoutException e)
        {
            await given.CancelAsync();
            throw new TokenException(TokenException.Silent, $"the token has not signed a batch within {options.SignWithin}", e);
        }
    }

    private async Task Record(NpgsqlConnection connection, RelayBatch batch, ReceiptFrame answer, CancellationToken ct)
    {
        // First told, then stored: whoever waits may go on because the ledger has the event, not because we remember it.
        for (var i = 0; i < batch.Rows.Count; i++)
        {
            board.Post(batch.Rows[i].Id, answer.Receipts[i]);
        }

        await RelayStore.RecordAnswer(connection, batch, answer.Receipts, ct);

        Relayed.Add(batch.Rows.Count);
        if (clock.GetElapsedTime(_lastView) >= options.Retry)
        {
            await View(connection, reached: true, ct);
        }
    }

    private async Task Quarantine(NpgsqlConnection connection, RelayBatch batch, int position, string reason, CancellationToken ct)
    {
        var poison = batch.Rows[position];
        var now = clock.GetUtcNow();
        var gap = new AuditEvent
        {
            Action = "LEDGER.gap",
            Actor = new Actor(options.Source),
            Subjects = [],
            Outcome = EventOutcome.Failed,
            Reason = reason,
            Basis = "body:sha256:" + Convert.ToHexStringLower(SHA256.HashData(poison.Body)),
            Correlation = poison.Id.ToString(),
        };
        var built = EventBody.TryBuild(gap, new EventPlace(options.Region, options.Node), now, out var refusal)
            ?? throw new InvalidOperationException($"LEDGER.gap cannot be built: {refusal}");
        await RelayStore.Quarantine(connection, options.Source, batch, position, reason, built, now, ct);
        Gaps.Add(1);
        log.Quarantined(poison.Id, reason);
    }

    // An event that comes alone goes at once. Under load batches keep a distance, so that many events share what a batch costs both sides whatever its size.
    private async Task Gather(CancellationToken ct)
    {
        var since = clock.GetElapsedTime(_lastBatch);
        if (_lastBatch != 0 && since < options.Gather)
        {
            await Task.Delay(options.Gather - since, clock, ct);
        }
    }

    private async Task Idle(NpgsqlConnection connection, CancellationToken ct)
    {
        if (clock.GetElapsedTime(_lastView) >= options.Retry)
        {
            // Finds an idle service's ledger gone. The head, not the checkpoint: that one may wait for witnesses, who are not on the way of an event in.
            _ = await link.Head(ct);
            await View(connection, reached: true, ct);
        }

        await state.Work(state.Expects ? options.Poll : options.Poll * 5, ct);
    }

    private async Task View(NpgsqlConnection connection, bool? reached, CancellationToken ct)
    {
        var (pending, oldest) = await RelayStore.CountPending(connection, ct);
        await RelayStore.WriteView(connection, reached, pending, oldest, clock.GetUtcNow(), ct);
        state.Publish(reached, pending, oldest);
        _lastView = clock.GetTimestamp();
    }

    private void Reached()
    {
        if (state.LedgerReached != true && _gapPause == TimeSpan.Zero)
        {
            log.LedgerBack(state.Pending);
        }

        state.PublishReached(true);
    }

    private void Away(string detail)
    {
        if (state.LedgerReached != false)
        {
            log.LedgerAway(detail);
        }

        state.PublishReached(false);
    }
}
