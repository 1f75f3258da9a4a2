using System.Security.Cryptography;
using Trust.AuditLedger.Proofs;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

public sealed class LogTreeTests
{
    [Fact]
    public void The_root_equals_the_recursive_definition_at_every_size()
    {
        var leaves = Enumerable.Range(0, 700).Select(Leaf).ToList();
        var tree = new LogTree();
        Assert.Equal(MerkleProof.EmptyRoot, tree.Root());
        for (var n = 1; n <= leaves.Count; n++)
        {
            tree.Append(leaves[n - 1], null);
            Assert.Equal(Definition(leaves, 0, n), tree.Root());
        }
    }

    [Fact]
    public void Full_tiles_arise_once_each_on_every_level()
    {
        var tree = new LogTree();
        var tiles = new List<FullTile>();
        for (var i = 0; i < 70_000; i++)
        {
            tree.Append(Leaf(i), tiles);
        }

        Assert.Equal(Enumerable.Range(0, 273).Select(n => (long)n), tiles.Where(t => t.Level == 0).Select(t => t.Number));
        Assert.Equal([0L], tiles.Where(t => t.Level == 1).Select(t => t.Number));
        Assert.Equal(112 * 32, tree.Partial(0).Length);
        Assert.Equal(17 * 32, tree.Partial(1).Length);
        Assert.Equal(1 * 32, tree.Partial(2).Length);
        Assert.Equal(tree.Root(), tree.Copy().Root());
    }

    [Fact]
    public async Task Proofs_from_stored_tiles_verify_for_random_pairs_of_sizes()
    {
        await using var database = await TestDatabase.Create("ledger", typeof(Program).Assembly);
        var (tree, roots) = await Store(database, 66_000);
        var random = new Random(11);
        for (var i = 0; i < 300; i++)
        {
            var second = random.Next(1, roots.Count);
            var first = random.Next(0, second + 1);
            var index = random.Next(0, second);
            var reader = new TreeReader(database.Runtime, tree);
            Assert.True(MerkleProof.VerifyInclusion(index, second, Leaf(index), await reader.Inclusion(index, second, default), roots[second]), $"{index}/{second}");
            Assert.True(MerkleProof.VerifyConsistency(first, roots[first], second, roots[second], await reader.Consistency(first, second, default)), $"{first}->{second}");
        }
    }

    [Fact]
    public async Task One_reader_makes_many_proofs_and_a_missing_tile_is_named()
    {
        await using var database = await TestDatabase.Create("ledger", typeof(Program).Assembly);
        var (tree, roots) = await Store(database, 3_000);
        var reader = new TreeReader(database.Runtime, tree);
        foreach (var (index, size) in new[] { (5, 3_000), (5, 700), (1_024, 1_025), (2_999, 3_000), (0, 256), (255, 257) })
        {
            Assert.True(MerkleProof.VerifyInclusion(index, size, Leaf(index), await reader.Inclusion(index, size, default), roots[size]), $"{index}/{size}");
            Assert.Equal(roots[size], await reader.Root(size, default));
        }

        await database.Owner.Sql("DELETE FROM tiles WHERE level = 0 AND n = 7").Execute(default);
        var missing = await Assert.ThrowsAsync<InvalidOperationException>(() => new TreeReader(database.Runtime, tree).Inclusion(1_800, 3_000, default));
        Assert.Equal("Tile 0/7 is missing.", missing.Message);
    }

    private static async Task<(LogTree Tree, List<byte[]> Roots)> Store(TestDatabase database, int size)
    {
        var tree = new LogTree();
        var tiles = new List<FullTile>();
        var roots = new List<byte[]> { tree.Root() };
        for (var i = 0; i < size; i++)
        {
            tree.Append(Leaf(i), tiles);
            roots.Add(tree.Root());
        }

        foreach (var tile in tiles)
        {
            await database.Runtime.Sql("INSERT INTO tiles (level, n, hashes) VALUES ($1, $2, $3)")
                .With((short)tile.Level).With(tile.Number).With(tile.Hashes).Execute(default);
        }

        return (tree, roots);
    }

    private static byte[] Leaf(int i) => SHA256.HashData(BitConverter.GetBytes(i));

    private static byte[] Definition(List<byte[]> leaves, int lo, int hi)
    {
        if (hi - lo == 1)
        {
            return leaves[lo];
        }

        var k = 1;
        while (k * 2 < hi - lo)
        {
            k *= 2;
        }

        return MerkleProof.NodeHash(Definition(leaves, lo, lo + k), Definition(leaves, lo + k, hi));
    }
}
