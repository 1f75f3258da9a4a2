using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.SignService;

/// <summary>Events in the transaction of their act, with the outbox's refusals as this service answers them.</summary>
internal static class Events
{
    extension(Outbox outbox)
    {
        /// <summary>Writes the event of an act; a refusal means: roll the act back.</summary>
        public async Task<Refusal?> Record(NpgsqlTransaction tx, AuditEvent e) =>
            await outbox.Append(tx, e, CancellationToken.None) is AppendOutcome.Refused refused ? CommonRefusals.From(refused.Reason) : null;

        /// <summary>Records that signing was denied, which never waits for the ledger and is never refused.</summary>
        public async Task RecordDenial(NpgsqlDataSource db, AuditEvent e, CancellationToken ct)
        {
            await using var connection = await db.OpenConnectionAsync(ct);
            await using var tx = await connection.BeginTransactionAsync(ct);
            if (await outbox.Append(tx, e, ct) is AppendOutcome.Refused refused)
            {
                throw new InvalidOperationException("A denial only reduces rights and was refused: " + refused.Reason.Code);
            }

            await tx.CommitAsync(ct);
        }
    }
}
