namespace Trust.AuditLedger.Index;

/// <summary>When the index writes what it keeps to the database.</summary>
internal sealed record IndexPace
{
    /// <summary>Bytes of history in memory that are stored together; some million changes.</summary>
    public long HistoryBytes { get; init; } = 40L << 20;

    /// <summary>Entries from one part of the live volume's image to when the next is begun: about what a start has to replay, some 10 s a million.</summary>
    public long ImageEvery { get; init; } = 1 << 19;

    /// <summary>Parts after which an image is written anew as a whole: a start reads them all, and keys that go on are in each.</summary>
    public int ImageParts { get; init; } = 32;

    /// <summary>
    /// Share of the time in which an image is written while groups are: tens or hundreds of megabytes as fast as they can be written would hold
    /// up each group meanwhile.
    /// </summary>
    public double ImageShare { get; init; } = 0.5;

    /// <summary>Entries since the last image that make one worth while at a clean stop.</summary>
    public long ImageAtStop { get; init; } = 1 << 16;
}
