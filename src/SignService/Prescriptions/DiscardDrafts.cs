using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.SignService.Prescriptions;

/// <summary>Deletes drafts that nobody signed in their time: they hold clinical data and no signature gives a reason to keep it.</summary>
public sealed class DiscardDrafts(PrescriptionStore store, Outbox outbox, NpgsqlDataSource db, SignOptions options, TimeProvider clock)
{
    /// <summary>From the end of one round to the begin of the next.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    /// <summary>Deletes those whose time is over, each with its event.</summary>
    public async Task Round(CancellationToken ct)
    {
        foreach (var id in await store.OldDrafts(clock.GetUtcNow() - options.DraftLifetime, ct))
        {
            if (!await Discard(id, ct))
            {
                // The outbox takes no more now; the next round goes on.
                return;
            }
        }
    }

    private async Task<bool> Discard(Guid id, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await PrescriptionStore.Find(tx, id, ct) is { } row && await PrescriptionStore.Discard(tx, id, ct))
        {
            if (await outbox.Record(tx, PrescriptionEvents.Of("RX.discard", row, new Actor("sign", Institution: row.Institution.Value), "not-signed")) is not null)
            {
                return false;
            }

            await tx.CommitAsync(CancellationToken.None);
        }

        return true;
    }
}
