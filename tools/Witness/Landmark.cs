using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.Witness;

/// <summary>
/// Where a volume of the subject index ended: what a replay needs to begin there instead of at the first entry, so that a restart costs one volume and
/// older entries may be pruned. Believed only as far as the entries after it give the cosigned root; losing it costs time alone, or after a prune a landmark
/// of others (<see cref="LandmarkQuorum"/>).
/// </summary>
/// <param name="Edge">Per level the hashes of the tree's partial tile, concatenated.</param>
/// <param name="Sealed">Volumes sealed before.</param>
/// <param name="Commit">The commit entry that ended the volume, 101 bytes: the last entry covered.</param>
/// <param name="Time">Ledger time of the last event.</param>
/// <param name="Chains">Where each source's chain stands.</param>
/// <param name="ByActor">Whether the last event is found by who acted, as all after it must be.</param>
/// <param name="Note">Its text with the cosignatures of those who recomputed the log up to it; null in a file from before there were any.</param>
internal sealed record Landmark(
    IReadOnlyList<byte[]> Edge, IReadOnlyList<SealedVolume> Sealed, byte[] Commit, long Time, IReadOnlyList<LandmarkChain> Chains, bool ByActor = false, string? Note = null)
{
    private const int MaxBytes = 16 * 1024 * 1024;

    /// <summary>Entries covered: the index of the next one.</summary>
    [JsonIgnore]
    public long Size => CommitEntry.TryRead(Commit)!.Covered + 1;

    /// <summary>Whether its parts fit one another.</summary>
    [JsonIgnore]
    public bool IsWhole =>
        CommitEntry.TryRead(Commit) is { } commit && Sealed.Count == commit.Volume && Edge.Count <= 8
        && !Edge.Where((tile, level) => tile.Length != LogTree.PartialWidth(commit.Covered + 1, level) * Envelope.HashSize).Any()
        && Chains.All(c => c.Head.Length == Envelope.HashSize);

    /// <summary>Reads a file; null when there is none or it is spoiled.</summary>
    public static Landmark? TryRead(string file)
    {
        if (!File.Exists(file) || new FileInfo(file).Length > MaxBytes)
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(file), LandmarkJson.Default.Landmark) is { IsWhole: true } read ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>What is cosigned of a landmark (docs/LEDGER-FORMAT.md §8): the root says what was logged, the hash what else a replay needs to go on.</summary>
    /// <param name="origin">The log's.</param>
    /// <param name="size">Entries covered.</param>
    /// <param name="root">Root of their tree.</param>
    /// <param name="state">See <see cref="LandmarkState"/>.</param>
    public static string Text(string origin, long size, byte[] root, byte[] state) => string.Create(
        CultureInfo.InvariantCulture, $"{origin}/landmark\n{size}\n{Convert.ToBase64String(root)}\n{Convert.ToBase64String(SHA256.HashData(state))}\n");

    /// <summary>What is cosigned of this one.</summary>
    public string Text(string origin) => Text(origin, Size, LogTree.FromEdge(Size, Edge).Root(), LandmarkState.Write(this));

    /// <summary>Replaces the file whole.</summary>
    public void Write(string file)
    {
        var next = file + ".next";
        using (var stream = File.Create(next))
        {
            stream.Write(JsonSerializer.SerializeToUtf8Bytes(this, LandmarkJson.Default.Landmark));
            stream.Flush(flushToDisk: true);
        }

        File.Move(next, file, overwrite: true);
    }
}

/// <summary>Where one source's chain stands.</summary>
/// <param name="Source">Name.</param>
/// <param name="Epoch">Epoch of its last event.</param>
/// <param name="Seq">Number of its last event.</param>
/// <param name="Head">Hash of its last envelope.</param>
internal sealed record LandmarkChain(string Source, long Epoch, long Seq, byte[] Head);

/// <summary>JSON of landmarks.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict)]
[JsonSerializable(typeof(Landmark))]
internal sealed partial class LandmarkJson : JsonSerializerContext;
