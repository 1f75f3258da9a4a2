using Npgsql;
using Trust.CA.Feed;
using Trust.Kernel.Audit;
using Trust.LogFormat;

namespace Trust.CA.Certificates;

/// <summary>The events of a change of standing, which name every certificate that changed with it.</summary>
internal static class ConsequenceEvents
{
    // An event carries at most 64 subjects; some are left for the person, the institution and the officer.
    private const int CertificatesOfAnEvent = 60;

    /// <summary>Appends the change's event, and as many like it as its certificates need.</summary>
    /// <returns>The first refusal; <see cref="AppendOutcome.Appended"/> when all are in.</returns>
    public static async Task<AppendOutcome> Append(
        NpgsqlTransaction tx, Outbox outbox, AuditEvent change, IReadOnlyList<FeedChange> certificates, CancellationToken ct)
    {
        var shas = certificates.Where(c => c.Kind is "certificate").Select(c => c.Id).ToList();
        AppendOutcome outcome;
        var taken = 0;
        do
        {
            outcome = await outbox.Append(
                tx, change with { Subjects = [.. change.Subjects, .. shas.Skip(taken).Take(CertificatesOfAnEvent).Select(SubjectKey.Certificate)] }, ct);
            taken += CertificatesOfAnEvent;
        }
        while (outcome is AppendOutcome.Appended && taken < shas.Count);
        return outcome;
    }
}
