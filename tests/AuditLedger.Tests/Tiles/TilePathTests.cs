using Trust.AuditLedger.Tiles;
using Trust.LogFormat;

namespace Trust.AuditLedger.Tests.Tiles;

/// <summary>C2SP tlog-tiles: a tile has one address.</summary>
public sealed class TilePathTests
{
    // The example of tlog-tiles itself, and its neighbours.
    [Theory]
    [InlineData("0/x001/x234/067", 0, 1_234_067L, 256)]
    [InlineData("0/000", 0, 0L, 256)]
    [InlineData("63/999", 63, 999L, 256)]
    [InlineData("1/x001/000.p/17", 1, 1000L, 17)]
    [InlineData("2/000.p/1", 2, 0L, 1)]
    [InlineData("entries/273.p/112", null, 273L, 112)]
    [InlineData("entries/x010/x000/000.p/255", null, 10_000_000L, 255)]
    [InlineData("0/x009/x223/x372/x036/x854/x775/807", 0, long.MaxValue, 256)]
    public void An_address_is_read_and_written_back_the_same(string path, int? level, long number, int width)
    {
        Assert.Equal(new TilePath(level, number, width), TilePath.TryParse(path));
        Assert.Equal(path, new TilePath(level, number, width).ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("0/")]
    [InlineData("0/1")]
    [InlineData("0/0001")]
    [InlineData("0/x000/001")] // a leading group of zeros
    [InlineData("0/x001")] // the last group has no x
    [InlineData("0/001/002")] // the others have one
    [InlineData("0/X001/002")]
    [InlineData("0/x001/002/")]
    [InlineData("0//002")]
    [InlineData("0/+01")]
    [InlineData("0/ 01")]
    [InlineData("0/٠٠١")]
    [InlineData("00/001")]
    [InlineData("01/001")]
    [InlineData("64/001")]
    [InlineData("-1/001")]
    [InlineData("8/0/001")] // x/mod's own form, which names the height
    [InlineData("0/001.p/0")]
    [InlineData("0/001.p/256")]
    [InlineData("0/001.p/01")]
    [InlineData("0/001.p/")]
    [InlineData("0/001.p")]
    [InlineData("0/001.p/1.p/1")]
    [InlineData("0/001.P/1")]
    [InlineData("data/001")]
    [InlineData("Entries/001")]
    [InlineData("0/x009/x223/x372/x036/x854/x775/808")] // beyond 2^63
    [InlineData("0/x999/x999/x999/x999/x999/x999/x999/x999/x999/999")]
    public void Any_other_spelling_is_no_tile(string path) => Assert.Null(TilePath.TryParse(path));

    [Fact]
    public void Every_random_address_survives_the_round_trip_and_no_random_edit_of_it_names_the_same_tile()
    {
        for (var i = 0; i < 20_000; i++)
        {
            var tile = new TilePath(
                Next(3) == 0 ? null : Next(64), Math.Abs(BitConverter.ToInt64(System.Security.Cryptography.RandomNumberGenerator.GetBytes(8)) >> Next(63)), Next(2) == 0 ? 256 : 1 + Next(255));
            var path = tile.ToString();
            Assert.Equal(tile, TilePath.TryParse(path));
            var edited = path.ToCharArray();
            edited[Next(edited.Length)] = "x/.p0123456789 %e"[Next(17)];
            if (!edited.AsSpan().SequenceEqual(path))
            {
                Assert.NotEqual(tile, TilePath.TryParse(edited));
            }
        }
    }

    // standards: size 70,000 has 273 full tiles and one of 112 at level 0, one full and one of 17 at level 1, one of 1 at level 2.
    [Fact]
    public void A_log_of_70000_leaves_has_the_tiles_that_C2SP_counts()
    {
        Assert.Equal((273, 112), (LogTree.FullTiles(70_000, 0), LogTree.PartialWidth(70_000, 0)));
        Assert.Equal((1, 17), (LogTree.FullTiles(70_000, 1), LogTree.PartialWidth(70_000, 1)));
        Assert.Equal((0, 1), (LogTree.FullTiles(70_000, 2), LogTree.PartialWidth(70_000, 2)));
    }

    private static int Next(int below) => System.Security.Cryptography.RandomNumberGenerator.GetInt32(below);
}
