using Trust.LogFormat;

namespace Trust.Kernel.Audit;

/// <summary>What became of <see cref="Outbox.Append"/>.</summary>
public abstract record AppendOutcome
{
    private AppendOutcome() { }

    /// <summary>The event is part of the caller's transaction.</summary>
    /// <param name="Id">Its identity.</param>
    public sealed record Appended(EventId Id) : AppendOutcome;

    /// <summary>Nothing was written; the caller must roll back and refuse its act.</summary>
    /// <param name="Reason">Why.</param>
    public sealed record Refused(AppendRefusal Reason) : AppendOutcome;
}

/// <summary>What became of <see cref="Outbox.Commit"/>.</summary>
public abstract record CommitOutcome
{
    private CommitOutcome() { }

    /// <summary>Change and event are committed.</summary>
    /// <param name="Id">Identity of the event.</param>
    public sealed record Committed(EventId Id) : CommitOutcome;

    /// <summary>The statement touched nothing, so nothing was recorded either.</summary>
    public sealed record NoEffect : CommitOutcome;

    /// <summary>Nothing was written.</summary>
    /// <param name="Reason">Why.</param>
    public sealed record Refused(AppendRefusal Reason) : CommitOutcome;
}

/// <summary>What became of <see cref="Outbox.AppendConfirmed"/> or <see cref="Outbox.CommitConfirmed"/>.</summary>
public abstract record ConfirmOutcome
{
    private ConfirmOutcome() { }

    /// <summary>Committed, and the ledger holds the event: the act may go on.</summary>
    /// <param name="Id">Its identity.</param>
    /// <param name="Receipt">The ledger's receipt.</param>
    public sealed record Confirmed(EventId Id, Receipt Receipt) : ConfirmOutcome;

    /// <summary>Refused before anything was stored; the transaction was rolled back.</summary>
    /// <param name="Reason">Why.</param>
    public sealed record Refused(AppendRefusal Reason) : ConfirmOutcome;

    /// <summary>
    /// Committed, but no receipt within the waiting time: the act must not go on now.
    /// The caller may resume later when <see cref="Outbox.FindReceipt"/> has an answer.
    /// </summary>
    /// <param name="Id">Its identity.</param>
    public sealed record Unknown(EventId Id) : ConfirmOutcome;

    /// <summary>The statement of <see cref="Outbox.CommitConfirmed"/> touched nothing, so nothing was recorded either.</summary>
    public sealed record NoEffect : ConfirmOutcome;
}

/// <summary>Why an event was not taken.</summary>
/// <param name="Code">Stable code: <c>ledger-away</c>, <c>budget-spent</c>, <c>head-behind</c>.</param>
/// <param name="Detail">For the operator's log; holds no personal data.</param>
public sealed record AppendRefusal(string Code, string Detail)
{
    /// <summary>The ledger does not answer and the act may not go on without it.</summary>
    public const string LedgerAway = "ledger-away";

    /// <summary>Too many events, or too old ones, wait for the ledger.</summary>
    public const string BudgetSpent = "budget-spent";

    /// <summary>The ledger knows later events of this service than its own database: the database was set back.</summary>
    public const string HeadBehind = "head-behind";
}

/// <summary>
/// The event is not in the catalogue or breaks a bound: a fault of the program, which no caller can mistake for a ledger that is away.
/// The act's transaction ends with it, so no fact is stored without its event. Text of people is checked at the door
/// (<see cref="EventText"/>), where it is their mistake and has a refusal.
/// </summary>
/// <param name="why">The rule; holds no personal data.</param>
public sealed class InvalidEventException(string why) : Exception(why);
