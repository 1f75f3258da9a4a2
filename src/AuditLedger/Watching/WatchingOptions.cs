using System.ComponentModel.DataAnnotations;

namespace Trust.AuditLedger.Watching;

/// <summary>What is alarmed, and how often the whole log is checked (requirement T2).</summary>
public sealed record WatchingOptions
{
    /// <summary>Reads of one patient by one actor within <see cref="Window"/> beyond which it is alarmed.</summary>
    [Range(1, 1_000_000)]
    public int ReadsOfOnePatient { get; init; } = 30;

    /// <summary>Different patients read by one actor within <see cref="Window"/> beyond which it is alarmed.</summary>
    [Range(1, 1_000_000)]
    public int PatientsOfOneReader { get; init; } = 200;

    /// <summary>Length of the window.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "1.00:00:00")]
    public TimeSpan Window { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How far this machine's clock may stand behind the ledger's time before that is alarmed.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan ClockTolerance { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long after it happened a source's newest event may come before that is alarmed.</summary>
    [Range(typeof(TimeSpan), "00:00:10", "31.00:00:00")]
    public TimeSpan Backlog { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Time between checks of the whole log from its stored bytes; zero checks never.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "31.00:00:00")]
    public TimeSpan ScrubEvery { get; init; } = TimeSpan.FromDays(1);
}
