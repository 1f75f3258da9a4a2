namespace Trust.SignService.Prescriptions;

/// <summary>Seals, a portion at a time, what an earlier version stored in clear.</summary>
public sealed class SealStoredText(PrescriptionStore store, ClinicalText texts)
{
    /// <summary>From the end of one round to the begin of the next.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private const int Portion = 200;

    /// <summary>Seals all that is in clear.</summary>
    public async Task Round(CancellationToken ct)
    {
        for (var rows = Portion; rows == Portion;)
        {
            var some = await store.InClear(Portion, ct);
            foreach (var row in some)
            {
                // Of a patient who was shredded meanwhile nothing is sealed, and what was in clear goes.
                var payload = row.Payload.Clear is { } clear ? await texts.SealPayload(row.Id, row.Region, row.PatientKey, clear, ct) : null;
                var reason = row.ReturnReason?.Clear is not null && await texts.ReturnReason(row, ct) is { } text
                    ? await texts.SealReason(row.Id, row.Region, row.PatientKey, text, ct) : null;
                await store.Seal(row.Id, payload, reason, ct);
            }

            rows = some.Count;
        }
    }
}
