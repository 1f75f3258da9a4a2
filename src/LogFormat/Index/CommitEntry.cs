using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Trust.LogFormat.Index;

/// <summary>First byte of an entry; the sequencer's, so that no producer can forge a commit entry.</summary>
public static class EntryType
{
    /// <summary>An event of a producer.</summary>
    public const byte Event = 1;

    /// <summary>The state of the subject index; last entry of every published checkpoint.</summary>
    public const byte Commit = 2;

    /// <summary>An event of a producer, which the index finds by who acted as well. After the first of them there is no <see cref="Event"/> any more.</summary>
    public const byte EventByActor = 3;
}

/// <summary>
/// Commit entry of the subject index, 101 bytes of leaf data (docs/LEDGER-FORMAT.md): one signature over the log's root covers, through its
/// last leaf, the index as well.
/// </summary>
/// <param name="Volume">Number of the live volume, from 0; as many volumes are sealed. The format's member <c>epoch</c>.</param>
/// <param name="VolumeStart">Index at which the live volume begins. The format's member <c>epochStart</c>.</param>
/// <param name="Covered">The entry's own index: events from <paramref name="VolumeStart"/> up to it are in the trie.</param>
/// <param name="KeyCount">Keys in the trie.</param>
/// <param name="TrieRoot">Root of the live volume's trie, 32 bytes; zeros when it is empty.</param>
/// <param name="SealedRoot">Root of the tree of sealed volumes, 32 bytes; SHA-256 of nothing when there is none.</param>
/// <param name="ByActor">Every event of the log, from its first entry on, is found by who acted: map function 2.</param>
public sealed record CommitEntry(long Volume, long VolumeStart, long Covered, long KeyCount, byte[] TrieRoot, byte[] SealedRoot, bool ByActor = false)
{
    /// <summary>Bytes of the leaf data.</summary>
    public const int Size = 1 + sizeof(uint) + (4 * sizeof(long)) + (2 * IndexHash.Size);

    // Keys of an event are those of its body's subjects, each once, sorted as bytes; in a leaf of type 3 the actor's is among them.
    private const uint AnyEvents = 1;

    // The same, and there are leaves of type 3 only.
    private const uint EventsByActor = 2;

    /// <summary>The leaf data.</summary>
    public byte[] Write()
    {
        var to = new byte[Size];
        to[0] = EntryType.Commit;
        BinaryPrimitives.WriteUInt32BigEndian(to.AsSpan(1), ByActor ? EventsByActor : AnyEvents);
        BinaryPrimitives.WriteInt64BigEndian(to.AsSpan(5), Volume);
        BinaryPrimitives.WriteInt64BigEndian(to.AsSpan(13), VolumeStart);
        BinaryPrimitives.WriteInt64BigEndian(to.AsSpan(21), Covered);
        BinaryPrimitives.WriteInt64BigEndian(to.AsSpan(29), KeyCount);
        TrieRoot.CopyTo(to, 37);
        SealedRoot.CopyTo(to, 37 + IndexHash.Size);
        return to;
    }

    /// <summary>Reads leaf data; null when it is not a commit entry of a known map function or contradicts itself.</summary>
    public static CommitEntry? TryRead(ReadOnlySpan<byte> leaf)
    {
        if (leaf.Length != Size || leaf[0] != EntryType.Commit || BinaryPrimitives.ReadUInt32BigEndian(leaf[1..]) is not (AnyEvents or EventsByActor))
        {
            return null;
        }

        var entry = new CommitEntry(
            BinaryPrimitives.ReadInt64BigEndian(leaf[5..]), BinaryPrimitives.ReadInt64BigEndian(leaf[13..]),
            BinaryPrimitives.ReadInt64BigEndian(leaf[21..]), BinaryPrimitives.ReadInt64BigEndian(leaf[29..]),
            leaf.Slice(37, IndexHash.Size).ToArray(), leaf[(37 + IndexHash.Size)..].ToArray(), BinaryPrimitives.ReadUInt32BigEndian(leaf[1..]) == EventsByActor);
        return entry.IsCoherent ? entry : null;
    }

    // The first volume begins at 0 and no other does; a volume begins no later than it is covered; no keys and no trie are the same.
    private bool IsCoherent =>
        Volume >= 0 && VolumeStart >= 0 && KeyCount >= 0 && VolumeStart <= Covered && Volume <= VolumeStart
        && (Volume == 0) == (VolumeStart == 0)
        && (KeyCount == 0) == TrieRoot.AsSpan().SequenceEqual(IndexHash.Empty)
        && (Volume > 0 || SealedRoot.AsSpan().SequenceEqual(SHA256.HashData([])));

    /// <inheritdoc/>
    public bool Equals(CommitEntry? other) => other is not null && Write().AsSpan().SequenceEqual(other.Write());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Covered, BinaryPrimitives.ReadInt64BigEndian(TrieRoot));
}
