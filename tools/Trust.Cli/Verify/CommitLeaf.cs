using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Trust.Cli.Verify;

/// <summary>A commit entry of the log as the specification lays it out (docs/LEDGER-FORMAT.md §8).</summary>
internal sealed record CommitLeaf
{
    /// <summary>Its bytes.</summary>
    public const int Size = 101;

    /// <param name="bytes"><see cref="Size"/> of them; whether they are a commit entry says <see cref="IsKnownMap"/>.</param>
    public CommitLeaf(ReadOnlySpan<byte> bytes)
    {
        IsKnownMap = bytes[0] == 2 && BinaryPrimitives.ReadUInt32BigEndian(bytes[1..]) is (1 or 2);
        ByActor = IsKnownMap && BinaryPrimitives.ReadUInt32BigEndian(bytes[1..]) == 2;
        Volume = BinaryPrimitives.ReadInt64BigEndian(bytes[5..]);
        VolumeStart = BinaryPrimitives.ReadInt64BigEndian(bytes[13..]);
        Covered = BinaryPrimitives.ReadInt64BigEndian(bytes[21..]);
        TrieRoot = bytes[37..69].ToArray();
        SealedRoot = bytes[69..].ToArray();
        LeafHash = SHA256.HashData([0, .. bytes]);
    }

    /// <summary>Whether the leaf is a commit entry, under one of the two map functions.</summary>
    public bool IsKnownMap { get; }

    /// <summary>Whether there are events of type 3 only: map function 2.</summary>
    public bool ByActor { get; }

    /// <summary>Number of the live volume: as many are sealed.</summary>
    public long Volume { get; }

    /// <summary>Index at which it begins.</summary>
    public long VolumeStart { get; }

    /// <summary>The entry's own index.</summary>
    public long Covered { get; }

    /// <summary>Root of the live volume.</summary>
    public byte[] TrieRoot { get; }

    /// <summary>Root over the sealed volumes.</summary>
    public byte[] SealedRoot { get; }

    /// <summary>RFC 6962 hash of the leaf.</summary>
    public byte[] LeafHash { get; }
}
