using System.ComponentModel.DataAnnotations;
using Trust.AuditLedger.Anchoring;
using Trust.AuditLedger.Checkpoints;
using Trust.AuditLedger.Evidence;
using Trust.AuditLedger.Watching;
using Trust.AuditLedger.Witnessing;

namespace Trust.AuditLedger;

/// <summary>Configuration section <c>AuditLedger</c>.</summary>
public sealed record AuditLedgerOptions
{
    /// <summary>Name of the log: first line of its checkpoints and name of its keys.</summary>
    [Required, RegularExpression(@"^[^\s+]{1,200}$")]
    public required string Origin { get; init; }

    /// <summary>Directory of the lock store; outside the database cluster, on a disk of its own where there is one.</summary>
    [Required]
    public required string LockStoreDirectory { get; init; }

    /// <summary>Who may append.</summary>
    [MinLength(1)]
    public required IReadOnlyList<SourceOptions> Sources { get; init; }

    /// <summary>Most events sequenced in one transaction.</summary>
    [Range(1, 16_384)]
    public int GroupCount { get; init; } = 4096;

    /// <summary>
    /// Entries after which a volume of the subject index is sealed: bounds the memory it takes, and the unit in which old entries can go. A volume is
    /// called an epoch here and in the names of tables and columns.
    /// </summary>
    [Range(16, 1 << 30)]
    public int EpochSize { get; init; } = 1 << 24;

    /// <summary>Batches that may wait; more are answered 503 with Retry-After.</summary>
    [Range(1, 4096)]
    public int QueueLength { get; init; } = 128;

    /// <summary>Whether the SM2 key of checkpoints may be a software key sealed by the token. False in production.</summary>
    public bool AllowSoftwareSm2 { get; init; }

    /// <summary>Whether the token's mechanism table offers SM2.</summary>
    public bool TokenHasSm2 { get; init; }

    /// <summary>
    /// Months an event is kept, by the class of its action (<see cref="Retention.RetentionClass"/>) and by the <c>class</c> of its body, the longer of
    /// both; at least 6 (Cybersecurity Law).
    /// </summary>
    public IReadOnlyDictionary<string, int> RetentionMonths { get; init; } = new Dictionary<string, int>(StringComparer.Ordinal);

    /// <summary>
    /// Whether the shredding of a patient reaches the peers <c>sign</c> and <c>idp</c>, without whose answer it does not end. False only where none of
    /// them keeps patients.
    /// </summary>
    public bool ShredElsewhere { get; init; } = true;

    /// <summary>Most bytes of batches inside at once, read, judged or waiting; more are answered 503 with Retry-After.</summary>
    [Range(8 * 1024 * 1024, 1024L * 1024 * 1024)]
    public long QueueBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>Folders whose volumes are watched beside the lock store's: the database's data and write-ahead log, where they are on this machine.</summary>
    public IReadOnlyList<string> Volumes { get; init; } = [];

    /// <summary>Free share of each watched volume below which nothing is taken.</summary>
    [Range(0.0, 0.9)]
    public double MinimumFree { get; init; } = 0.05;

    /// <summary>Standbys of the database that must hold a head before it is signed.</summary>
    public StandbyOptions Standbys { get; init; } = new();

    /// <summary>Outside authorities that time-stamp checkpoints.</summary>
    public AnchoringOptions Anchoring { get; init; } = new();

    /// <summary>Folder of the mirror: a second copy of every full bundle of entries, on a disk of its own; null keeps none.</summary>
    public string? MirrorDirectory { get; init; }

    /// <summary>What one evidence file holds at most.</summary>
    public EvidenceOptions Evidence { get; init; } = new();

    /// <summary>Alarms over access, and the check that runs by itself.</summary>
    public WatchingOptions Watching { get; init; } = new();

    /// <summary>Who cosigns checkpoints.</summary>
    public WitnessingOptions Witnessing { get; init; } = new();
}

/// <summary>A declared producer.</summary>
public sealed record SourceOptions
{
    /// <summary>Service name, proved by its TLS certificate.</summary>
    [Required, RegularExpression("^[a-z][a-z0-9-]{0,31}$")]
    public required string Name { get; init; }

    /// <summary>File holding the SubjectPublicKeyInfo (DER) of its batch key.</summary>
    [Required]
    public required string BatchKeyFile { get; init; }

    /// <summary>The same of the keys it had before, which sign nothing new: what they signed is proved for as long as it is kept.</summary>
    [MaxLength(MostKeys - 1)]
    public IReadOnlyList<string> EarlierBatchKeyFiles { get; init; } = [];

    // A file that names more is malformed (docs/LEDGER-FORMAT.md §9).
    private const int MostKeys = 64;
}
