using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Trust.Cli.Local;

namespace Trust.Benchmarks;

/// <summary>
/// <c>--against COMMIT</c>: builds that commit beside this tree and takes each row of both by turns, five pairs, so that a machine that
/// grows busier meanwhile weighs on both. Rate (or duration) and processor time an act are held against one another pair by pair.
/// </summary>
internal static partial class Against
{
    private const int Pairs = 5;
    private const double Tolerance = 1.10;

    /// <summary>Compares rows.</summary>
    /// <returns>0 when none is worse, 1 when one is or could not be taken, 2 when the commit cannot be built.</returns>
    public static async Task<int> Run(string commit, IReadOnlyList<string> rows, bool json, CancellationToken ct)
    {
        var here = Cli.Program.RepositoryRoot();
        if (await Build(here, commit, ct) is not { } there)
        {
            return 2;
        }

        var worse = false;
        foreach (var row in rows)
        {
            var compared = await Compare(row, here, there, ct);
            worse |= compared.IsWorse;
            Console.WriteLine(json ? compared.ToJson(commit) : compared.ToLine(commit));
        }

        return worse ? 1 : 0;
    }

    // A tree of its own below .trust, from the repository's objects: neither this tree nor its index is touched.
    private static async Task<string?> Build(string here, string commit, CancellationToken ct)
    {
        try
        {
            var sha = (await Command.Run("git", ["-C", here, "rev-parse", "--verify", commit + "^{commit}"], ct)).Trim();
            var there = Path.Combine(here, ".trust", "against", sha);
            if (!File.Exists(Path.Combine(there, "Trust.sln")))
            {
                Directory.CreateDirectory(there);
                var archive = Path.Combine(here, ".trust", "against", sha + ".tar");
                await Command.Run("git", ["-C", here, "archive", "--format=tar", "-o", archive, sha], ct);
                await Command.Run("tar", ["-xf", archive, "-C", there], ct);
                File.Delete(archive);
            }

            await Console.Error.WriteLineAsync($"Building {sha[..7]} beside …");
            await Command.Run(Path.Combine(there, "trust"), ["help"], ct);
            return there;
        }
        catch (CommandFailedException e)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return null;
        }
    }

    private static async Task<Comparison> Compare(string row, string here, string there, CancellationToken ct)
    {
        List<(Figure This, Figure That)> pairs = [];
        for (var pair = 1; pair <= Pairs; pair++)
        {
            await Console.Error.WriteLineAsync($"{row}: pair {pair} of {Pairs} …");
            // Who goes first alternates, so that neither always meets the warmer caches.
            var first = await Take(row, pair % 2 == 1 ? here : there, ct);
            var second = await Take(row, pair % 2 == 1 ? there : here, ct);
            if ((first.Fault ?? second.Fault) is { } fault)
            {
                return new Comparison(row, [], $"could not be taken {((pair % 2 == 1) == (first.Fault is not null) ? "here" : "there")}: {fault}");
            }

            pairs.Add(pair % 2 == 1 ? (first.Figure!, second.Figure!) : (second.Figure!, first.Figure!));
        }

        return new Comparison(row, pairs, "");
    }

    private static async Task<(Figure? Figure, string? Fault)> Take(string row, string root, CancellationToken ct)
    {
        var program = Path.Combine(root, "tools", "Benchmarks", "bin", "Release", "net10.0", "Trust.Benchmarks.dll");
        var (code, output, error) = await Command.Try(ServiceProcess.DotnetHost(), [program, row, "--json"], ct);
        if (code != 0 || output.Split('\n').LastOrDefault(l => l.StartsWith('{')) is not { } line)
        {
            return (null, $"ended with {code}: {error.Trim()}");
        }

        using var parsed = JsonDocument.Parse(line);
        var figure = parsed.RootElement;
        var note = figure.GetProperty("note").GetString() ?? "";
        if (figure.GetProperty("value").ValueKind is not JsonValueKind.Number)
        {
            return (null, note);
        }

        var time = ProcessorTimeAnAct().Match(note);
        return (new Figure(
            figure.GetProperty("value").GetDouble(), figure.GetProperty("unit").GetString() ?? "",
            time.Success ? double.Parse(time.Groups["sum"].Value, CultureInfo.InvariantCulture) : null), null);
    }

    [GeneratedRegex(@"processor time an act.* = (?<sum>[0-9.]+) ms", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex ProcessorTimeAnAct();

    /// <summary>One taking of a row.</summary>
    /// <param name="Value">Rate, or duration.</param>
    /// <param name="Unit"><c>/s</c> for a rate; the more the better.</param>
    /// <param name="Processor">Processor time an act, in milliseconds, where the row tells it.</param>
    private sealed record Figure(double Value, string Unit, double? Processor);

    private sealed record Comparison(string Name, IReadOnlyList<(Figure This, Figure That)> Pairs, string Fault)
    {
        private List<double> Cost => [.. Pairs.Select(p => p.This.Unit == "/s" ? p.That.Value / p.This.Value : p.This.Value / p.That.Value)];

        private List<double> Processor => [.. Pairs.Where(p => p is { This.Processor: not null, That.Processor: not null }).Select(p => p.This.Processor!.Value / p.That.Processor!.Value)];

        /// <summary>Worse only where the median says so clearly and no pair says otherwise: one pair of a busy machine proves nothing.</summary>
        public bool IsWorse => Fault.Length > 0 || Worse(Cost) || Worse(Processor);

        public string ToLine(string commit) => Fault.Length > 0
            ? $"✘ {Name,-22} {Fault}"
            : string.Create(CultureInfo.InvariantCulture, $"{(IsWorse ? "✘ worse" : "✔ not worse")} {Name,-22} {Median([.. Pairs.Select(p => p.This.Value)]):N2} {Pairs[0].This.Unit}, {commit} {Median([.. Pairs.Select(p => p.That.Value)]):N2}; cost {Show(Cost)}{(Processor.Count > 0 ? "; processor time " + Show(Processor) : "")}");

        public string ToJson(string commit) => JsonSerializer.Serialize(new
        {
            name = Name, against = commit, worse = IsWorse, fault = Fault, cost = Cost, processor = Processor,
            values = Pairs.Select(p => new[] { p.This.Value, p.That.Value }), unit = Pairs.Count > 0 ? Pairs[0].This.Unit : "",
        });

        private static bool Worse(List<double> ratios) => ratios.Count > 0 && Median(ratios) > Tolerance && ratios.TrueForAll(r => r > 1);

        private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

        private static string Show(List<double> ratios) => string.Create(CultureInfo.InvariantCulture, $"×{Median(ratios):N2} ({string.Join(", ", ratios.Select(r => r.ToString("N2", CultureInfo.InvariantCulture)))})");
    }
}
