using Trust.SignService.Retention;

namespace Trust.SignService.Prescriptions;

/// <summary>Deletes drafts that nobody signed in their time: they hold clinical data and no signature gives a reason to keep it.</summary>
public sealed class DiscardDrafts(PrescriptionStore store, Deletion deletion, SignOptions options, TimeProvider clock)
{
    /// <summary>From the end of one round to the begin of the next.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    /// <summary>Deletes those whose time is over, each with its event.</summary>
    public Task Round(CancellationToken ct)
    {
        var before = clock.GetUtcNow() - options.DraftLifetime;
        return deletion.Run(after => store.OldDrafts(before, after, ct), (tx, id) => PrescriptionStore.Discard(tx, id, ct), "not-signed", ct);
    }
}
