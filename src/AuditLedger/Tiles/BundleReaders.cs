using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.AuditLedger.Tiles;

/// <summary>Which people read entry bundles and alarms, and the trace of it: they hold whatever was logged, so they ask for the whole region of the log.</summary>
internal sealed class BundleReaders(NpgsqlDataSource db, Outbox outbox, ResidencyGate residency, ServiceOptions service, TimeProvider clock)
{
    /// <summary>True for a regulator whose region is this log's or holds it.</summary>
    public bool MayRead(Caller caller) =>
        caller is { Role: "regulator", Region: { } region } && residency.Terms.Regions.Contains(region, service.Region, ResidencyTerms.DayOf(clock.GetUtcNow()));

    /// <summary>Logs the reading, and waits for the receipt: nothing leaves before.</summary>
    /// <param name="caller">Who reads.</param>
    /// <param name="what">The event's basis.</param>
    /// <param name="ct">Cancels the waiting.</param>
    public async Task<ConfirmOutcome> Record(Caller caller, string what, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        return await outbox.AppendConfirmed(
            tx,
            new AuditEvent
            {
                Action = "REG.query",
                Actor = new Actor(caller.Subject, caller.LoginCertificate, caller.Role, caller.Institution),
                Subjects = [],
                Outcome = EventOutcome.Success,
                Purpose = "SUPERVISION",
                Basis = what,
                Correlation = caller.TokenId,
            },
            ct);
    }
}
