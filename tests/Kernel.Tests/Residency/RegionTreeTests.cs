using Trust.Kernel.Residency;

namespace Trust.Kernel.Tests.Residency;

/// <summary>Where a region lies, on which day.</summary>
public sealed class RegionTreeTests
{
    private static readonly RegionTree Tree = RegionTree.Gbt2260;
    private static readonly DateOnly Today = new(2026, 11, 30);

    [Theory]
    [InlineData("500000", "500112", true)]
    [InlineData("131000", "131003", true)]
    [InlineData("130000", "131003", true)]
    [InlineData("131000", "130100", false)]
    // A prefix would say otherwise, or nothing: Hainan's counties have no city, those of Hubei and Xinjiang neither.
    [InlineData("460000", "469001", true)]
    [InlineData("460000", "469030", true)]
    [InlineData("420000", "429004", true)]
    [InlineData("650000", "659001", true)]
    // Dongguan, a city without counties.
    [InlineData("440000", "441900", true)]
    [InlineData("000000", "510104", true)]
    [InlineData("510100", "510000", false)]
    public void A_region_lies_in_its_parents_and_in_nothing_else(string within, string region, bool lies) => Assert.Equal(lies, Tree.Contains(within, region, Today));

    [Theory]
    [InlineData("710000")]
    [InlineData("810000")]
    [InlineData("820000")]
    [InlineData("199999")]
    [InlineData("999999")]
    [InlineData("51")]
    [InlineData("")]
    [InlineData(null)]
    [InlineData("５１００００")]
    public void Taiwan_Hong_Kong_Macau_and_whatever_is_not_listed_are_outside(string? region) => Assert.False(Tree.IsInside(region, Today));

    [Fact]
    public void What_is_not_listed_lies_not_even_in_itself() => Assert.False(Tree.Contains("199999", "199999", Today));

    // Danzhou: 469003 until 2015, 460400 since.
    [Fact]
    public void A_retired_code_lies_where_it_lay_while_it_was_in_force()
    {
        Assert.True(Tree.Contains("460000", "469003", new DateOnly(2010, 1, 1)));
        Assert.False(Tree.Knows("469003", Today));
        Assert.True(Tree.Contains("460000", "460400", Today));
        Assert.False(Tree.Knows("460400", new DateOnly(2010, 1, 1)));
    }

    // Fuling lay in Sichuan until Chongqing became a municipality in 1997.
    [Fact]
    public void Chongqing_lay_in_Sichuan_before_it_was_a_municipality()
    {
        Assert.True(Tree.Contains("510000", "512300", new DateOnly(1990, 1, 1)));
        Assert.False(Tree.Knows("500000", new DateOnly(1990, 1, 1)));
    }

    [Fact]
    public void Officers_add_a_code_that_lies_in_its_parent_from_its_day()
    {
        var tree = Tree.With([new RegionRow("510190", "510100", "新区", new DateOnly(2026, 12, 1), null)]);
        Assert.False(tree.Knows("510190", Today));
        Assert.True(tree.Contains("510000", "510190", new DateOnly(2026, 12, 1)));
        Assert.Equal("gbt2260-202112+1", tree.Edition);
    }

    [Fact]
    public void Parents_in_a_circle_end_in_nothing() =>
        Assert.False(Tree.With([new RegionRow("510190", "510191", "甲", new DateOnly(2020, 1, 1), null), new RegionRow("510191", "510190", "乙", new DateOnly(2020, 1, 1), null)])
            .IsInside("510190", Today));

    [Fact]
    public void The_whole_table_is_inside_but_for_three_and_has_a_parent_for_each()
    {
        var inside = Tree.Within(RegionTree.Mainland, Today);
        Assert.Equal(31, inside.Count(c => c.EndsWith("0000", StringComparison.Ordinal) && c != RegionTree.Mainland));
        Assert.True(inside.Count > 3_100, $"{inside.Count}");
        Assert.All(new[] { "110101", "500103", "510104", "530102", "460105", "131003", "659001" }, c => Assert.Contains(c, inside));
    }
}
