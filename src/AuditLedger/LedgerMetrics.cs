using System.Diagnostics.Metrics;

namespace Trust.AuditLedger;

/// <summary>Figures of the log.</summary>
internal static class LedgerMetrics
{
    private static readonly Meter Meter = new("Trust.AuditLedger");
    private static readonly Counter<long> Events = Meter.CreateCounter<long>("trust.ledger.sequenced");

    public static void Sequenced(int count) => Events.Add(count);
}
