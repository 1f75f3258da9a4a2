using System.Reflection;
using System.Text;
using Trust.Kernel.Hosting;

namespace Trust.Kernel.Tests.Hosting;

/// <summary>docs/PROBLEMS.md is made from the catalogues: whoever meets a problem finds there what it means and what to do.</summary>
public sealed class ProblemCatalogueTests
{
    private static readonly string Root = Up(AppContext.BaseDirectory);

    private static readonly (string Title, string Assembly)[] Services =
    [
        ("Identity provider (`idp`)", "src/Idp/bin/Release/net10.0/Trust.Idp.dll"), ("Certification authority (`ca`)", "src/CA/bin/Release/net10.0/Trust.CA.dll"),
        ("Signing service (`sign`)", "src/SignService/bin/Release/net10.0/Trust.SignService.dll"), ("Audit ledger (`ledger`)", "src/AuditLedger/bin/Release/net10.0/Trust.AuditLedger.dll"),
        ("Witness (`witness`)", "tools/Witness/bin/Release/net10.0/Trust.Witness.dll"),
    ];

    // To write it anew: TRUST_WRITE_DOCS=1 dotnet run --project tests/Kernel.Tests -c Release -- -class "*ProblemCatalogueTests"
    [Fact]
    public void The_document_of_problems_is_what_the_catalogues_say()
    {
        var file = Path.Combine(Root, "docs", "PROBLEMS.md");
        var text = Generate();
        if (Environment.GetEnvironmentVariable("TRUST_WRITE_DOCS") == "1")
        {
            File.WriteAllText(file, text);
        }

        Assert.Equal(text, File.ReadAllText(file));
    }

    [Fact]
    public void Every_refusal_has_a_name_in_kebab_case_an_error_status_and_both_languages()
    {
        foreach (var (_, refusal) in All())
        {
            Assert.Matches("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", refusal.Name);
            Assert.InRange(refusal.Status, 400, 599);
            Assert.Contains(refusal.Chinese, c => c is >= '\u4e00' and <= '\u9fff');
            Assert.DoesNotContain(refusal.English, c => c is >= '\u4e00' and <= '\u9fff');
            Assert.Equal(Placeholders(refusal.Chinese), Placeholders(refusal.English));
        }
    }

    [Fact]
    public void A_refusal_is_made_in_a_catalogue_and_nowhere_else()
    {
        var elsewhere = Directory.EnumerateFiles(Path.Combine(Root, "src"), "*.cs", SearchOption.AllDirectories).Concat(Directory.EnumerateFiles(Path.Combine(Root, "tools"), "*.cs", SearchOption.AllDirectories))
            .Where(f => !f.Contains("/obj/", StringComparison.Ordinal)).Where(f =>
            {
                var source = File.ReadAllText(f);
                return source.Contains("new Refusal(", StringComparison.Ordinal) && !source.Contains("[RefusalCatalogue(", StringComparison.Ordinal);
            });
        Assert.Empty(elsewhere);
    }

    private static string Generate()
    {
        var text = new StringBuilder();
        text.Append("""
            # Problems

            Made from the catalogues of refusals (`…Refusals.cs`); a test holds it to them. An answer is RFC 9457 problem details of type `urn:trust:problem:<service>:<name>`, its `detail` in the language that `Accept-Language` prefers; where a protocol fixes its own body (OAuth, OCSP, RFC 3161, C2SP) the refusal is told in that. `{member}` stands for a member of the problem.


            """);
        Section(text, "Every service", All().Where(r => r.Service == "*").Select(r => r.Refusal));
        foreach (var (title, assembly) in Services)
        {
            Section(text, title, Of(assembly).Where(r => r.Service != "*").Select(r => r.Refusal));
        }

        return text.ToString().TrimEnd() + "\n";
    }

    private static void Section(StringBuilder text, string title, IEnumerable<Refusal> refusals)
    {
        text.Append("## ").Append(title).Append("\n\n| name | status | what to do | 怎么办 |\n|---|---|---|---|\n");
        foreach (var refusal in refusals.OrderBy(r => r.Name, StringComparer.Ordinal).ThenBy(r => r.Status).ThenBy(r => r.English, StringComparer.Ordinal))
        {
            text.Append("| `").Append(refusal.Name).Append("` | ").Append(refusal.Status).Append(" | ").Append(Cell(refusal.English)).Append(" | ").Append(Cell(refusal.Chinese)).Append(" |\n");
        }

        text.Append('\n');
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal).ReplaceLineEndings(" ");

    private static IEnumerable<(string Service, Refusal Refusal)> All() =>
        RefusalCatalogueAttribute.In(typeof(CommonRefusals).Assembly).Concat(Services.SelectMany(s => Of(s.Assembly)));

    private static IEnumerable<(string Service, Refusal Refusal)> Of(string assembly) => RefusalCatalogueAttribute.In(Assembly.LoadFrom(Path.Combine(Root, assembly)));

    private static IEnumerable<string> Placeholders(string text) =>
        System.Text.RegularExpressions.Regex.Matches(text, @"\{(?<name>[a-zA-Z]+)\}", System.Text.RegularExpressions.RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1))
            .Select(m => m.Groups["name"].Value).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);

    private static string Up(string folder) => File.Exists(Path.Combine(folder, "Trust.sln")) ? folder : Up(Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("No Trust.sln above."));
}
