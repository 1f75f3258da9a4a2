using System.Collections.Frozen;

namespace Trust.AuditLedger.Watching;

/// <summary>What the ledger alarms about, beside what a check of the whole log finds.</summary>
internal enum AlarmKind
{
    /// <summary>One actor reads one patient again and again.</summary>
    Snooping,

    /// <summary>One actor reads many patients.</summary>
    BulkReading,

    /// <summary>This machine's clock stands behind the ledger's time.</summary>
    ClockRegression,

    /// <summary>Events of a source come long after they happened.</summary>
    Backlog,

    /// <summary>Entries stand beyond the last quorum of witnesses for too long.</summary>
    WitnessLag,

    /// <summary>The log has grown and was not time-stamped within its budget.</summary>
    NotAnchored,

    /// <summary>This ledger stands on an older or another history than its lock store or a witness knows.</summary>
    SetBack,
}

/// <summary>Names of alarms in events, addresses and metrics.</summary>
internal static class AlarmNames
{
    private static readonly FrozenDictionary<AlarmKind, string> Names = new Dictionary<AlarmKind, string>
    {
        [AlarmKind.Snooping] = "snooping", [AlarmKind.BulkReading] = "bulk-reading", [AlarmKind.ClockRegression] = "clock-regression",
        [AlarmKind.Backlog] = "backlog", [AlarmKind.WitnessLag] = "witness-lag", [AlarmKind.NotAnchored] = "not-anchored",
        [AlarmKind.SetBack] = "set-back",
    }.ToFrozenDictionary();

    /// <summary>All names.</summary>
    public static IEnumerable<string> All => Names.Values;

    /// <summary>The name of a kind.</summary>
    public static string Name(this AlarmKind kind) => Names[kind];

    /// <summary>Whether there is such a name.</summary>
    public static bool Has(string? name) => name is not null && Names.Values.Contains(name, StringComparer.Ordinal);
}
