using System.ComponentModel.DataAnnotations;
using Trust.LogFormat.Index;
using Trust.Pkcs11;

namespace Trust.Kernel.Audit;

/// <summary>How a service records its events.</summary>
public sealed class AuditOptions
{
    /// <summary>Name of the service as the ledger knows it: its TLS name.</summary>
    [Required, RegularExpression("^[a-z][a-z0-9-]{0,31}$")]
    public required string Source { get; init; }

    /// <summary>GB/T 2260 code of the service's region.</summary>
    [Required, RegularExpression("^[0-9]{6}$")]
    public required string Region { get; init; }

    /// <summary>Name of this instance.</summary>
    [Required]
    public required string Node { get; init; }

    /// <summary>Declared peer that is the ledger.</summary>
    [Required]
    public string Peer { get; init; } = "ledger";

    /// <summary>Key in the service's token that signs batches.</summary>
    public KeyRef BatchKey { get; init; } = new("batch");

    /// <summary>Longest time the oldest event may wait before traced acts are refused.</summary>
    public TimeSpan BudgetAge { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Most events that may wait before traced acts are refused.</summary>
    [Range(1, 10_000_000)]
    public long BudgetCount { get; init; } = 10_000;

    /// <summary>Longest wait of a confirmed act for its receipt.</summary>
    public TimeSpan ConfirmWithin { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Pause of a relay between two looks at the outbox while this process writes events, and five times that otherwise; what is committed in a group wakes it at once.</summary>
    public TimeSpan Poll { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>Least time from the start of one batch to the next.</summary>
    public TimeSpan Gather { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>Pause after a failed exchange with the ledger, and between two probes of an idle one.</summary>
    public TimeSpan Retry { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest wait for the token to sign a batch.</summary>
    public TimeSpan SignWithin { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Longest pause while the ledger refuses <c>LEDGER.gap</c> itself: nothing of ours goes in until one of the two has been mended.</summary>
    public TimeSpan LongestGapPause { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Events sent at once.</summary>
    [Range(1, 1024)]
    public int BatchCount { get; init; } = 512;

    /// <summary>How long answered events stay, once a verified checkpoint covers them.</summary>
    public TimeSpan Retention { get; init; } = TimeSpan.FromDays(7);

    /// <summary>How long after it happened an acknowledged event must stand under a checkpoint; later than that it is alarmed.</summary>
    public TimeSpan CoveredWithin { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Verifier keys (C2SP vkey lines) of the ledger's checkpoints; without any, answered events are never deleted.</summary>
    public IReadOnlyList<string> LedgerKeys { get; init; } = [];
}
