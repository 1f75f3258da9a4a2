using Npgsql;
using Trust.Kernel.Keys;

namespace Trust.SignService.Prescriptions;

/// <summary>Seals, a portion at a time, what an earlier version stored in clear.</summary>
public sealed class SealStoredText(NpgsqlDataSource db, PrescriptionStore store, ClinicalText texts)
{
    /// <summary>From the end of one round to the begin of the next.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private const int Portion = 200;

    /// <summary>Seals all that is in clear.</summary>
    public async Task Round(CancellationToken ct)
    {
        var last = Guid.Empty;
        for (var rows = Portion; rows == Portion;)
        {
            var some = await store.InClear(last, Portion, ct);
            foreach (var row in some)
            {
                await Seal(row, ct);
                last = row.Id;
            }

            rows = some.Count;
        }
    }

    // Of a patient whose shredding is under way it stays in clear: the shredding takes it, or a later round seals it for a patient who was spared.
    private async Task Seal(PrescriptionRow row, CancellationToken ct)
    {
        var payload = row.Payload.Clear is { } clear ? await texts.SealPayload(row.Id, row.Region, row.PatientKey, clear, ct) : null;
        var reason = row.ReturnReason?.Clear is not null && await texts.ReturnReason(row, ct) is { } text
            ? await texts.SealReason(row.Id, row.Region, row.PatientKey, text, ct) : null;
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await PersonKeys.Hold(tx, row.PatientKey, ct) is { } held)
        {
            await PrescriptionStore.Seal(held, row.Id, payload, reason, ct);
            await tx.CommitAsync(ct);
        }
    }
}
