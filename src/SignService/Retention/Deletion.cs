using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;
using Trust.SignService.Prescriptions;

namespace Trust.SignService.Retention;

/// <summary>
/// Deletes prescriptions in portions, each with its event in its transaction. What a legal hold lies on, by prescription, patient, doctor or
/// institution, is passed over; while the ledger does not say, nothing is deleted.
/// </summary>
public sealed class Deletion(PrescriptionStore store, HoldQuestion holds, Outbox outbox, NpgsqlDataSource db)
{
    /// <summary>Deletes what a question finds.</summary>
    /// <param name="portion">The next ones behind a place.</param>
    /// <param name="delete">Deletes one in the transaction; false when it is not to be deleted any more.</param>
    /// <param name="reason">Reason in the events.</param>
    /// <param name="ct">Cancels between portions.</param>
    public async Task Run(
        Func<Cursor, Task<List<Cursor>>> portion, Func<NpgsqlTransaction, Guid, Task<bool>> delete, string reason, CancellationToken ct)
    {
        for (var places = await portion(new Cursor(DateTimeOffset.MinValue, Guid.Empty)); places.Count > 0; places = await portion(places[^1]))
        {
            List<PrescriptionRow> rows = [];
            foreach (var place in places)
            {
                if (await store.Find(place.Id, ct) is { } row)
                {
                    rows.Add(row);
                }
            }

            if (await holds.Among(rows.SelectMany(PrescriptionEvents.SubjectsOf), ct) is not { } held)
            {
                return;
            }

            foreach (var row in rows.Where(r => !PrescriptionEvents.SubjectsOf(r).Any(s => held.Contains(HoldQuestion.Name(s)))))
            {
                if (!await Delete(row, delete, reason, ct))
                {
                    // The outbox takes no more now; the next round goes on.
                    return;
                }
            }
        }
    }

    private async Task<bool> Delete(PrescriptionRow row, Func<NpgsqlTransaction, Guid, Task<bool>> delete, string reason, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await delete(tx, row.Id))
        {
            if (await outbox.Record(tx, PrescriptionEvents.Of("RX.discard", row, new Actor("sign", Institution: row.Institution.Value), reason)) is not null)
            {
                return false;
            }

            await tx.CommitAsync(CancellationToken.None);
        }

        return true;
    }
}
