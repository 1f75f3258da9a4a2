using System.Security.Cryptography;
using Trust.AuditLedger.Checkpoints;
using Trust.LogFormat;

namespace Trust.AuditLedger.Tests.Checkpoints;

public sealed class FrontierTests
{
    [Fact]
    public void A_frontier_gives_the_root_by_definition_at_every_size_also_when_it_is_taken_up_again()
    {
        var leaves = new List<byte[]>();
        var frontier = new Frontier(MerkleProof.NodeHash);
        Assert.Null(frontier.Root());
        for (var size = 1; size <= 300; size++)
        {
            leaves.Add(RandomNumberGenerator.GetBytes(32));
            frontier.Append(leaves[^1]);
            Assert.Equal(ByDefinition(leaves), frontier.Root());
            frontier = new Frontier(MerkleProof.NodeHash, size, frontier.ToBytes());
        }

        Assert.Equal(300, frontier.Size);
        Assert.Throws<InvalidDataException>(() => new Frontier(MerkleProof.NodeHash, 299, frontier.ToBytes()));
    }

    // RFC 6962 §2.1.
    private static byte[] ByDefinition(List<byte[]> leaves)
    {
        if (leaves.Count == 1)
        {
            return leaves[0];
        }

        var split = 1 << System.Numerics.BitOperations.Log2((uint)(leaves.Count - 1));
        return MerkleProof.NodeHash(ByDefinition(leaves[..split]), ByDefinition(leaves[split..]));
    }
}
