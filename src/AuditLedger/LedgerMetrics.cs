using System.Diagnostics.Metrics;
using Trust.AuditLedger.Witnessing;

namespace Trust.AuditLedger;

/// <summary>Figures of the log.</summary>
internal static class LedgerMetrics
{
    private static readonly Meter Meter = new("Trust.AuditLedger");
    private static readonly Counter<long> Events = Meter.CreateCounter<long>("trust.ledger.sequenced");
    private static readonly Histogram<double> Proofs = Meter.CreateHistogram<double>("trust.ledger.proved", "s");
    private static readonly Counter<long> IndexFaults = Meter.CreateCounter<long>("trust.ledger.index.faults");
    private static readonly Counter<long> Witnesses = Meter.CreateCounter<long>("trust.ledger.witness.answers");
    private static readonly Counter<long> Alarms = Meter.CreateCounter<long>("trust.ledger.alarms");
    private static readonly Counter<long> Scrubs = Meter.CreateCounter<long>("trust.ledger.scrubs");
    private static readonly Counter<long> ScrubFaults = Meter.CreateCounter<long>("trust.ledger.scrub.faults");
    private static readonly Histogram<double> Lag = Meter.CreateHistogram<double>("trust.ledger.source.lag", "s");
    private static long _witnessLag;

    static LedgerMetrics() => Meter.CreateObservableGauge("trust.ledger.witness.lag", () => Interlocked.Read(ref _witnessLag), "{entry}");

    /// <summary>Published entries that no quorum has cosigned.</summary>
    public static long WitnessLag
    {
        set => Interlocked.Exchange(ref _witnessLag, value);
    }

    /// <summary>What a witness said.</summary>
    public static void WitnessAnswered(string witness, WitnessAnswer answer) =>
        Witnesses.Add(1, new KeyValuePair<string, object?>("witness", witness), new KeyValuePair<string, object?>("answer", answer.GetType().Name));

    public static void Sequenced(int count) => Events.Add(count);

    public static void Proved(TimeSpan took) => Proofs.Record(took.TotalSeconds);

    public static void Alarmed(string kind) => Alarms.Add(1, new KeyValuePair<string, object?>("kind", kind));

    /// <summary>How long after it happened the newest event of a source came.</summary>
    public static void Lags(string source, TimeSpan lag) => Lag.Record(lag.TotalSeconds, new KeyValuePair<string, object?>("source", source));

    /// <summary>A check of the whole log.</summary>
    public static void Scrubbed(int faults)
    {
        Scrubs.Add(1);
        ScrubFaults.Add(faults);
    }

    public static void IndexFault() => IndexFaults.Add(1);
}
