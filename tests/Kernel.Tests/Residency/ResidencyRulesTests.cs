using CsCheck;
using Trust.Kernel.Residency;

namespace Trust.Kernel.Tests.Residency;

/// <summary>What the policies let happen to data, and where: the golden cases of docs/RESIDENCY.md, and what holds of any set of rules.</summary>
public sealed class ResidencyRulesTests
{
    private static readonly DateOnly Today = new(2026, 11, 30);
    private static readonly IReadOnlyList<ResidencyRule> Standard = ResidencyTerms.StandardRules();
    private static readonly ResidencyRules Rules = Of(Standard);
    private static readonly string?[] Regions = ["510000", "510100", "500000", "500112", "530000", "131000", "130100", "460000", "469001", "810000", "710000", "199999", null];

    private static readonly Gen<ResidencyRule> AnyRule =
        from id in Gen.Int[0, 1_000_000]
        from governs in Among<string>(["000000", "510000", "500000", "530000", "131000", "460000"])
        from boundary in Among<string>(["000000", "510000", "500000", "810000"])
        from classes in Gen.Int[1, 511]
        from actions in Gen.Enum<ResidencyAction>().Array[1, 4]
        from exit in Gen.Enum<RuleExit>()
        select new ResidencyRule($"any-{id}", "any", governs, (DataClass)classes, actions, boundary, RuleForce.Must, exit);

    private static readonly Gen<ResidencyQuestion> AnyQuestion =
        from action in Gen.Enum<ResidencyAction>()
        from @class in Gen.Int[1, 511]
        from governing in Among(Regions)
        from place in Among(Regions)
        select new ResidencyQuestion(action, (DataClass)@class, governing ?? "", place, Today);

    [Theory]
    // Chongqing, 33: in the city.
    [InlineData("500000", "500112", ResidencyAction.Store, DataClass.Clinical, "")]
    [InlineData("500103", "500112", ResidencyAction.Store, DataClass.Clinical, "")]
    [InlineData("500000", "510100", ResidencyAction.Store, DataClass.Clinical, "CQ-33")]
    [InlineData("500000", "510100", ResidencyAction.Backup, DataClass.Identity, "CQ-33")]
    [InlineData("500000", "510100", ResidencyAction.Access, DataClass.Clinical, "")]
    [InlineData("500000", "510100", ResidencyAction.KeyGeneration, DataClass.Key, "CQ-33-K")]
    // Langfang, 10(2): inside the mainland.
    [InlineData("131000", "130100", ResidencyAction.Store, DataClass.Clinical, "")]
    [InlineData("131003", "810000", ResidencyAction.Store, DataClass.Clinical, "CN-1 LF-10.2")]
    // Yunnan, 15: never in storage outside; to bodies outside only by the national assessment.
    [InlineData("530000", "810000", ResidencyAction.Store, DataClass.Clinical, "CN-1 YN-15-S")]
    [InlineData("530000", null, ResidencyAction.Provide, DataClass.Public, "YN-15-P")]
    // Hainan, (10): viewing from outside is an export.
    [InlineData("460000", null, ResidencyAction.Access, DataClass.Identity, "CN-1 HI-10")]
    [InlineData("469001", "710000", ResidencyAction.Access, DataClass.Important, "CN-1 HI-10")]
    // Sichuan has no rule of its own: the national floor.
    [InlineData("510000", "110101", ResidencyAction.Store, DataClass.Clinical, "")]
    [InlineData("510000", "820000", ResidencyAction.Store, DataClass.Clinical, "CN-1")]
    [InlineData("510000", "810000", ResidencyAction.Access, DataClass.Public, "")]
    // A token without a region.
    [InlineData("510000", null, ResidencyAction.KeyGeneration, DataClass.Key, "CN-2")]
    [InlineData("510000", "", ResidencyAction.KeyGeneration, DataClass.Key, "CN-2")]
    // Data of nobody knows where.
    [InlineData("199999", "510000", ResidencyAction.Store, DataClass.Public, "region-unknown")]
    public void Each_policy_is_judged_as_it_is_written(string governing, string? place, ResidencyAction action, DataClass @class, string violated)
    {
        var answer = Rules.Decide(new ResidencyQuestion(action, @class, governing, place, Today));
        Assert.Equal(violated, string.Join(' ', answer.Violated.Select(r => r.Id)));
        Assert.Equal(violated.Length == 0, answer.Permitted);
        Assert.Equal("test", answer.Version);
    }

    [Fact]
    public void An_exit_counts_only_when_every_violated_rule_has_one()
    {
        ResidencyAnswer Ask(string governing, string place, ResidencyAction action) => Rules.Decide(new ResidencyQuestion(action, DataClass.Clinical, governing, place, Today));
        Assert.Equal([RuleExit.LocalApproval], Ask("500000", "510100", ResidencyAction.Store).Exits);
        Assert.Equal([RuleExit.LocalApproval, RuleExit.SecurityAssessment], Ask("500000", "810000", ResidencyAction.Store).Exits);
        Assert.Empty(Ask("530000", "810000", ResidencyAction.Store).Exits);
        Assert.Equal([RuleExit.SecurityAssessment], Ask("530000", "810000", ResidencyAction.Provide).Exits);
    }

    [Fact]
    public void A_rule_more_never_permits_more() => Gen.Select(AnyRule.Array[0, 6], AnyRule, AnyQuestion).Sample((some, one, question) =>
    {
        var without = Of([.. Standard, .. some.DistinctBy(r => r.Id)]);
        var with = Of([.. Standard, .. some.Append(one).DistinctBy(r => r.Id)]);
        Assert.True(without.Decide(question).Permitted || !with.Decide(question).Permitted);
        Assert.Superset(without.Decide(question).Violated.Select(r => r.Id).ToHashSet(), with.Decide(question).Violated.Select(r => r.Id).ToHashSet());
    });

    [Fact]
    public void The_order_of_rules_does_not_matter() => Gen.Select(AnyRule.Array[1, 6], AnyQuestion, Gen.Int).Sample((some, question, seed) =>
    {
        ResidencyRule[] rules = [.. Standard, .. some.DistinctBy(r => r.Id)];
        var shuffled = rules.ToArray();
        new Random(seed).Shuffle(shuffled);
        Assert.Equal(Of(rules).Decide(question).Violated, Of(shuffled).Decide(question).Violated);
    });

    [Theory]
    [InlineData("CN-1", "No national rule holds DEIDENTIFIED, IDENTITY, CLINICAL, RESTRICTED, GENETIC, AUDIT, IMPORTANT inside the mainland for Store.")]
    [InlineData("CN-2", "No national rule holds KEY inside the mainland for Store.")]
    public void Rules_without_the_national_floor_are_refused(string without, string fault)
    {
        Assert.Null(ResidencyRules.TryCreate([.. Standard.Where(r => r.Id != without)], RegionTree.Gbt2260, "test", Today, out var why));
        Assert.Equal(fault, why);
    }

    [Fact]
    public void Rules_that_cannot_be_told_apart_or_speak_of_unknown_regions_are_refused()
    {
        Assert.Null(ResidencyRules.TryCreate([.. Standard, Standard[0]], RegionTree.Gbt2260, "test", Today, out var twice));
        Assert.Equal("Rule CN-1 is there twice.", twice);
        Assert.Null(ResidencyRules.TryCreate([.. Standard, Standard[0] with { Id = "X", Boundary = "199999" }], RegionTree.Gbt2260, "test", Today, out var unknown));
        Assert.Equal("Rule X speaks of a region that is not listed.", unknown);
    }

    private static Gen<T> Among<T>(T[] some) => Gen.Int[0, some.Length - 1].Select(i => some[i]);

    private static ResidencyRules Of(IReadOnlyList<ResidencyRule> rules) =>
        ResidencyRules.TryCreate(rules, RegionTree.Gbt2260, "test", Today, out var fault) ?? throw new InvalidOperationException(fault);
}
