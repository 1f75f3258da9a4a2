using System.Text.Json;

namespace Trust.LogFormat.Tests;

/// <summary>RFC 6962 vectors (Vectors/merkle.json names its source).</summary>
public sealed class MerkleProofTests
{
    private static readonly JsonElement Vectors = JsonDocument.Parse(File.ReadAllBytes("Vectors/merkle.json")).RootElement;

    [Fact]
    public void Every_known_inclusion_proof_is_accepted()
    {
        foreach (var vector in Vectors.GetProperty("inclusion").EnumerateArray())
        {
            var (size, index) = (vector.GetProperty("size").GetInt64(), vector.GetProperty("index").GetInt32());
            Assert.True(MerkleProof.VerifyInclusion(index, size, Leaf(index), Hashes(vector.GetProperty("path")), Root(size)), $"{index}/{size}");
        }
    }

    [Fact]
    public void Every_known_consistency_proof_is_accepted()
    {
        foreach (var vector in Vectors.GetProperty("consistency").EnumerateArray())
        {
            var (first, second) = (vector.GetProperty("first").GetInt64(), vector.GetProperty("second").GetInt64());
            Assert.True(MerkleProof.VerifyConsistency(first, Root(first), second, Root(second), Hashes(vector.GetProperty("path"))), $"{first}->{second}");
        }
    }

    [Fact]
    public void A_proof_with_any_bit_changed_a_hash_more_or_a_hash_less_is_refused()
    {
        var path = Hashes(Vectors.GetProperty("inclusion").EnumerateArray()
            .Single(v => v.GetProperty("size").GetInt64() == 8 && v.GetProperty("index").GetInt64() == 5).GetProperty("path"));
        for (var i = 0; i < path.Count; i++)
        {
            for (var bit = 0; bit < 256; bit++)
            {
                path[i][bit / 8] ^= (byte)(1 << (bit % 8));
                Assert.False(MerkleProof.VerifyInclusion(5, 8, Leaf(5), path, Root(8)));
                path[i][bit / 8] ^= (byte)(1 << (bit % 8));
            }
        }

        Assert.True(MerkleProof.VerifyInclusion(5, 8, Leaf(5), path, Root(8)));
        Assert.False(MerkleProof.VerifyInclusion(5, 8, Leaf(5), [.. path, path[0]], Root(8)));
        Assert.False(MerkleProof.VerifyInclusion(5, 8, Leaf(5), path[..2], Root(8)));
        Assert.False(MerkleProof.VerifyInclusion(4, 8, Leaf(5), path, Root(8)));
        Assert.False(MerkleProof.VerifyInclusion(8, 8, Leaf(5), path, Root(8)));
        Assert.False(MerkleProof.VerifyConsistency(6, Root(5), 8, Root(8), Hashes(Vectors.GetProperty("consistency").EnumerateArray()
            .Single(v => v.GetProperty("first").GetInt64() == 6 && v.GetProperty("second").GetInt64() == 8).GetProperty("path"))));
    }

    private static byte[] Leaf(int index) => MerkleProof.LeafHash(Convert.FromHexString(Vectors.GetProperty("leaves")[index].GetString()!));

    private static byte[] Root(long size) => Convert.FromHexString(Vectors.GetProperty("roots").GetProperty(size.ToString(System.Globalization.CultureInfo.InvariantCulture)).GetString()!);

    private static List<byte[]> Hashes(JsonElement path) => [.. path.EnumerateArray().Select(h => Convert.FromHexString(h.GetString()!))];
}
