using System.Globalization;

namespace Trust.AuditLedger.Tiles;

/// <summary>
/// Address of a tile after <c>/tile/</c> (C2SP tlog-tiles): <c>&lt;L&gt;/&lt;N&gt;[.p/&lt;W&gt;]</c> of hashes, <c>entries/&lt;N&gt;[.p/&lt;W&gt;]</c> of
/// entries. Each tile has one spelling, so that a cache never holds it twice.
/// </summary>
/// <param name="Level">0 to 63; null for entries.</param>
/// <param name="Number">Index among the tiles of the level.</param>
/// <param name="Width">Hashes or entries: 256 of a full tile, 1 to 255 of a partial one.</param>
internal readonly record struct TilePath(int? Level, long Number, int Width)
{
    private const int MaxLevel = 63;
    private const int FullWidth = 256;

    // 19 digits and their prefixes: more cannot number a tile of a log that a signed 64-bit size describes.
    private const int MaxLength = 64;

    /// <summary>Reads a path without its leading <c>/tile/</c>; null when it is not the one spelling of a tile.</summary>
    public static TilePath? TryParse(ReadOnlySpan<char> path)
    {
        if (path.Length > MaxLength || path.IndexOf('/') is not (> 0 and var slash))
        {
            return null;
        }

        int? level = null;
        if (path[..slash] is not "entries")
        {
            if (Decimal(path[..slash], MaxLevel) is not { } parsed)
            {
                return null;
            }

            level = parsed;
        }

        var rest = path[(slash + 1)..];
        var width = FullWidth;
        if (rest.IndexOf(".p/", StringComparison.Ordinal) is >= 0 and var at)
        {
            if (Decimal(rest[(at + 3)..], FullWidth - 1) is not (>= 1 and var partial))
            {
                return null;
            }

            width = partial;
            rest = rest[..at];
        }

        return TryReadNumber(rest, out var number) ? new TilePath(level, number, width) : null;
    }

    /// <summary>The path without its leading <c>/tile/</c>.</summary>
    public override string ToString()
    {
        var number = (Number % 1000).ToString("000", CultureInfo.InvariantCulture);
        for (var rest = Number / 1000; rest > 0; rest /= 1000)
        {
            number = string.Create(CultureInfo.InvariantCulture, $"x{rest % 1000:000}/{number}");
        }

        var kind = Level is { } level ? level.ToString(CultureInfo.InvariantCulture) : "entries";
        return Width == FullWidth ? $"{kind}/{number}" : string.Create(CultureInfo.InvariantCulture, $"{kind}/{number}.p/{Width}");
    }

    // Groups of three digits, all but the last prefixed by x; a leading group of zeros would be a second spelling.
    private static bool TryReadNumber(ReadOnlySpan<char> text, out long number)
    {
        number = 0;
        for (var first = true; ; first = false)
        {
            var slash = text.IndexOf('/');
            var group = slash < 0 ? text : text[..slash];
            if (slash >= 0)
            {
                if (group is not ['x', ..] || (first && group is "x000"))
                {
                    return false;
                }

                group = group[1..];
            }

            if (group.Length != 3 || !int.TryParse(group, NumberStyles.None, CultureInfo.InvariantCulture, out var digits)
                || number > (long.MaxValue - digits) / 1000)
            {
                return false;
            }

            number = (number * 1000) + digits;
            if (slash < 0)
            {
                return true;
            }

            text = text[(slash + 1)..];
        }
    }

    private static int? Decimal(ReadOnlySpan<char> text, int max) =>
        text.Length is >= 1 and <= 3 && (text.Length == 1 || text[0] != '0')
        && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value <= max
            ? value
            : null;
}
