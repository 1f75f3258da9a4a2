using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Trust.Kernel.Identifiers;

/// <summary>An identifier <c>urn:mdid:…:&lt;ULID&gt;</c> as a type: route parameters and JSON members bind to it or are refused.</summary>
/// <typeparam name="TSelf">The identifier.</typeparam>
public interface IUrn<TSelf> : IParsable<TSelf>
    where TSelf : struct, IUrn<TSelf>
{
    /// <summary>What stands before the ULID.</summary>
    static abstract string Prefix { get; }

    /// <summary>The URN.</summary>
    string Value { get; }

    /// <summary>True for the prefix and a ULID.</summary>
    static abstract bool TryParse([NotNullWhen(true)] string? s, out TSelf result);
}

/// <summary>Reads and writes the URN as a JSON string; anything else is malformed.</summary>
public sealed class UrnJsonConverter<TUrn> : JsonConverter<TUrn>
    where TUrn : struct, IUrn<TUrn>
{
    /// <inheritdoc/>
    public override TUrn Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType is JsonTokenType.String && TUrn.TryParse(reader.GetString(), out var id) ? id : throw new JsonException("Not of the form " + TUrn.Prefix + "<ULID>.");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, TUrn value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStringValue(value.Value);
    }
}
