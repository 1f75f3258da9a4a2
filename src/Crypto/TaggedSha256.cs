using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using Trust.Crypto.Native;

namespace Trust.Crypto;

/// <summary>
/// SHA-256 (FIPS 180-4) of the short tagged messages that Merkle trees are made of. The same function as the platform's, without the
/// call's overhead, which is several times the hash itself at this length: the compression function of the system libcrypto alone.
/// </summary>
public static class TaggedSha256
{
    private const int Block = 64;

    // Words of SHA256_CTX of OpenSSL 3: h[8], Nl, Nh, data[16], num, md_len. With whole blocks only h and num matter, the rest is counted along.
    private const int ContextWords = 28;
    private const int ContextNum = 26;

    // Most bytes at once: a collection of garbage waits for the thread meanwhile, some 3 µs.
    private const int Stretch = 64 * Block;

    private static ReadOnlySpan<uint> Initial =>
        [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

    /// <summary>H(tag ‖ data).</summary>
    /// <param name="tag">Domain of the hash, the first byte of the message.</param>
    /// <param name="data">Any length.</param>
    /// <param name="hash">Receives 32 bytes; may overlap the input.</param>
    public static void Hash(byte tag, ReadOnlySpan<byte> data, Span<byte> hash) => Hash([tag], data, [], hash);

    /// <summary>H(tag ‖ first ‖ second).</summary>
    /// <param name="tag">Domain of the hash, the first byte of the message.</param>
    /// <param name="first">Any length.</param>
    /// <param name="second">At most 64 bytes.</param>
    /// <param name="hash">Receives 32 bytes; may overlap the inputs.</param>
    public static void Hash(byte tag, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> hash)
    {
        if (first.Length == SHA256.HashSizeInBytes && second.Length == SHA256.HashSizeInBytes && hash.Length >= SHA256.HashSizeInBytes)
        {
            Pair(tag, first, second, hash);
        }
        else
        {
            Hash([tag], first, second, hash);
        }
    }

    /// <summary>H(data), for messages that carry their tag themselves.</summary>
    /// <param name="data">Any length.</param>
    /// <param name="hash">Receives 32 bytes; may overlap the input.</param>
    public static void Hash(ReadOnlySpan<byte> data, Span<byte> hash) => Hash([], data, [], hash);

    // A node of a tree, which most hashes are: two blocks whose layout is known.
    [SkipLocalsInit]
    private static unsafe void Pair(byte tag, ReadOnlySpan<byte> left, ReadOnlySpan<byte> right, Span<byte> hash)
    {
        const ulong bits = 8 * (1 + (2 * SHA256.HashSizeInBytes));
        var state = stackalloc uint[ContextWords];
        Begin(state);
        var blocks = stackalloc byte[2 * Block];
        blocks[0] = tag;
        Vector256.Create(left).Store(blocks + 1);
        Vector256<byte>.Zero.Store(blocks + Block);
        Vector256<byte>.Zero.Store(blocks + Block + 32);
        Vector256.Create(right).Store(blocks + 33);
        blocks[65] = 0x80;
        BinaryPrimitives.WriteUInt64BigEndian(new Span<byte>(blocks + 120, sizeof(ulong)), bits);
        _ = LibCrypto.Sha256Update(state, blocks, 2 * Block);
        Write(state, hash);
    }

    private static unsafe void Begin(uint* state)
    {
        Initial.CopyTo(new Span<uint>(state, 8));
        state[ContextNum] = 0;
    }

    private static unsafe void Write(uint* state, Span<byte> hash)
    {
        for (var i = 0; i < 8; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(hash[(4 * i)..], state[i]);
        }
    }

    [SkipLocalsInit]
    private static unsafe void Hash(ReadOnlySpan<byte> tag, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> hash)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(second.Length, Block, nameof(second));
        ArgumentOutOfRangeException.ThrowIfLessThan(hash.Length, SHA256.HashSizeInBytes, nameof(hash));
        var state = stackalloc uint[ContextWords];
        Begin(state);

        // Room for the unfinished block, all of `second`, the 0x80 and the length.
        const int room = 4 * Block;
        var blocks = stackalloc byte[room];
        var work = new Span<byte>(blocks, room);
        tag.CopyTo(work);
        var filled = tag.Length;
        var rest = first;
        if (filled > 0 && filled + rest.Length >= Block)
        {
            rest[..(Block - filled)].CopyTo(work[filled..]);
            rest = rest[(Block - filled)..];
            _ = LibCrypto.Sha256Update(state, blocks, Block);
            filled = 0;
        }

        fixed (byte* whole = rest)
        {
            var end = filled == 0 ? rest.Length / Block * Block : 0;
            for (var at = 0; at < end; at += Stretch)
            {
                _ = LibCrypto.Sha256Update(state, whole + at, (nuint)Math.Min(Stretch, end - at));
            }

            rest = rest[end..];
        }

        rest.CopyTo(work[filled..]);
        filled += rest.Length;
        second.CopyTo(work[filled..]);
        filled += second.Length;
        work[filled] = 0x80;
        var length = (filled + 1 + sizeof(ulong) + Block - 1) / Block * Block;
        work[(filled + 1)..(length - sizeof(ulong))].Clear();
        BinaryPrimitives.WriteUInt64BigEndian(work[(length - sizeof(ulong))..], 8 * ((ulong)tag.Length + (ulong)first.Length + (ulong)second.Length));
        _ = LibCrypto.Sha256Update(state, blocks, (nuint)length);
        Write(state, hash);
    }
}
