using System.Globalization;
using System.Text.Json;

namespace Trust.Benchmarks;

/// <summary>One figure of the table.</summary>
/// <param name="Name">Name of the row.</param>
/// <param name="Value">What was measured; null when it could not be taken.</param>
/// <param name="Unit">Unit of value, reference and target.</param>
/// <param name="Reference">What it is held against, measured in the same run.</param>
/// <param name="ReferenceName">What the reference is.</param>
/// <param name="Target">What it should reach.</param>
/// <param name="Met">True when the target, and everything said with it, is reached.</param>
/// <param name="Note">Further figures, or why there is no value.</param>
internal sealed record Row(string Name, double? Value, string Unit, double? Reference, string ReferenceName, string Target, bool Met, string Note)
{
    /// <summary>Value over reference.</summary>
    public double? Ratio => Value / Reference;

    /// <summary>A row whose figure could not be taken.</summary>
    public static Row Missing(string name, string unit, string target, string why) => new(name, null, unit, null, "", target, Met: false, why);

    private static readonly JsonSerializerOptions Readable = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>One JSON object on one line.</summary>
    public string ToJson() => JsonSerializer.Serialize(new
    {
        name = Name, value = Value, unit = Unit, reference = Reference, referenceName = ReferenceName, ratio = Ratio, target = Target, met = Met, note = Note,
    }, Readable);

    /// <summary>One line of the table.</summary>
    public string ToLine() => string.Create(CultureInfo.InvariantCulture,
        $"{(Met ? "✔" : "✘")} {Name,-22} {Value?.ToString(Value < 100 ? "N2" : "N0", CultureInfo.InvariantCulture) ?? "–",10} {Unit,-8} {(Reference is { } r ? $"{Ratio:P0} of {ReferenceName} ({r:N0})" : ""),-44} {Target}{(Note.Length > 0 ? "; " + Note : "")}");
}
