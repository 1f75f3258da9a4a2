using System.Text.RegularExpressions;
using Trust.Cli.Verify;

namespace Trust.Cli.Tests.Verify;

/// <summary>The published corpus of evidence files (tests/corpus): both verifiers reach the verdict that the format demands of each.</summary>
public sealed partial class CorpusTests
{
    private static readonly string Folder = Path.Combine(Program.RepositoryRoot(), "tests", "corpus", "files");

    private static readonly List<(string Name, string Verdict)> Expected =
        [.. File.ReadLines(Path.Combine(Folder, "expected.tsv")).Select(line => line.Split('\t')).Select(cells => (cells[0], cells[1]))];

    [Fact]
    public void The_corpus_is_whole()
    {
        Assert.True(Expected.Count >= 300, $"{Expected.Count} files");
        var files = Directory.EnumerateFiles(Folder, "*.json").Select(f => Path.GetFileNameWithoutExtension(f)).Where(f => !f.EndsWith("list", StringComparison.Ordinal));
        Assert.Equal(files.Order(StringComparer.Ordinal), Expected.Select(e => e.Name).Order(StringComparer.Ordinal));
        // Every code that a file can reach with keys of its own is in it.
        var codes = Expected.Select(e => e.Verdict).ToHashSet(StringComparer.Ordinal);
        Assert.DoesNotContain(VerdictText.Codes, code => code is not ("malformed-key" or "policy-malformed" or "batch-shape") && !codes.Contains(code));
    }

    [Fact]
    public void The_first_verifier_reaches_every_verdict()
    {
        var others = Expected.Where(e => !string.Equals(e.Verdict, Judged(e.Name), StringComparison.Ordinal)).Select(e => $"{e.Name}: {Judged(e.Name)}, not {e.Verdict}");
        Assert.Empty(others);
    }

    [Fact]
    public async Task The_second_verifier_reaches_every_verdict()
    {
        var lines = await SecondVerifier.Judge("--all", Folder, CancellationToken.None) ?? throw new InvalidOperationException("python3-cryptography is not installed");
        var said = lines.Split('\n').ToDictionary(line => line.Split(' ')[0], line => Word(line[(line.IndexOf(' ', StringComparison.Ordinal) + 1)..]), StringComparer.Ordinal);
        Assert.Empty(Expected.Where(e => !string.Equals(e.Verdict, said[e.Name], StringComparison.Ordinal)).Select(e => $"{e.Name}: {said[e.Name]}, not {e.Verdict}"));
    }

    private static string Judged(string name)
    {
        var own = Path.Combine(Folder, name + ".list.json");
        using var output = new StringWriter();
        var code = VerifyCommand.Run(Path.Combine(Folder, name + ".json"), File.Exists(own) ? own : Path.Combine(Folder, "list.json"), "en", output);
        return code switch
        {
            VerifyCommand.Verified => "VERIFIED",
            VerifyCommand.NoEvent => "NO EVENT",
            VerifyCommand.Unreadable => "LIST",
            _ => Code.Match(output.ToString()).Groups[1].Value,
        };
    }

    private static string Word(string line) => line switch
    {
        _ when line.StartsWith("VERIFIED", StringComparison.Ordinal) => "VERIFIED",
        _ when line.StartsWith("NO EVENT", StringComparison.Ordinal) => "NO EVENT",
        _ when line.StartsWith("cannot judge: trusted list", StringComparison.Ordinal) => "LIST",
        _ => Code.Match(line).Groups["code"].Value,
    };

    [GeneratedRegex(@"REFUSED \[(?<code>[a-z0-9-]+)\]", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Code { get; }
}
