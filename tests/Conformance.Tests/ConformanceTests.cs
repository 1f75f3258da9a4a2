using Trust.Conformance.Tests.Suite;

namespace Trust.Conformance.Tests;

// A class a variant: the classes run side by side, so that what one waits for (a request that runs out) costs the others nothing.
public abstract class PlanTests(ConformanceRun run)
{
    protected Task Judge(string plan, string variant, string name) => Table.Judge(run, plan, variant, name);
}

public sealed class BasicPlan(ConformanceRun run) : PlanTests(run)
{
    public static IEnumerable<TheoryDataRow<string, string, string>> Rows => Table.Rows(Table.Basic);

    [Theory, MemberData(nameof(Rows))]
    public Task Module(string plan, string variant, string name) => Judge(plan, variant, name);
}

public sealed class FormPostPlan(ConformanceRun run) : PlanTests(run)
{
    public static IEnumerable<TheoryDataRow<string, string, string>> Rows => Table.Rows(Table.FormPost);

    [Theory, MemberData(nameof(Rows))]
    public Task Module(string plan, string variant, string name) => Judge(plan, variant, name);
}

public sealed class ConfigPlan(ConformanceRun run) : PlanTests(run)
{
    public static IEnumerable<TheoryDataRow<string, string, string>> Rows => Table.Rows(Table.Config);

    [Theory, MemberData(nameof(Rows))]
    public Task Module(string plan, string variant, string name) => Judge(plan, variant, name);
}

public sealed class DynamicPlan(ConformanceRun run) : PlanTests(run)
{
    public static IEnumerable<TheoryDataRow<string, string, string>> Rows => [.. Table.Rows(Table.Dynamic), .. Table.Rows(Table.ThirdParty)];

    [Theory, MemberData(nameof(Rows))]
    public Task Module(string plan, string variant, string name) => Judge(plan, variant, name);
}

public sealed class LogoutPlans(ConformanceRun run) : PlanTests(run)
{
    public static IEnumerable<TheoryDataRow<string, string, string>> Rows =>
        [.. Table.Rows(Table.RpLogout), .. Table.Rows(Table.BackChannel), .. Table.Rows(Table.FrontChannel), .. Table.Rows(Table.SessionManagement)];

    [Theory, MemberData(nameof(Rows))]
    public Task Module(string plan, string variant, string name) => Judge(plan, variant, name);
}

public sealed class Fapi2KeyDpopPlan(ConformanceRun run) : PlanTests(run)
{
    public static IEnumerable<TheoryDataRow<string, string, string>> Rows => Table.Rows(Table.Fapi2, "private_key_jwt+dpop");

    [Theory, MemberData(nameof(Rows))]
    public Task Module(string plan, string variant, string name) => Judge(plan, variant, name);
}

public sealed class Fapi2KeyCertificatePlan(ConformanceRun run) : PlanTests(run)
{
    public static IEnumerable<TheoryDataRow<string, string, string>> Rows => Table.Rows(Table.Fapi2, "private_key_jwt+mtls");

    [Theory, MemberData(nameof(Rows))]
    public Task Module(string plan, string variant, string name) => Judge(plan, variant, name);
}

public sealed class Fapi2CertificateDpopPlan(ConformanceRun run) : PlanTests(run)
{
    public static IEnumerable<TheoryDataRow<string, string, string>> Rows => Table.Rows(Table.Fapi2, "mtls+dpop");

    [Theory, MemberData(nameof(Rows))]
    public Task Module(string plan, string variant, string name) => Judge(plan, variant, name);
}

public sealed class Fapi2CertificatePlan(ConformanceRun run) : PlanTests(run)
{
    public static IEnumerable<TheoryDataRow<string, string, string>> Rows => Table.Rows(Table.Fapi2, "mtls+mtls");

    [Theory, MemberData(nameof(Rows))]
    public Task Module(string plan, string variant, string name) => Judge(plan, variant, name);
}

public sealed class Fapi2SigningKeyDpopPlan(ConformanceRun run) : PlanTests(run)
{
    public static IEnumerable<TheoryDataRow<string, string, string>> Rows => Table.Rows(Table.Fapi2Signing, "private_key_jwt+dpop+signing");

    [Theory, MemberData(nameof(Rows))]
    public Task Module(string plan, string variant, string name) => Judge(plan, variant, name);
}

public sealed class Fapi2SigningCertificatePlan(ConformanceRun run) : PlanTests(run)
{
    public static IEnumerable<TheoryDataRow<string, string, string>> Rows => Table.Rows(Table.Fapi2Signing, "mtls+mtls+signing");

    [Theory, MemberData(nameof(Rows))]
    public Task Module(string plan, string variant, string name) => Judge(plan, variant, name);
}

public sealed class CibaPollPlan(ConformanceRun run) : PlanTests(run)
{
    public static IEnumerable<TheoryDataRow<string, string, string>> Rows => [.. Table.Rows(Table.Ciba, "poll+private_key_jwt"), .. Table.Rows(Table.Ciba, "poll+mtls")];

    [Theory, MemberData(nameof(Rows))]
    public Task Module(string plan, string variant, string name) => Judge(plan, variant, name);
}

public sealed class CibaPingPlan(ConformanceRun run) : PlanTests(run)
{
    public static IEnumerable<TheoryDataRow<string, string, string>> Rows => [.. Table.Rows(Table.Ciba, "ping+private_key_jwt"), .. Table.Rows(Table.Ciba, "ping+mtls")];

    [Theory, MemberData(nameof(Rows))]
    public Task Module(string plan, string variant, string name) => Judge(plan, variant, name);
}

/// <summary>The table itself: it leaves nothing out without a reason.</summary>
public sealed class TableTests
{
    [Fact]
    public void Every_name_of_every_plan_has_a_method_or_a_reason() => Assert.Empty(
        from plan in Table.Plans
        from name in Table.Names[plan.Section]
        where !plan.Reasons.ContainsKey(name) && plan.Modules.GetMethods().All(m => !m.GetCustomAttributes(typeof(ModuleAttribute), false).Cast<ModuleAttribute>().Any(a => a.Name == name))
        select plan.Name + " " + name);

    [Fact]
    public void No_method_stands_for_a_name_that_the_suite_does_not_have() => Assert.Empty(
        from type in Table.Plans.Select(p => p.Modules).Distinct()
        from method in type.GetMethods()
        from module in method.GetCustomAttributes(typeof(ModuleAttribute), false).Cast<ModuleAttribute>()
        where !Table.Plans.Where(p => p.Modules == type).Any(p => Table.Names[p.Section].Contains(module.Name))
        select type.Name + " " + module.Name);

    [Fact]
    public void At_least_150_modules_apply() =>
        Assert.True(Table.Plans.SelectMany(p => p.Variants.SelectMany(v => Table.Names[p.Section].Select(n => Table.Reason(p, v, n)))).Count(r => r is null) >= 150);
}
