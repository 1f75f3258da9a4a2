using System.Buffers.Binary;
using System.Security.Cryptography;
using Trust.Crypto;
using Trust.LogFormat.Index;

namespace Trust.LogFormat.Tests;

public sealed class EntryFormTests
{
    private static readonly CommitEntry Entry = new(2, 100, 240, 7, SHA256.HashData([1]), SHA256.HashData([2]));

    [Fact]
    public void A_commit_entry_is_101_bytes_in_the_order_of_the_format()
    {
        var bytes = Entry.Write();
        Assert.Equal(
            "02" + "00000001" + "0000000000000002" + "0000000000000064" + "00000000000000F0" + "0000000000000007"
            + Convert.ToHexString(SHA256.HashData([1])) + Convert.ToHexString(SHA256.HashData([2])),
            Convert.ToHexString(bytes));
        Assert.Equal(Entry, CommitEntry.TryRead(bytes));
    }

    [Theory]
    [InlineData(0, 1)] // another entry type
    [InlineData(4, 3)] // another map function
    [InlineData(5, 0x80)] // a negative volume
    [InlineData(19, 0x40)] // a volume that begins after it is covered
    public void A_commit_entry_that_cannot_be_is_refused(int at, byte value)
    {
        var bytes = Entry.Write();
        bytes[at] = value;
        Assert.Null(CommitEntry.TryRead(bytes));
        Assert.Null(CommitEntry.TryRead(Entry.Write().AsSpan(1)));
        Assert.Null(CommitEntry.TryRead([.. Entry.Write(), 0]));
    }

    [Fact]
    public void A_commit_entry_with_keys_but_no_trie_is_refused() =>
        Assert.Null(CommitEntry.TryRead((Entry with { TrieRoot = new byte[32] }).Write()));

    [Fact]
    public void An_event_leaf_reads_back_and_any_other_length_order_or_type_is_refused()
    {
        var keys = new byte[64];
        keys[32] = 1;
        var place = new EntryPlace("sign", 3, 9, SHA256.HashData([3]), SHA256.HashData([4]));
        var leaf = new byte[EventLeaf.Length("sign", keys.Length, 5)];
        Assert.Equal(leaf.Length, EventLeaf.Write(leaf, place, keys, 1_700_000_000_000_000, "hello"u8));
        Assert.True(EventLeaf.TryRead(leaf, out var read));
        Assert.Equal(("sign", 3L, 9L, 1_700_000_000_000_000L), (read.Source, read.Epoch, read.Seq, read.Time));
        Assert.True(read.Keys.SequenceEqual(keys) && read.Body.SequenceEqual("hello"u8));
        Assert.True(read.Prev.SequenceEqual(place.Prev.Span) && read.BodyHash.SequenceEqual(place.BodyHash.Span));
        Assert.Equal(Envelope.Length("sign"), read.EnvelopeBytes.Length);

        Assert.False(EventLeaf.TryRead([.. leaf, 0], out _));
        for (var length = 0; length < leaf.Length; length++)
        {
            Assert.False(EventLeaf.TryRead(leaf.AsSpan(0, length), out _));
        }

        Assert.False(Changed(leaf, 0, 2)); // a commit entry
        Assert.False(Changed(leaf, 2, 9)); // keys that fall
        Assert.False(Changed(leaf, 66, 0x80)); // a negative time
        Assert.False(Changed(leaf, 76, (byte)'T')); // another envelope
    }

    [Fact]
    public void Random_bytes_and_bent_leaves_never_break_the_readers()
    {
        var random = new Random(12);
        var leaf = new byte[EventLeaf.Length("ca", 32, 100)];
        EventLeaf.Write(leaf, new EntryPlace("ca", 1, 1, new byte[32], new byte[32]), new byte[32], 5, new byte[100]);
        for (var i = 0; i < 20_000; i++)
        {
            var bent = i % 2 == 0 ? leaf.ToArray() : Entry.Write();
            for (var flips = random.Next(1, 6); flips > 0; flips--)
            {
                bent[random.Next(bent.Length)] = (byte)random.Next(256);
            }

            bent = bent[..random.Next(bent.Length + 1)];
            if (EventLeaf.TryRead(bent, out var read))
            {
                Assert.Equal(bent.Length, EventLeaf.Length(read.Source, read.Keys.Length, read.Body.Length));
            }

            if (CommitEntry.TryRead(bent) is { } entry)
            {
                Assert.Equal(bent, entry.Write());
            }
        }
    }

    [Fact]
    public void Tagged_hashes_equal_the_platforms_at_every_length()
    {
        for (var length = 0; length < 300; length++)
        {
            var data = RandomNumberGenerator.GetBytes(length);
            var hash = new byte[32];
            TaggedSha256.Hash(data, hash);
            Assert.Equal(SHA256.HashData(data), hash);
            for (var second = 0; second <= Math.Min(64, length); second++)
            {
                TaggedSha256.Hash(7, data.AsSpan(0, length - second), data.AsSpan(length - second), hash);
                Assert.Equal(SHA256.HashData([7, .. data]), hash);
            }
        }
    }

    private static bool Changed(byte[] leaf, int at, byte value)
    {
        var changed = leaf.ToArray();
        changed[at] = value;
        return EventLeaf.TryRead(changed, out _);
    }
}
