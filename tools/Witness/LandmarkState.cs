using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.Witness;

/// <summary>
/// What a replay needs to go on behind a landmark besides the tree's edge, in one spelling, so that all witnesses of a log cosign the same bytes
/// (docs/LEDGER-FORMAT.md §8).
/// </summary>
internal static class LandmarkState
{
    private const int VolumeSize = (2 * sizeof(long)) + IndexHash.Size;

    private static ReadOnlySpan<byte> Prefix => "trust.landmark.v1\n"u8;

    /// <summary>The state of a landmark.</summary>
    public static byte[] Write(Landmark of)
    {
        using var to = new MemoryStream();
        to.Write(Prefix);
        to.Write(of.Commit);
        to.Write(Number(of.Time));
        to.WriteByte(of.ByActor ? (byte)1 : (byte)0);
        to.Write(Number(of.Sealed.Count));
        foreach (var volume in of.Sealed)
        {
            to.Write(Number(volume.Start));
            to.Write(Number(volume.End));
            to.Write(volume.TrieRoot);
        }

        to.Write(Number(of.Chains.Count));
        foreach (var chain in of.Chains.OrderBy(c => c.Source, StringComparer.Ordinal))
        {
            var name = Encoding.UTF8.GetBytes(chain.Source);
            to.WriteByte(checked((byte)name.Length));
            to.Write(name);
            to.Write(Number(chain.Epoch));
            to.Write(Number(chain.Seq));
            to.Write(chain.Head);
        }

        return to.ToArray();
    }

    /// <summary>Reads a state; null when it is not in the one spelling. The edge is empty, there is no note, and whether its parts fit is not said.</summary>
    public static Landmark? TryRead(byte[] state)
    {
        var rest = state.AsSpan();
        if (!Take(ref rest, Prefix.Length).SequenceEqual(Prefix))
        {
            return null;
        }

        var commit = Take(ref rest, CommitEntry.Size).ToArray();
        var time = TakeNumber(ref rest);
        var byActor = Take(ref rest, 1) is [1];
        var volumes = new List<SealedVolume>();
        // Every count is bounded by the bytes that are left before anything is reserved for it.
        for (var left = TakeNumber(ref rest); left > 0 && rest.Length >= VolumeSize; left--)
        {
            volumes.Add(new SealedVolume(TakeNumber(ref rest), TakeNumber(ref rest), Take(ref rest, IndexHash.Size).ToArray()));
        }

        var chains = new List<LandmarkChain>();
        for (var left = TakeNumber(ref rest); left > 0 && rest.Length > 0; left--)
        {
            var name = Take(ref rest, Take(ref rest, 1)[0]);
            // Decoded leniently it would be another name, and a longer one.
            if (!Utf8.IsValid(name))
            {
                return null;
            }

            chains.Add(new LandmarkChain(Encoding.UTF8.GetString(name), TakeNumber(ref rest), TakeNumber(ref rest), Take(ref rest, Envelope.HashSize).ToArray()));
        }

        // What was cut off, left over, or spelled otherwise comes out as other bytes.
        var read = new Landmark([], volumes, commit, time, chains, byActor);
        return commit.Length == CommitEntry.Size && chains.DistinctBy(c => c.Source, StringComparer.Ordinal).Count() == chains.Count && Write(read).AsSpan().SequenceEqual(state)
            ? read : null;
    }

    private static byte[] Number(long value)
    {
        var bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        return bytes;
    }

    private static long TakeNumber(ref Span<byte> rest) => Take(ref rest, sizeof(long)) is { Length: sizeof(long) } bytes ? BinaryPrimitives.ReadInt64BigEndian(bytes) : 0;

    private static Span<byte> Take(ref Span<byte> rest, int length)
    {
        length = Math.Min(length, rest.Length);
        var taken = rest[..length];
        rest = rest[length..];
        return taken;
    }
}
