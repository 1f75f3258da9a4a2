using System.Text.RegularExpressions;

namespace Trust.Kernel.Text;

/// <summary>Names that a caller made up, before they are shown back.</summary>
public static partial class CallersText
{
    /// <summary>The text with each number of four digits or more left out: a name may be an identity number or a PIN that went to the wrong place.</summary>
    public static string WithoutNumbers(string text) => Number().Replace(text, "#");

    [GeneratedRegex("[0-9]{4,}[Xx]?", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Number();
}
