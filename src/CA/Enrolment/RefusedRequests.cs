using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.CA.Enrolment;

/// <summary>Refusals of what officers ask for are events too.</summary>
internal sealed class RefusedRequests(NpgsqlDataSource db, Outbox outbox)
{
    /// <summary>Records a refusal.</summary>
    /// <returns>The refusal; or that of the outbox, when the refusal could not be recorded.</returns>
    public async Task<Refusal> Record(AuditEvent e, Refusal why, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await outbox.Append(tx, e, ct) is AppendOutcome.Refused refused)
        {
            return CommonRefusals.From(refused.Reason);
        }

        await tx.CommitAsync(ct);
        return why;
    }
}
