using System.Globalization;
using Trust.Cli.Local;

namespace Trust.Benchmarks.Load;

/// <summary>
/// Where an act's processor time goes, by process (<c>/proc/PID/stat</c>, 10 ms grain). What else the machine does changes a rate and leaves this; the sum says what the
/// processors could carry at most.
/// </summary>
internal sealed class ProcessorTime
{
    private readonly IReadOnlyList<(string Name, Func<IEnumerable<int>> Processes)> _groups;
    private readonly Dictionary<string, double> _milliseconds = new(StringComparer.Ordinal);
    private Dictionary<string, double>? _from;
    private int _acts;

    /// <summary>Watches an installation, its two clusters and this program.</summary>
    /// <param name="installation">Running.</param>
    public ProcessorTime(Installation installation) => _groups =
    [
        .. installation.Services.Values.Select(s => (s.Name, (Func<IEnumerable<int>>)(() => s.ProcessId is { } id ? [id] : []))),
        ("database", () => Children(installation.Cluster!.ServerProcess)),
        ("ledger's database", () => Children(installation.LedgerCluster!.ServerProcess)),
        ("load", () => [Environment.ProcessId]),
    ];

    /// <summary>Counts what <paramref name="slice"/> costs.</summary>
    public async Task<Slice> Over(Func<Task<Slice>> slice)
    {
        _from = Read();
        var done = await slice();
        foreach (var (name, milliseconds) in Read())
        {
            _milliseconds[name] = _milliseconds.GetValueOrDefault(name) + milliseconds - _from.GetValueOrDefault(name);
        }

        _acts += done.Done;
        return done;
    }

    /// <summary>The parts above 10 µs an act, their sum, and the rate at which they fill this machine's processors.</summary>
    public override string ToString()
    {
        if (_acts == 0 || !Directory.Exists("/proc/self"))
        {
            return "";
        }

        var each = _milliseconds.Select(part => (Name: part.Key, Milliseconds: part.Value / _acts)).Where(part => part.Milliseconds >= 0.01).OrderByDescending(part => part.Milliseconds).ToList();
        var sum = each.Sum(part => part.Milliseconds);
        return string.Create(CultureInfo.InvariantCulture,
            $"processor time an act {string.Join(" + ", each.Select(part => string.Create(CultureInfo.InvariantCulture, $"{part.Name} {part.Milliseconds:F2}")))} = {sum:F2} ms, so {Environment.ProcessorCount} processors carry {Environment.ProcessorCount * 1000 / sum:N0}/s");
    }

    private Dictionary<string, double> Read() => _groups.ToDictionary(g => g.Name, g => g.Processes().Sum(Milliseconds), StringComparer.Ordinal);

    private static IEnumerable<int> Children(int parent) => Directory.Exists("/proc/self")
        ? Directory.EnumerateDirectories("/proc").Select(d => int.TryParse(Path.GetFileName(d), CultureInfo.InvariantCulture, out var id) ? id : 0)
            .Where(id => id > 0 && (id == parent || (Fields(id) is { } fields && int.Parse(fields[1], CultureInfo.InvariantCulture) == parent)))
        : [];

    // proc(5): the fields after the name in parentheses begin with the state; utime and stime are the 12th and 13th from there, in ticks of 10 ms.
    private static double Milliseconds(int id) => Fields(id) is { } fields
        ? (double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture)) * 10
        : 0;

    private static string[]? Fields(int id)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{id}/stat");
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            // It ended meanwhile.
            return null;
        }
    }
}
