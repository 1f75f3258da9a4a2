using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.SignService.Prescriptions;

/// <summary>Moves a prescription with its event in one transaction; when it cannot move, says why and notes expiry on the way.</summary>
public sealed class Transition(NpgsqlDataSource db, PrescriptionStore store, PersonalSigning events, TimeProvider clock)
{
    /// <summary>Runs one compare-and-swap and appends its event.</summary>
    /// <param name="move">The statement; false when the state did not allow it.</param>
    /// <param name="e">The event of the transition.</param>
    /// <param name="id">The prescription.</param>
    /// <param name="ct">Cancels before commit.</param>
    public async Task<Refusal?> Run(Guid id, Func<NpgsqlTransaction, DateTimeOffset, Task<bool>> move, AuditEvent e, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using (var tx = await connection.BeginTransactionAsync(ct))
        {
            if (await move(tx, clock.GetUtcNow()))
            {
                var refusal = await events.Append(tx, e);
                if (refusal is null)
                {
                    await tx.CommitAsync(CancellationToken.None);
                }

                return refusal;
            }
        }

        return await Why(connection, id, ct);
    }

    /// <summary>The status answer, or the refusal.</summary>
    public static Results<Ok<StatusResponse>, ProblemHttpResult> Answer(Guid id, string status, Refusal? refusal, ProblemSet problems) =>
        refusal is null ? Microsoft.AspNetCore.Http.TypedResults.Ok(new StatusResponse(id, status)) : refusal.ToProblem(problems);

    private async Task<Refusal> Why(NpgsqlConnection connection, Guid id, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (await store.Find(id, ct) is not { } row)
        {
            return Refusal.NotFound;
        }

        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await PrescriptionStore.Expire(tx, id, now, ct))
        {
            var service = new Actor("sign", Institution: row.Institution);
            if (await events.Append(tx, PrescriptionEvents.Of("RX.expire", row, service)) is null)
            {
                await tx.CommitAsync(CancellationToken.None);
            }

            return Expired;
        }

        return row.Status switch
        {
            PrescriptionStatus.Claimed or PrescriptionStatus.Dispensed => Refusal.Conflict("already-claimed", "A pharmacy holds this prescription, or has dispensed it."),
            PrescriptionStatus.Expired => Expired,
            PrescriptionStatus.Voided => Refusal.Conflict("voided", "The prescription was withdrawn."),
            _ => Refusal.Conflict("wrong-state", $"The prescription is {row.Status}."),
        };
    }

    private static Refusal Expired => Refusal.Conflict("expired", "The prescription's validity is over.");
}
