using System.Collections.Frozen;
using System.Globalization;

namespace Trust.Kernel.Residency;

/// <summary>
/// GB/T 2260 codes with an explicit, effective-dated parent (docs/RULES.md §9). A prefix says nothing: 469000 counties have no city, and
/// codes are retired. A code that is not listed lies in no region.
/// </summary>
public sealed class RegionTable
{
    /// <summary>The whole country.</summary>
    public const string National = "000000";

    private const int MaxDepth = 8;
    private const string Header = "code,parent,valid_from,valid_to,name";

    private readonly FrozenDictionary<string, Row[]> _rows;

    private RegionTable(FrozenDictionary<string, Row[]> rows) => _rows = rows;

    /// <summary>A table that lists nothing: a region contains itself alone.</summary>
    public static RegionTable Empty { get; } = new(FrozenDictionary<string, Row[]>.Empty);

    /// <summary>Reads the table.</summary>
    /// <param name="file">CSV, UTF-8, header <c>code,parent,valid_from,valid_to,name</c>; dates ISO 8601, <c>valid_to</c> exclusive and may be empty.</param>
    /// <exception cref="InvalidDataException">A line is not of that form; the message names it.</exception>
    public static RegionTable Load(string file)
    {
        var lines = File.ReadAllLines(file);
        if (lines is not [Header, .. var rows])
        {
            throw new InvalidDataException($"{file} does not begin with '{Header}'.");
        }

        var read = rows.Select((line, i) => (i, line)).Where(l => l.line.Length > 0).Select(l => Row.TryParse(l.line)
            ?? throw new InvalidDataException($"{file}, line {l.i + 2}: not a region."));
        return new RegionTable(read.GroupBy(r => r.Code, StringComparer.Ordinal).ToFrozenDictionary(g => g.Key, g => g.ToArray(), StringComparer.Ordinal));
    }

    /// <summary>True when the region is the other or lies in it on that day.</summary>
    /// <param name="region">Six digits; unknown lies in nothing.</param>
    /// <param name="within">Six digits, or <see cref="National"/>.</param>
    /// <param name="on">Day of the act.</param>
    public bool Contains(string within, string region, DateOnly on)
    {
        var at = region;
        if (_rows.Count == 0)
        {
            return string.Equals(region, within, StringComparison.Ordinal);
        }

        for (var depth = 0; depth < MaxDepth; depth++)
        {
            if (!_rows.TryGetValue(at, out var rows) || Array.Find(rows, r => r.From <= on && (r.To is not { } to || on < to)) is not { } row)
            {
                return false;
            }

            if (string.Equals(at, within, StringComparison.Ordinal) || string.Equals(row.Parent, within, StringComparison.Ordinal))
            {
                return true;
            }

            at = row.Parent;
        }

        return false;
    }

    /// <summary>The region itself and every listed one that lies in it on that day.</summary>
    /// <param name="within">Six digits, or <see cref="National"/>.</param>
    /// <param name="on">The day.</param>
    public IReadOnlyList<string> Within(string within, DateOnly on) =>
        [within, .. _rows.Keys.Where(code => code != within && Contains(within, code, on)).Order(StringComparer.Ordinal)];

    private sealed record Row(string Code, string Parent, DateOnly From, DateOnly? To)
    {
        public static Row? TryParse(string line)
        {
            var cells = line.Split(',');
            return cells.Length == 5 && IsCode(cells[0]) && IsCode(cells[1]) && Date(cells[2]) is { } from && (cells[3].Length == 0 || Date(cells[3]) is not null)
                ? new Row(cells[0], cells[1], from, Date(cells[3]))
                : null;
        }

        private static bool IsCode(string text) => text.Length == 6 && text.All(char.IsAsciiDigit);

        private static DateOnly? Date(string text) =>
            DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date) ? date : null;
    }
}
