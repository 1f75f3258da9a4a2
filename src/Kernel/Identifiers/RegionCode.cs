using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Trust.Kernel.Identifiers;

/// <summary>A region by its GB/T 2260 code: six digits. The form only; whether the code exists and lies inside is residency's question.</summary>
[JsonConverter(typeof(RegionCodeJsonConverter))]
public readonly record struct RegionCode : IParsable<RegionCode>
{
    private readonly string? _value;

    private RegionCode(string value) => _value = value;

    /// <summary>The six digits.</summary>
    /// <exception cref="InvalidOperationException">The default value names no region.</exception>
    public string Value => _value ?? throw new InvalidOperationException("The default value names no region.");

    /// <summary>True for six ASCII digits.</summary>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out RegionCode result)
    {
        var valid = s is { Length: 6 } && !s.AsSpan().ContainsAnyExceptInRange('0', '9');
        result = valid ? new RegionCode(s!) : default;
        return valid;
    }

    /// <summary>True for six ASCII digits.</summary>
    public static bool TryParse([NotNullWhen(true)] string? s, out RegionCode result) => TryParse(s, null, out result);

    /// <inheritdoc/>
    public static RegionCode Parse(string s, IFormatProvider? provider) =>
        TryParse(s, provider, out var code) ? code : throw new FormatException("A GB/T 2260 code has six digits.");

    /// <summary>The six digits.</summary>
    public override string ToString() => _value ?? "";
}

/// <summary>Reads and writes the code as a JSON string.</summary>
public sealed class RegionCodeJsonConverter : JsonConverter<RegionCode>
{
    /// <inheritdoc/>
    public override RegionCode Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType is JsonTokenType.String && RegionCode.TryParse(reader.GetString(), out var code) ? code : throw new JsonException("A GB/T 2260 code has six digits.");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, RegionCode value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStringValue(value.Value);
    }
}
