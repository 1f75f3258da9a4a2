using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Trust.Kernel.Residency;

/// <summary>A period in which a code lay under one parent.</summary>
/// <param name="Code">GB/T 2260, six digits.</param>
/// <param name="Parent">The code that it lies in; null for a tree of its own.</param>
/// <param name="Name">The place's name.</param>
/// <param name="From">First day.</param>
/// <param name="To">First day on which it is not so any more; null for ever.</param>
public sealed record RegionRow(string Code, string? Parent, string Name, DateOnly From, DateOnly? To);

/// <summary>
/// The regions of GB/T 2260 with explicit parents and periods. A prefix says nothing: Hainan's 4690xx counties have no city, Chongqing is
/// <c>500000</c> whole while Langfang is <c>131000</c>, and codes are retired. A code that is not in the tree on a day lies nowhere on that
/// day, so it is outside of everything. Built once and never changed; two officers add codes by a declaration (<see cref="With"/>).
/// </summary>
public sealed class RegionTree
{
    /// <summary>The mainland, 境内: whatever residency calls inside. 710000, 810000 and 820000 are trees of their own.</summary>
    public const string Mainland = "000000";

    private const string Header = "code,parent,valid_from,valid_to,name";

    // Province, prefecture, county, and what officers may still add below.
    internal const int MaxDepth = 8;

    private static readonly Lazy<RegionTree> Standard = new(Read);

    private readonly FrozenDictionary<string, RegionRow[]> _rows;

    private RegionTree(IEnumerable<RegionRow> rows, string edition)
    {
        // The period that began last goes before: what officers add takes precedence over what the standard's copy says.
        _rows = rows.GroupBy(r => r.Code, StringComparer.Ordinal).ToFrozenDictionary(g => g.Key, g => g.Reverse().OrderByDescending(r => r.From).ToArray(), StringComparer.Ordinal);
        Edition = edition;
    }

    /// <summary>The table that this program carries (<c>gbt2260.csv</c>, made by <c>tools/regions</c>, which names its sources and their gaps).</summary>
    public static RegionTree Gbt2260 => Standard.Value;

    /// <summary>Which table this is: <c>gbt2260-202112</c>, with <c>+N</c> for codes that officers added.</summary>
    public string Edition { get; }

    /// <summary>This tree with more rows.</summary>
    public RegionTree With(IReadOnlyCollection<RegionRow> additions) =>
        additions.Count == 0 ? this : new(_rows.Values.SelectMany(r => r.Reverse()).Concat(additions), string.Create(CultureInfo.InvariantCulture, $"{Edition}+{additions.Count}"));

    /// <summary>True for a code of Taiwan, Hong Kong and Macau, by how those codes begin.</summary>
    public static bool IsOfOutside(string code)
    {
        ArgumentNullException.ThrowIfNull(code);
        return code.StartsWith("71", StringComparison.Ordinal) || code.StartsWith("81", StringComparison.Ordinal) || code.StartsWith("82", StringComparison.Ordinal);
    }

    /// <summary>
    /// The first code of this tree that would change sides: inside the mainland on some day where it never lay in it, or outside where it did. A code that the table
    /// knows keeps its side whatever period is added to it, so what lies in it keeps its own.
    /// </summary>
    /// <param name="additions">Rows to be added.</param>
    /// <param name="today">A day to look at beside those on which additions begin and end.</param>
    internal string? MovedBy(IReadOnlyCollection<RegionRow> additions, DateOnly today)
    {
        var more = With(additions);
        var days = additions.SelectMany(r => new[] { r.From, r.To ?? r.From }).Append(today).Distinct().ToList();
        return additions.Select(r => r.Code).Distinct(StringComparer.Ordinal)
            .FirstOrDefault(code => WasInside(code) is { } inside && days.Exists(day => more.Knows(code, day) && more.IsInside(code, day) != inside));
    }

    /// <summary>True when a code is listed on that day.</summary>
    public bool Knows(string? code, DateOnly on) => Find(code, on) is not null;

    /// <summary>True for a listed code inside the mainland on that day.</summary>
    public bool IsInside(string? code, DateOnly on) => Contains(Mainland, code, on);

    /// <summary>True when the region is the other or lies in it on that day.</summary>
    /// <param name="within">Six digits.</param>
    /// <param name="region">Six digits; one that is not listed lies in nothing, not even in itself.</param>
    /// <param name="on">Day of the act, in Asia/Shanghai.</param>
    public bool Contains(string within, string? region, DateOnly on)
    {
        var at = region;
        for (var depth = 0; depth < MaxDepth; depth++)
        {
            if (Find(at, on) is not { } row)
            {
                return false;
            }

            if (string.Equals(at, within, StringComparison.Ordinal))
            {
                return true;
            }

            at = row.Parent;
        }

        return false;
    }

    /// <summary>The code that a listed one lies in on that day; null for the outermost and for codes that are not listed.</summary>
    public string? ParentOf(string code, DateOnly on) => Find(code, on)?.Parent;

    /// <summary>The region itself and every listed one that lies in it on that day.</summary>
    /// <param name="within">Six digits.</param>
    /// <param name="on">The day.</param>
    public IReadOnlyList<string> Within(string within, DateOnly on) => [.. _rows.Keys.Where(code => Contains(within, code, on)).Order(StringComparer.Ordinal)];

    // Null for a code that this tree does not know on any day.
    private bool? WasInside(string code) => _rows.TryGetValue(code, out var rows) ? Array.Exists(rows, r => IsInside(code, r.From)) : null;

    private RegionRow? Find(string? code, DateOnly on) =>
        code is not null && _rows.TryGetValue(code, out var rows) ? Array.Find(rows, r => r.From <= on && (r.To is not { } to || on < to)) : null;

    private static RegionTree Read()
    {
        using var stream = typeof(RegionTree).Assembly.GetManifestResourceStream("Trust.Kernel.Residency.gbt2260.csv")
            ?? throw new InvalidDataException("The table of regions is missing from the program.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        var edition = reader.ReadLine();
        var rows = new List<RegionRow>();
        if (edition is null || !edition.StartsWith("# ", StringComparison.Ordinal) || reader.ReadLine() != Header)
        {
            throw new InvalidDataException($"The table of regions does not begin with its edition and '{Header}'.");
        }

        while (reader.ReadLine() is { } line)
        {
            rows.Add(line.Split(',') is [var code, var parent, var from, var to, var name]
                ? new RegionRow(code, parent.Length == 0 ? null : parent, name, Date(from), to.Length == 0 ? null : Date(to))
                : throw new InvalidDataException($"Not a region: {line}"));
        }

        return new RegionTree(rows, edition[2..]);
    }

    private static DateOnly Date(string text) => DateOnly.ParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture);
}
