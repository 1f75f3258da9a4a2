using System.Text.Json;
using System.Text.Json.Serialization;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Fsck;

/// <summary>
/// How far a check of the log has come: what its next portion needs to go on behind the commit entry that ended a volume of the subject index. Made where
/// nothing was found wrong, and believed only as far as the entries behind it give the roots that were signed.
/// </summary>
/// <param name="Edge">Per level the hashes of the tree's partial tile, concatenated: the right edge, from which hashing goes on.</param>
/// <param name="Sealed">Volumes sealed before that entry.</param>
/// <param name="Commit">The commit entry, as logged.</param>
/// <param name="Time">Ledger time of the last event.</param>
/// <param name="ByActor">Whether the last event is found by who acted, as all after it must be.</param>
/// <param name="Chains">Where each source's chain stands.</param>
/// <param name="Keys">Where the opening of keys stands, when all entries have been checked: then the entry is the log's last; null before.</param>
internal sealed record CheckPosition(
    IReadOnlyList<byte[]> Edge, IReadOnlyList<SealedVolume> Sealed, byte[] Commit, long Time, bool ByActor, IReadOnlyList<CheckedChain> Chains, KeyPosition? Keys = null)
{
    /// <summary>Entries checked: the index of the next one.</summary>
    [JsonIgnore]
    public long Size => Entry.Covered + 1;

    /// <summary>Volume of the subject index that ended here.</summary>
    [JsonIgnore]
    public long Volume => Entry.Volume;

    /// <summary>The commit entry.</summary>
    [JsonIgnore]
    public CommitEntry Entry => CommitEntry.TryRead(Commit)!;

    /// <summary>Reads one as stored; null where it contradicts itself: then the check begins with the first entry.</summary>
    public static CheckPosition? TryRead(byte[] stored)
    {
        try
        {
            return JsonSerializer.Deserialize(stored, CheckPositionJson.Default.CheckPosition) is { } read && read.IsWhole() ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>The form it is stored in.</summary>
    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, CheckPositionJson.Default.CheckPosition);

    private bool IsWhole() =>
        CommitEntry.TryRead(Commit) is { } commit && Sealed.Count == commit.Volume && Edge.Count <= 8
        && !Edge.Where((tile, level) => tile.Length != LogTree.PartialWidth(commit.Covered + 1, level) * Envelope.HashSize).Any()
        && Chains.All(c => c.Hash.Length == Envelope.HashSize) && Keys?.Fits(commit.Covered + 1) != false;
}

/// <summary>Where one source's chain stands.</summary>
/// <param name="Source">Name.</param>
/// <param name="Epoch">Relay takeover of its last event.</param>
/// <param name="Seq">Number of its last event.</param>
/// <param name="Hash">Hash of its last envelope.</param>
internal sealed record CheckedChain(string Source, long Epoch, long Seq, byte[] Hash);

/// <summary>JSON of positions.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict)]
[JsonSerializable(typeof(CheckPosition))]
internal sealed partial class CheckPositionJson : JsonSerializerContext;
