using System.Text.RegularExpressions;

namespace Trust.Cli.Tests.Architecture;

/// <summary>What the documents say exists does exist: links, source files, tests, configuration members.</summary>
public sealed partial class DocumentTests
{
    private static readonly string Root = Program.RepositoryRoot();

    private static IEnumerable<string> Documents =>
        Directory.EnumerateFiles(Path.Combine(Root, "docs"), "*.md", SearchOption.AllDirectories).Append(Path.Combine(Root, "README.md"));

    [Fact]
    public void Every_link_resolves()
    {
        var broken = Documents.SelectMany(file => Link().Matches(File.ReadAllText(file)).Select(m => m.Groups["to"].Value)
            .Where(to => !to.Contains("://", StringComparison.Ordinal))
            .Select(to => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, to)))
            .Where(to => !File.Exists(to) && !Directory.Exists(to)).Select(to => $"{Path.GetFileName(file)} -> {to}"));
        Assert.Empty(broken);
    }

    [Fact]
    public void Every_source_file_that_is_named_exists()
    {
        var sources = Sources("src").Concat(Sources("tools")).Concat(Sources("tests")).Select(f => "/" + f.Replace('\\', '/')).ToList();
        var missing = Documents.SelectMany(file => SourceFile().Matches(File.ReadAllText(file)).Select(m => m.Groups["file"].Value)
            .Where(name => !sources.Exists(s => s.EndsWith("/" + name, StringComparison.Ordinal))).Select(name => $"{Path.GetFileName(file)}: {name}"));
        Assert.Empty(missing);
    }

    [Theory]
    [InlineData("THREAT-MODEL.md")]
    [InlineData("DIVERGENCES.md")]
    [InlineData("CEREMONY.md")]
    public void Every_test_that_is_named_exists(string document)
    {
        var tests = Sources("tests").SelectMany(file => Method().Matches(File.ReadAllText(file)).Select(m => m.Groups["name"].Value)).ToHashSet(StringComparer.Ordinal);
        var named = TestName().Matches(File.ReadAllText(Path.Combine(Root, "docs", document))).Select(m => m.Groups["name"].Value);
        Assert.Empty(named.Except(tests, StringComparer.Ordinal));
    }

    [Fact]
    public void Every_configuration_member_is_in_the_operators_reference()
    {
        var reference = File.ReadAllText(Path.Combine(Root, "docs", "OPERATIONS.md"));
        string[] files =
        [
            "src/Kernel/Hosting/ServiceOptions.cs", "src/Kernel/Hosting/RateLimits.cs", "src/Kernel/Hosting/TokenValidation.cs", "src/Kernel/Postgres/DatabaseOptions.cs", "src/Kernel/Residency/PeerOptions.cs", "src/Pkcs11/TokenOptions.cs",
            "src/Idp/IdpOptions.cs", "src/CA/CaOptions.cs", "src/SignService/SignOptions.cs", "src/AuditLedger/AuditLedgerOptions.cs",
            "src/AuditLedger/Witnessing/WitnessingOptions.cs", "src/AuditLedger/Anchoring/AnchoringOptions.cs", "src/AuditLedger/Watching/WatchingOptions.cs",
            "tools/Witness/WitnessOptions.cs",
        ];
        var members = files.SelectMany(file => Member().Matches(File.ReadAllText(Path.Combine(Root, file))).Select(m => m.Groups["name"].Value));
        List<string> missing = [.. members.Where(member => !reference.Contains($"`{member}`", StringComparison.Ordinal))];
        Assert.Empty(missing);
    }

    private static IEnumerable<string> Sources(string folder) => Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
        .Where(f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal));

    [GeneratedRegex(@"\]\((?<to>[^)#\s]+)(#[^)]*)?\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Link();

    [GeneratedRegex(@"`(?<file>[A-Za-z0-9_./]+\.cs)`", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex SourceFile();

    [GeneratedRegex(@"`(?<name>[A-Z][A-Za-z0-9]*(_[A-Za-z0-9]+)+)`", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TestName();

    [GeneratedRegex(@"\b(void|Task) (?<name>[A-Z]\w*_\w+)\(", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Method();

    [GeneratedRegex(@"^    public [^(]*?(?<name>\w+) \{ get; init; \}", RegexOptions.ExplicitCapture | RegexOptions.Multiline, 1000)]
    private static partial Regex Member();
}
