using Npgsql;

namespace Trust.Kernel.Audit;

/// <summary>
/// The one door to the ledger. An event is written in the transaction of the act it tells of; a relay numbers it after commit and
/// carries it to the ledger. One per service.
/// </summary>
public sealed class Outbox
{
    private readonly EventPlace _place;
    private readonly OutboxState _state;
    private readonly ReceiptBoard _receipts;
    private readonly TimeProvider _clock;
    private readonly AuditOptions _options;
    private readonly NpgsqlDataSource _db;

    /// <summary>Made by <see cref="AuditServices.AddAudit"/>.</summary>
    public Outbox(NpgsqlDataSource db, AuditOptions options, OutboxState state, ReceiptBoard receipts, TimeProvider clock)
    {
        _db = db;
        _options = options;
        _place = new EventPlace(options.Region, options.Node);
        _state = state;
        _receipts = receipts;
        _clock = clock;
    }

    /// <summary>
    /// Writes an event into the caller's transaction. An action of mode Traced is refused when the budget is spent; one of mode
    /// RightsReducing never; one of mode Confirmed never either, because here it tells the result of an act whose intent was confirmed.
    /// </summary>
    /// <param name="tx">The transaction of the act; the caller commits it, or rolls back on a refusal.</param>
    /// <param name="e">The event.</param>
    /// <param name="ct">Cancels the statement.</param>
    public async Task<AppendOutcome> Append(NpgsqlTransaction tx, AuditEvent e, CancellationToken ct)
    {
        if (EventCatalogue.TryGetMode(e.Action, out var mode) && mode == EventMode.Traced && _state.Spent(_options) is { } spent)
        {
            return new AppendOutcome.Refused(spent);
        }

        var now = _clock.GetUtcNow();
        if (EventBody.TryBuild(e, _place, now, out var refusal) is not { } built)
        {
            return new AppendOutcome.Refused(new AppendRefusal(AppendRefusal.InvalidEvent, refusal!));
        }

        await OutboxStore.Insert(tx, built, now, ct);
        return new AppendOutcome.Appended(built.Id);
    }

    /// <summary>Writes an aggregate of refused strangers, outside the budget: it would otherwise let a flood stop real acts.</summary>
    internal async Task AppendAggregate(NpgsqlTransaction tx, AuditEvent e, CancellationToken ct)
    {
        var now = _clock.GetUtcNow();
        if (EventBody.TryBuild(e, _place, now, out _) is { } built)
        {
            await OutboxStore.Insert(tx, built, now, ct);
        }
    }

    /// <summary>Writes an event, commits the transaction and waits for the ledger's receipt.</summary>
    /// <param name="tx">The transaction holding the intent; committed here and its connection given back, or rolled back on a refusal.</param>
    /// <param name="e">The event.</param>
    /// <param name="ct">Cancels the waiting, never the commit.</param>
    /// <returns>The act may go on only after <see cref="ConfirmOutcome.Confirmed"/>.</returns>
    public async Task<ConfirmOutcome> AppendConfirmed(NpgsqlTransaction tx, AuditEvent e, CancellationToken ct)
    {
        if (_state.Away(_options) is { } away)
        {
            await tx.RollbackAsync(CancellationToken.None);
            return new ConfirmOutcome.Refused(away);
        }

        var now = _clock.GetUtcNow();
        if (EventBody.TryBuild(e, _place, now, out var refusal) is not { } built)
        {
            await tx.RollbackAsync(CancellationToken.None);
            return new ConfirmOutcome.Refused(new AppendRefusal(AppendRefusal.InvalidEvent, refusal!));
        }

        await OutboxStore.Insert(tx, built, now, ct);
        using var wait = _receipts.Await(built.Id);
        var connection = tx.Connection!;
        await tx.CommitAsync(CancellationToken.None);
        // Given back before the wait: as many waiting acts as the pool has connections would otherwise leave none to tell them the answer with.
        await connection.CloseAsync();
        _state.Wake();
        var receipt = await wait.Receipt(() => FindReceipt(built.Id, CancellationToken.None), _options.ConfirmWithin, _clock, ct);
        return receipt is null ? new ConfirmOutcome.Unknown(built.Id) : new ConfirmOutcome.Confirmed(built.Id, receipt);
    }

    /// <summary>The receipt of an event, or null when the ledger has not answered for it yet (or it is older than the retention).</summary>
    public Task<Receipt?> FindReceipt(EventId id, CancellationToken ct) => OutboxStore.FindReceipt(_db, id, ct);
}
