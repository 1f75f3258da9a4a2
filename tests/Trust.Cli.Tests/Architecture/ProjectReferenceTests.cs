using System.Xml.Linq;

namespace Trust.Cli.Tests.Architecture;

/// <summary>Which project may know which, and which may call native code (docs/ARCHITECTURE.md §2).</summary>
public sealed class ProjectReferenceTests
{
    private static readonly string Root = Program.RepositoryRoot();

    public static TheoryData<string, string[]> Permitted => new()
    {
        { "src/Crypto", [] },
        { "src/Pkcs11", ["Crypto"] },
        { "src/LogFormat", ["Crypto"] },
        { "src/Kernel", ["Crypto", "LogFormat", "Pkcs11"] },
        { "src/Idp", ["Kernel"] },
        { "src/CA", ["Kernel"] },
        { "src/SignService", ["Kernel"] },
        { "src/AuditLedger", ["Kernel"] },
        // The offline verifier lives here: it judges by docs/LEDGER-FORMAT.md, never by the code that wrote the log.
        { "tools/Trust.Cli", ["Crypto", "Pkcs11"] },
        { "tools/Witness", ["Kernel"] },
        // The ten-million rows build their log with the ledger's own engine.
        { "tools/Benchmarks", ["AuditLedger", "Kernel", "Trust.Cli"] },
    };

    [Theory]
    [MemberData(nameof(Permitted))]
    public void A_project_references_what_the_architecture_permits(string folder, string[] permitted)
    {
        var references = Elements(ProjectOf(folder), "ProjectReference").Select(e => Path.GetFileNameWithoutExtension(e.Attribute("Include")!.Value));
        Assert.Empty(references.Except(permitted, StringComparer.Ordinal));
    }

    [Fact]
    public void Every_project_of_the_product_is_listed_here()
    {
        var projects = Directory.EnumerateDirectories(Path.Combine(Root, "src")).Concat(Directory.EnumerateDirectories(Path.Combine(Root, "tools")))
            .Where(folder => Directory.EnumerateFiles(folder, "*.csproj").Any()).Select(folder => Path.GetRelativePath(Root, folder));
        Assert.Equal(Permitted.Select(row => row.Data.Item1).Order(StringComparer.Ordinal), projects.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Only_Crypto_and_Pkcs11_allow_unsafe_code()
    {
        var allowing = Directory.EnumerateFiles(Path.Combine(Root, "src"), "*.csproj", SearchOption.AllDirectories)
            .Where(file => Elements(file, "AllowUnsafeBlocks").Any(e => e.Value == "true")).Select(Path.GetFileNameWithoutExtension);
        Assert.Equal(["Crypto", "Pkcs11"], allowing.Order(StringComparer.Ordinal));
    }

    private static string ProjectOf(string folder) => Directory.EnumerateFiles(Path.Combine(Root, folder), "*.csproj").Single();

    private static IEnumerable<XElement> Elements(string project, string name) => XDocument.Load(project).Descendants(name);
}
