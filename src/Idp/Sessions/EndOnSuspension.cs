using Trust.Kernel.LiveStatus;

namespace Trust.Idp.Sessions;

/// <summary>Ends sessions, and with them their tokens, as soon as the registry takes a right away (docs/ARCHITECTURE.md §1 rule 3).</summary>
internal sealed class EndOnSuspension(SessionStore sessions, ILogger<EndOnSuspension> log)
{
    // A corrected row of the registry (updated) takes nothing away by itself: what it changes is asked for at every use.
    private static readonly HashSet<string> GoodStates = new(StringComparer.Ordinal) { "active", "good", "valid", "issued", "resumed", "updated" };

    public async Task Apply(StatusChange change, CancellationToken ct)
    {
        // Anything but a state known to be good ends the session: a state this build does not know must not keep one alive.
        if (GoodStates.Contains(change.State))
        {
            return;
        }

        var ended = change.Kind switch
        {
            "practitioner" => await sessions.EndAllOfPerson(change.Id, change.State, ct),
            "certificate" => await sessions.EndAllOfCertificate(change.Id, change.State, ct),
            _ => 0,
        };
        if (ended > 0)
        {
            IdpLog.SessionsEnded(log, ended, change.State);
        }
    }
}
