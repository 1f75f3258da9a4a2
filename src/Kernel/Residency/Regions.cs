namespace Trust.Kernel.Residency;

/// <summary>
/// Which declared regions are inside the mainland (境内). Taiwan, Hong Kong and Macau (71, 81, 82) count as outside for
/// residency (docs/RULES.md §9); anything that is not a six-digit GB/T 2260 code is unknown, and unknown is outside.
/// </summary>
public static class Regions
{
    /// <summary>True for a mainland code.</summary>
    public static bool IsInside(string? region) =>
        region is { Length: 6 } && region.All(char.IsAsciiDigit) && region[..2] is not ("71" or "81" or "82") && region[0] is >= '1' and <= '6';
}
