using System.Diagnostics.CodeAnalysis;
using Npgsql;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

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
    private readonly GroupCommit _commits;

    /// <summary>
    /// The end of a statement for <see cref="Commit"/>, after <c>WITH act AS (… RETURNING …)</c>: writes the event for each row of <c>act</c>, so for none when the act had
    /// no effect. It takes $1 to $5; the act's own parameters begin at $6.
    /// </summary>
    public const string Trace = " INSERT INTO audit_outbox (id, action, body, data_key, created_at) SELECT $1, $2, $3, $4, $5 FROM act";

    /// <summary>Made by <see cref="AuditServices.AddAudit"/>.</summary>
    public Outbox(NpgsqlDataSource db, AuditOptions options, OutboxState state, ReceiptBoard receipts, TimeProvider clock, GroupCommit commits)
    {
        _db = db;
        _commits = commits;
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
    /// <exception cref="InvalidEventException">The event breaks a bound; nothing was written, and the transaction must end.</exception>
    /// <param name="tx">The transaction of the act; the caller commits it, or rolls back on a refusal.</param>
    /// <param name="e">The event.</param>
    /// <param name="ct">Cancels the statement.</param>
    public async Task<AppendOutcome> Append(NpgsqlTransaction tx, AuditEvent e, CancellationToken ct)
    {
        if (EventCatalogue.TryGetMode(e.Action, out var mode) && mode == EventMode.Traced && _state.Spent(_options) is { } spent)
        {
            return new AppendOutcome.Refused(spent);
        }

        var built = Build(e, out var now);

        await OutboxStore.Insert(tx, built, now, ct);
        _state.Expect();
        return new AppendOutcome.Appended(built.Id);
    }

    /// <summary>
    /// Commits a change and its event by one statement, together with what other requests commit now (<see cref="GroupCommit"/>). Refused as <see cref="Append"/> refuses.
    /// </summary>
    /// <param name="e">The event.</param>
    /// <param name="sql"><c>WITH act AS (…)</c> followed by <see cref="Trace"/>; <c>act</c> gives one row when it takes effect.</param>
    /// <param name="with">Adds the act's parameters, from $6 on.</param>
    public async Task<CommitOutcome> Commit(AuditEvent e, [ConstantExpected] string sql, Func<NpgsqlBatchCommand, NpgsqlBatchCommand> with)
    {
        if (EventCatalogue.TryGetMode(e.Action, out var mode) && mode == EventMode.Traced && _state.Spent(_options) is { } spent)
        {
            return new CommitOutcome.Refused(spent);
        }

        var built = Build(e, out var now);

        if (await _commits.Execute(with(OutboxStore.Bind(GroupCommit.Sql(sql), built, now))) == 0)
        {
            return new CommitOutcome.NoEffect();
        }

        _state.Wake();
        return new CommitOutcome.Committed(built.Id);
    }

    /// <summary>The same for an intent: waits for the ledger's receipt after the commit.</summary>
    /// <param name="e">The event.</param>
    /// <param name="sql">As for <see cref="Commit"/>.</param>
    /// <param name="with">As for <see cref="Commit"/>.</param>
    /// <param name="ct">Cancels the waiting, never the commit.</param>
    /// <returns>The act may go on only after <see cref="ConfirmOutcome.Confirmed"/>.</returns>
    public async Task<ConfirmOutcome> CommitConfirmed(
        AuditEvent e, [ConstantExpected] string sql, Func<NpgsqlBatchCommand, NpgsqlBatchCommand> with, CancellationToken ct)
    {
        if (_state.Away(_options) is { } away)
        {
            return new ConfirmOutcome.Refused(away);
        }

        var built = Build(e, out var now);

        using var wait = _receipts.Await(built.Id);
        if (await _commits.Execute(with(OutboxStore.Bind(GroupCommit.Sql(sql), built, now))) == 0)
        {
            return new ConfirmOutcome.NoEffect();
        }

        return await Confirmed(wait, built, ct);
    }

    /// <summary>Writes an aggregate of refused strangers, outside the budget: it would otherwise let a flood stop real acts.</summary>
    internal async Task AppendAggregate(NpgsqlTransaction tx, AuditEvent e, CancellationToken ct)
    {
        var built = Build(e, out var now);
        await OutboxStore.Insert(tx, built, now, ct);
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

        var built = Build(e, out var now);

        await OutboxStore.Insert(tx, built, now, ct);
        using var wait = _receipts.Await(built.Id);
        var connection = tx.Connection!;
        await tx.CommitAsync(CancellationToken.None);
        // Given back before the wait: as many waiting acts as the pool has connections would otherwise leave none to tell them the answer with.
        await connection.CloseAsync();
        return await Confirmed(wait, built, ct);
    }

    private async Task<ConfirmOutcome> Confirmed(ReceiptBoard.Waiter wait, BuiltEvent built, CancellationToken ct)
    {
        _state.Wake();
        var receipt = await wait.Receipt(() => FindReceipt(built.Id, CancellationToken.None), _state.Leads, _options.ConfirmWithin, _clock, ct);
        return receipt is null ? new ConfirmOutcome.Unknown(built.Id) : new ConfirmOutcome.Confirmed(built.Id, receipt);
    }

    /// <summary>
    /// The receipt of an event, or null when the ledger has not answered for it yet (or it is older than the retention). Whoever waits in
    /// <see cref="AppendConfirmed"/> is told of a receipt moments before it is stored here.
    /// </summary>
    public Task<Receipt?> FindReceipt(EventId id, CancellationToken ct) => OutboxStore.FindReceipt(_db, id, ct);

    private BuiltEvent Build(AuditEvent e, out DateTimeOffset now)
    {
        now = _clock.GetUtcNow();
        return EventBody.TryBuild(e, _place, now, out var why) ?? throw new InvalidEventException(why!);
    }
}
