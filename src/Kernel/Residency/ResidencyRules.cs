using System.Collections.Frozen;

namespace Trust.Kernel.Residency;

/// <summary>What is asked of the rules.</summary>
/// <param name="Action">The act.</param>
/// <param name="Class">Class of the data, with <see cref="DataClass.Important"/> where a regulator said so.</param>
/// <param name="Governing">Region of the institution that created the data: fixed at creation.</param>
/// <param name="Place">Region where the act would put or show them; null or unknown is outside of everything.</param>
/// <param name="On">Day of the act, in Asia/Shanghai.</param>
public readonly record struct ResidencyQuestion(ResidencyAction Action, DataClass Class, string Governing, string? Place, DateOnly On);

/// <summary>What the rules say.</summary>
/// <param name="Violated">The rules whose boundary the act would leave, by identifier; none when it may be done.</param>
/// <param name="Version">Version of the rules and of the regions.</param>
public sealed record ResidencyAnswer(IReadOnlyList<ResidencyRule> Violated, string Version)
{
    /// <summary>True when no rule is violated. Permits, which lift rules that have an exit, are not built yet: until then nothing leaves.</summary>
    public bool Permitted => Violated.Count == 0;

    /// <summary>What would have to be granted: the exits of all violated rules, or nothing at all when one of them has none.</summary>
    public IReadOnlyList<RuleExit> Exits => Violated.Any(r => r.Exit is RuleExit.None) ? [] : [.. Violated.Select(r => r.Exit).Distinct().Order()];
}

/// <summary>
/// The rules of the country and of the regions, judged as one: every rule that governs the data, speaks of the class and of the act binds, so
/// boundaries intersect and a refusal overrides; more rules never permit more, and their order does not matter.
/// </summary>
public sealed class ResidencyRules
{
    private readonly RegionTree _regions;
    private readonly FrozenDictionary<ResidencyAction, ResidencyRule[]> _byAction;

    private ResidencyRules(IReadOnlyList<ResidencyRule> rules, RegionTree regions, string version)
    {
        (_regions, Version, All) = (regions, version, rules);
        _byAction = Enum.GetValues<ResidencyAction>()
            .ToFrozenDictionary(a => a, a => rules.Where(r => r.Actions.Contains(a)).OrderBy(r => r.Id, StringComparer.Ordinal).ToArray());
    }

    /// <summary>Every rule.</summary>
    public IReadOnlyList<ResidencyRule> All { get; }

    /// <summary>Version of the rules and of the regions they are read with, as every answer names it.</summary>
    public string Version { get; }

    /// <summary>Takes rules that can be told apart, are all about known regions, and hold at least the national floor.</summary>
    /// <param name="rules">In any order.</param>
    /// <param name="regions">The tree in which they are read.</param>
    /// <param name="version">What answers name.</param>
    /// <param name="on">Day of reading: governed regions and boundaries must be listed on it.</param>
    /// <param name="fault">What is wrong.</param>
    /// <returns>Null when something is.</returns>
    public static ResidencyRules? TryCreate(IReadOnlyList<ResidencyRule> rules, RegionTree regions, string version, DateOnly on, out string fault)
    {
        fault = Faults(rules, regions, on).FirstOrDefault() ?? "";
        return fault.Length == 0 ? new ResidencyRules(rules, regions, version) : null;
    }

    /// <summary>Judges one act. Pure, and cheap enough for each row and each request (bench row <c>residency.decide</c>).</summary>
    public ResidencyAnswer Decide(ResidencyQuestion question)
    {
        if (!_regions.Knows(question.Governing, question.On))
        {
            return new ResidencyAnswer([ResidencyRule.RegionUnknown], Version);
        }

        List<ResidencyRule>? violated = null;
        foreach (var rule in _byAction[question.Action])
        {
            if ((rule.Classes & question.Class) != DataClass.None
                && _regions.Contains(rule.Governs, question.Governing, question.On) && !_regions.Contains(rule.Boundary, question.Place, question.On))
            {
                (violated ??= []).Add(rule);
            }
        }

        return new ResidencyAnswer(violated ?? (IReadOnlyList<ResidencyRule>)[], Version);
    }

    private static IEnumerable<string> Faults(IReadOnlyList<ResidencyRule> rules, RegionTree regions, DateOnly on)
    {
        if (rules.GroupBy(r => r.Id, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            yield return $"Rule {twice.Key} is there twice.";
        }

        foreach (var rule in rules)
        {
            if (rule.Id.Length is 0 or > 40 || rule.Clause.Length is 0 or > 200 || rule.Classes is DataClass.None || rule.Actions.Count == 0)
            {
                yield return $"Rule '{rule.Id}' needs an identifier, a clause, a class and an act.";
            }

            if (!regions.Knows(rule.Governs, on) || !regions.Knows(rule.Boundary, on))
            {
                yield return $"Rule {rule.Id} speaks of a region that is not listed.";
            }
        }

        // The floor: whatever else is written, nothing about a person, no key and no entry of the ledger leaves the mainland by these acts.
        var floor = DataClass.Personal | DataClass.Deidentified | DataClass.Key | DataClass.Audit | DataClass.Important;
        foreach (var action in Enum.GetValues<ResidencyAction>())
        {
            var held = rules.Where(r => r.Governs == RegionTree.Mainland && r.Boundary == RegionTree.Mainland && r.Actions.Contains(action)).Aggregate(DataClass.None, (set, r) => set | r.Classes);
            if ((held & floor) != floor)
            {
                yield return $"No national rule holds {string.Join(", ", DataClassJsonConverter.Each(floor & ~held).Select(DataClassJsonConverter.NameOf))} inside the mainland for {action}.";
            }
        }
    }
}
