using Trust.SignService.Prescriptions;

namespace Trust.SignService.Retention;

/// <summary>Deletes prescriptions of patients whose last one is older than records have to be kept (docs/RULES.md §5).</summary>
public sealed class DeleteExpired(PrescriptionStore store, Deletion deletion, TimeProvider clock)
{
    /// <summary>From the end of one round to the begin of the next.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromHours(1);

    /// <summary>Deletes those whose time is over.</summary>
    public Task Round(CancellationToken ct)
    {
        var before = DataClasses.Prescriptions.Kept.Before(clock.GetUtcNow());
        return deletion.Run(after => store.Expired(before, after, ct), (tx, id) => PrescriptionStore.Delete(tx, id, before, ct), "retention-ended", ct);
    }
}
