using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.SignService.Prescriptions;

/// <summary>A prescription's state.</summary>
/// <param name="Id">The prescription.</param>
/// <param name="Status">Its state now.</param>
public sealed record StatusResponse(Guid Id, string Status);

/// <summary>Moves a prescription with its event in one transaction; when it cannot move, says why and notes expiry on the way.</summary>
public sealed class Transition(NpgsqlDataSource db, Outbox outbox, TimeProvider clock)
{
    /// <summary>Runs one compare-and-swap and appends its event.</summary>
    /// <param name="id">The prescription.</param>
    /// <param name="to">The state it moves to.</param>
    /// <param name="move">The statement; false when the state did not allow it.</param>
    /// <param name="e">The event of the transition.</param>
    /// <param name="ct">Cancels before commit.</param>
    public async Task<Results<Ok<StatusResponse>, Refusal>> Move(
        Guid id, string to, Func<NpgsqlTransaction, DateTimeOffset, Task<bool>> move, AuditEvent e, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using (var tx = await connection.BeginTransactionAsync(ct))
        {
            if (await move(tx, clock.GetUtcNow()))
            {
                if (await outbox.Record(tx, e) is { } refusal)
                {
                    return refusal;
                }

                await tx.CommitAsync(CancellationToken.None);
                return TypedResults.Ok(new StatusResponse(id, to));
            }
        }

        return await WhyNot(connection, id, ct);
    }

    /// <summary>Notes that a prescription's validity is over, with its event, unless it has ended otherwise.</summary>
    public async Task Expire(PrescriptionRow row, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await Expire(tx, row, ct);
    }

    // True when it had expired; the note itself may have to wait for the ledger, and is then made the next time somebody asks.
    private async Task<bool> Expire(NpgsqlTransaction tx, PrescriptionRow row, CancellationToken ct)
    {
        if (!await PrescriptionStore.Expire(tx, row.Id, clock.GetUtcNow(), ct))
        {
            return false;
        }

        if (await outbox.Record(tx, PrescriptionEvents.Of("RX.expire", row, new Actor("sign", Institution: row.Institution.Value))) is null)
        {
            await tx.CommitAsync(CancellationToken.None);
        }

        return true;
    }

    private async Task<Refusal> WhyNot(NpgsqlConnection connection, Guid id, CancellationToken ct)
    {
        // Over the connection already held: of many who lose at once each would otherwise hold one and wait for another.
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await PrescriptionStore.Find(tx, id, ct) is not { } row)
        {
            return SignRefusals.NotFound;
        }

        if (await Expire(tx, row, ct))
        {
            return SignRefusals.Expired;
        }

        return row.Status switch
        {
            PrescriptionStatus.Claimed or PrescriptionStatus.Dispensed => SignRefusals.AlreadyClaimed,
            PrescriptionStatus.Expired => SignRefusals.Expired,
            PrescriptionStatus.Voided => SignRefusals.Voided,
            var state => SignRefusals.WrongState.With("state", state),
        };
    }
}
