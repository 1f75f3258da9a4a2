using System.Buffers.Binary;
using static Trust.Cli.Verify.ProofRule;

namespace Trust.Cli.Verify;

/// <summary>Reads a proof from its first byte to its last; every count is bounded before anything is reserved.</summary>
internal ref struct ProofReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>Nothing is left.</summary>
    public readonly bool AtEnd => _rest.IsEmpty;

    /// <summary>The next bytes.</summary>
    public ReadOnlySpan<byte> Take(int length)
    {
        Require(_rest.Length >= length);
        var taken = _rest[..length];
        _rest = _rest[length..];
        return taken;
    }

    /// <summary>A number of one byte.</summary>
    public int U8() => Take(1)[0];

    /// <summary>A number of four.</summary>
    public uint U32() => BinaryPrimitives.ReadUInt32BigEndian(Take(4));

    /// <summary>A number of eight bytes, below 2^63: nothing in a log is counted beyond that.</summary>
    public long I64()
    {
        var value = BinaryPrimitives.ReadInt64BigEndian(Take(8));
        Require(value >= 0);
        return value;
    }

    /// <summary>A count of four bytes, and as many indices: they have to be there before room is made for them.</summary>
    public long[] Indices()
    {
        var count = U32();
        Require(count <= _rest.Length / 8);
        var indices = new long[count];
        for (var i = 0; i < indices.Length; i++)
        {
            indices[i] = I64();
        }

        return indices;
    }

    /// <summary>A count of one byte, and as many hashes.</summary>
    public List<byte[]> Hashes(int atMost)
    {
        var count = U8();
        Require(count <= atMost);
        var list = new List<byte[]>(count);
        for (var i = 0; i < count; i++)
        {
            list.Add(Take(Hash).ToArray());
        }

        return list;
    }
}
