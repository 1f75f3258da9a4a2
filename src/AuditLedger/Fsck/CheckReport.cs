using Trust.LogFormat;

namespace Trust.AuditLedger.Fsck;

/// <summary>One thing that is not as the rest says it must be.</summary>
/// <param name="Code">Kebab case, stable.</param>
/// <param name="Index">Entry, tile number or size it concerns; null when it is none.</param>
/// <param name="Detail">What was found.</param>
internal sealed record Fault(string Code, long? Index, string Detail);

/// <summary>What a check came to.</summary>
/// <param name="Size">Index after the last entry checked.</param>
/// <param name="Faults">Empty when every stored byte is as it was written.</param>
/// <param name="Notes">What was not checked, and why.</param>
/// <param name="Root">Root that the entries give.</param>
/// <param name="SignedSize">Largest size of which the entries give the root that this log has signed.</param>
internal sealed record CheckReport(long Size, IReadOnlyList<Fault> Faults, IReadOnlyList<string> Notes, byte[] Root, long SignedSize)
{
    /// <summary>Leaf hashes of damaged entries, as their other copies give them.</summary>
    public IReadOnlyDictionary<long, byte[]> Expected { get; init; } = new Dictionary<long, byte[]>();

    /// <summary>Full tiles as the entries give them whose stored copy is missing or another.</summary>
    public IReadOnlyList<FullTile> Tiles { get; init; } = [];

    /// <summary>Where the next portion goes on; null at the log's end, and where something was found.</summary>
    public CheckPosition? Next { get; init; }

    /// <summary>Ends of the sources' chains.</summary>
    public IReadOnlyDictionary<string, (long Epoch, long Seq, byte[] Hash)> Ends { get; init; } = new Dictionary<string, (long, long, byte[])>(StringComparer.Ordinal);
}
