using System.Reflection;
using Trust.Conformance.Tests.Modules;
using Trust.Conformance.Tests.Suite;

namespace Trust.Conformance.Tests;

/// <summary>A method that is a module of the conformance suite, under its exact name.</summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
internal sealed class ModuleAttribute(string name) : Attribute
{
    public string Name => name;

    /// <summary>The variants it belongs to, by one of their parts; elsewhere the suite leaves it out too.</summary>
    public string? Only { get; init; }
}

/// <summary>A plan: a section of the suite's own list of names, what judges them, and where it applies.</summary>
/// <param name="Name">The suite's name of the plan.</param>
/// <param name="Section">Section of <c>names.txt</c>.</param>
/// <param name="Variants">Variants that are run; a variant's parts are joined by <c>+</c>.</param>
/// <param name="Modules">Class whose methods are the modules.</param>
/// <param name="Reasons">Names that do not apply, and why.</param>
internal sealed record PlanRows(string Name, string Section, IReadOnlyList<string> Variants, Type Modules, IReadOnlyDictionary<string, string> Reasons);

/// <summary>Every module of every plan that is run, or the reason why it is not.</summary>
internal static class Table
{
    public const string Basic = "oidcc-basic-certification-test-plan";
    public const string FormPost = "oidcc-formpost-basic-certification-test-plan";
    public const string Config = "oidcc-config-certification-test-plan";
    public const string Dynamic = "oidcc-dynamic-certification-test-plan";
    public const string RpLogout = "oidcc-rp-initiated-logout-certification-test-plan";
    public const string BackChannel = "oidcc-backchannel-rp-initiated-logout-certification-test-plan";
    public const string FrontChannel = "oidcc-frontchannel-rp-initiated-logout-certification-test-plan";
    public const string SessionManagement = "oidcc-session-management-certification-test-plan";
    public const string ThirdParty = "oidcc-3rdparty-init-login-certification-test-plan";
    public const string Fapi2 = "fapi2-security-profile-final-test-plan";
    public const string Fapi2Signing = "fapi2-message-signing-final-test-plan";
    public const string Ciba = "fapi-ciba-id1-test-plan";

    private const string Unsigned = "ID tokens without a signature are offered to no client, and none may register for them";
    private const string ReadHere = "the suite's own reason to skip: only with signed requests";

    private static readonly Dictionary<string, string> None = new(StringComparer.Ordinal);

    private static readonly Dictionary<string, string> NotFapi = new(StringComparer.Ordinal)
    {
        ["fapi2-security-profile-final-ensure-server-handles-non-matching-intent-id"] = "an ecosystem's module: there is no intent that was lodged before",
        ["fapi2-security-profile-final-test-essential-acr-sca-claim"] = "an ecosystem's module: acr urn:openbanking:psd2:sca",
    };

    public static IReadOnlyList<PlanRows> Plans { get; } =
    [
        new(Basic, "OIDCCBasicTestPlan.java", ["query"], typeof(BasicModules), Because("oidcc-idtoken-unsigned", Unsigned)),
        // The suite builds it from the same modules with response_mode=form_post.
        new(FormPost, "OIDCCBasicTestPlan.java", ["form_post"], typeof(BasicModules), Because("oidcc-idtoken-unsigned", Unsigned)),
        new(Config, "OIDCCConfigTestPlan.java", ["discovery"], typeof(ConfigModules), None),
        new(Dynamic, "OIDCCDynamicTestPlan.java", ["private_key_jwt"], typeof(DynamicModules), Because("oidcc-idtoken-unsigned", Unsigned)),
        new(RpLogout, "OIDCCRpInitiatedLogoutTestPlan.java", ["query"], typeof(LogoutModules), None),
        new(BackChannel, "OIDCCBackchannelRpInitiatedLogoutTestPlan.java", ["query"], typeof(LogoutModules), None),
        new(FrontChannel, "OIDCCFrontchannelRpInitiatedLogoutTestPlan.java", ["query"], typeof(LogoutModules), None),
        new(SessionManagement, "OIDCCSessionManagementTestPlan.java", ["query"], typeof(LogoutModules), None),
        new(ThirdParty, "OIDCC3rdPartyInitLoginTestPlan.java", ["query"], typeof(DynamicModules), None),
        new(Fapi2, "FAPI2MessageSigningFinalTestPlan.java", ["private_key_jwt+dpop", "private_key_jwt+mtls", "mtls+dpop", "mtls+mtls"], typeof(Fapi2Modules), NotFapi),
        new(Fapi2Signing, "FAPI2MessageSigningFinalTestPlan.java", ["private_key_jwt+dpop+signing", "mtls+mtls+signing"], typeof(Fapi2Modules), NotFapi),
        new(Ciba, "FAPICIBAID1TestPlan.java", ["poll+private_key_jwt", "poll+mtls", "ping+private_key_jwt", "ping+mtls"], typeof(CibaModules), None),
    ];

    /// <summary>The suite's list of names, as published.</summary>
    public static IReadOnlyDictionary<string, IReadOnlyList<string>> Names { get; } = ReadNames();

    /// <summary>The rows of a plan, or of one of its variants.</summary>
    public static IEnumerable<TheoryDataRow<string, string, string>> Rows(string plan, string? variant = null)
    {
        var rows = Plans.Single(p => p.Name == plan);
        return rows.Variants.Where(v => variant is null || v == variant).SelectMany(v => Names[rows.Section].Select(name => new TheoryDataRow<string, string, string>(plan, v, name)
        {
            Skip = Reason(rows, v, name),
        }));
    }

    /// <summary>Why a module is not run, or null.</summary>
    public static string? Reason(PlanRows rows, string variant, string name) => rows.Reasons.TryGetValue(name, out var reason) ? reason
        : Find(rows.Modules, name)?.GetCustomAttributes<ModuleAttribute>().First(m => m.Name == name).Only is { } only && !IsIn(variant, only) ? Except(only) : null;

    /// <summary>Runs one module.</summary>
    public static async Task Judge(ConformanceRun run, string plan, string variant, string name)
    {
        var rows = Plans.Single(p => p.Name == plan);
        var method = Find(rows.Modules, name) ?? throw new Xunit.Sdk.XunitException("The table has no method for this module.");
        var modules = Activator.CreateInstance(rows.Modules, run, plan, variant)!;
        try
        {
            await (Task)method.Invoke(modules, null)!;
        }
        finally
        {
            (modules as IDisposable)?.Dispose();
        }
    }

    private static MethodInfo? Find(Type modules, string name) =>
        modules.GetMethods(BindingFlags.Public | BindingFlags.Instance).FirstOrDefault(m => m.GetCustomAttributes<ModuleAttribute>().Any(a => a.Name == name));

    // "dpop" of "mtls+dpop" is how tokens are bound; "jwt:" and "bound:" are not needed, because no part means two things but mtls.
    private static bool IsIn(string variant, string only)
    {
        var parts = variant.Split('+');
        return only switch
        {
            "bound-mtls" => parts is [_, "mtls", ..],
            _ => parts.Contains(only, StringComparer.Ordinal),
        };
    }

    private static string Except(string only) => only switch
    {
        "dpop" => "only where tokens are bound by DPoP",
        "private_key_jwt" => "only where the client proves itself by an assertion",
        "signing" => ReadHere,
        "ping" => "only with notifications (ping)",
        _ => "only in the variant " + only,
    };

    private static Dictionary<string, string> Because(string name, string reason) => new(StringComparer.Ordinal) { [name] = reason };

    private static Dictionary<string, IReadOnlyList<string>> ReadNames()
    {
        using var stream = typeof(Table).Assembly.GetManifestResourceStream("Trust.Conformance.Tests.names.txt")!;
        using var reader = new StreamReader(stream);
        var names = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        List<string> section = [];
        foreach (var line in reader.ReadToEnd().Split('\n'))
        {
            if (line.StartsWith("## ", StringComparison.Ordinal))
            {
                names[line[3..].Trim()] = section = [];
            }
            else if (line.StartsWith("- ", StringComparison.Ordinal))
            {
                section.Add(line[2..].Trim());
            }
        }

        return names;
    }
}
