using System.ComponentModel.DataAnnotations;

namespace Trust.AuditLedger.Evidence;

/// <summary>Configuration section <c>AuditLedger:Evidence</c>: what one evidence file holds at most, and with it what answering one question takes of memory.</summary>
public sealed record EvidenceOptions
{
    /// <summary>Most events of one file.</summary>
    [Range(1, 10_000)]
    public int MaxEvents { get; init; } = 10_000;

    /// <summary>
    /// Most body hashes that the events of one file bring along from their producers' batches: an event of a full batch brings up to 1,023,
    /// so that the number of events alone would not bound a file.
    /// </summary>
    [Range(1, 10_000_000)]
    public int MaxBatchHashes { get; init; } = 1_000_000;

    /// <summary>Most bytes of one file without its member <c>query</c>: verifiers read no more than 64 MiB of a file with it.</summary>
    [Range(65_536, 66_060_288)]
    public long MaxBytes { get; init; } = 66_060_288;

    /// <summary>Most files that are made at once; each is held in memory some five times over until it has left.</summary>
    [Range(1, 64)]
    public int AtOnce { get; init; } = 2;
}
