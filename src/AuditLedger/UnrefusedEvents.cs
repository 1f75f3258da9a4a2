using Npgsql;
using Trust.Kernel.Audit;
using Trust.LogFormat;

namespace Trust.AuditLedger;

/// <summary>Events that the outbox never refuses: of acts that reduce rights, and of refusals.</summary>
internal static class UnrefusedEvents
{
    /// <summary>Writes such an event into the caller's transaction.</summary>
    /// <exception cref="InvalidOperationException">It was refused all the same: the catalogue has changed, and the act must not stand without its event.</exception>
    public static async Task AppendUnrefused(this Outbox outbox, NpgsqlTransaction tx, AuditEvent e, CancellationToken ct)
    {
        if (await outbox.Append(tx, e, ct) is AppendOutcome.Refused(var why))
        {
            throw new InvalidOperationException($"The event {e.Action} was refused: {why.Code}");
        }
    }
}
