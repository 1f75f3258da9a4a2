using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Trust.AuditLedger.Tests;

/// <summary>Falsifies a completeness proof together with the events it shows, as a ledger would that wants to hide one.</summary>
internal static class FalsifiedProof
{
    /// <summary>Drops, adds, moves or exchanges one event, in the proof's own list and beside it, or flips a bit of the proof.</summary>
    public static (byte[] Proof, List<byte[]> Hashes) Make(Random random, byte[] proof, List<long> indices, List<byte[]> hashes)
    {
        var (listed, shown) = (indices.ToList(), hashes.ToList());
        var at = random.Next(listed.Count);
        switch (random.Next(6))
        {
            case 0:
                listed.RemoveAt(at);
                shown.RemoveAt(at);
                break;
            case 1:
                listed.Insert(at, listed[at] - 1);
                shown.Insert(at, RandomNumberGenerator.GetBytes(32));
                break;
            case 2:
                var other = (at + 1) % listed.Count;
                (shown[at], shown[other]) = (shown[other], shown[at]);
                break;
            case 3:
                listed[at] += random.Next(2) == 0 ? 1 : -1;
                break;
            case 4:
                shown[at] = RandomNumberGenerator.GetBytes(32);
                break;
            default:
                var flipped = proof.ToArray();
                flipped[random.Next(flipped.Length)] ^= (byte)(1 << random.Next(8));
                return (flipped, shown);
        }

        return (Relisted(proof, indices, listed), shown);
    }

    // The list of indices stands in the proof in one piece, after its length and the number of postings that go with it.
    private static byte[] Relisted(byte[] proof, List<long> from, List<long> to)
    {
        var at = proof.AsSpan().IndexOf(Bytes(from));
        Assert.True(at > 20);
        var total = BinaryPrimitives.ReadInt64BigEndian(proof.AsSpan(at - 20)) + to.Count - from.Count;
        byte[] changed = [.. proof[..(at - 20)], .. Bytes([total]), .. proof[(at - 12)..(at - 4)], .. Bytes([to.Count]).AsSpan(4), .. Bytes(to), .. proof[(at + (8 * from.Count))..]];
        return changed;
    }

    private static byte[] Bytes(List<long> numbers)
    {
        var bytes = new byte[8 * numbers.Count];
        for (var i = 0; i < numbers.Count; i++)
        {
            BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(8 * i), numbers[i]);
        }

        return bytes;
    }
}
