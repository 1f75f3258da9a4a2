using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;

namespace Trust.Crypto.Json;

/// <summary>
/// Parses untrusted JSON under I-JSON (RFC 7493) and size limits, so that two readers of the same bytes cannot see two documents:
/// no duplicate keys, no lone surrogates, no numbers that lose value in a double, no trailing data.
/// </summary>
public static class StrictJson
{
    private const double LargestSafeInteger = 9007199254740991;
    private const int LongestNumber = 64;

    /// <summary>Parses into an element that needs no disposal.</summary>
    /// <param name="utf8">The whole document; copied, so later changes by the caller do not matter.</param>
    /// <param name="limits">Bounds in bytes and nesting levels.</param>
    /// <param name="element">The document when accepted.</param>
    /// <param name="refusal">The reason when not.</param>
    public static bool TryParse(
        ReadOnlySpan<byte> utf8, JsonLimits limits, out JsonElement element, [NotNullWhen(false)] out JsonRefusal? refusal)
    {
        element = default;
        refusal = Check(utf8, limits);
        if (refusal is not null)
        {
            return false;
        }

        element = JsonElement.Parse(utf8, new JsonDocumentOptions { MaxDepth = Depth(limits) });
        return true;
    }

    /// <summary>Parses into a document that the caller disposes.</summary>
    /// <param name="utf8">The whole document; copied.</param>
    /// <param name="limits">Bounds in bytes and nesting levels.</param>
    /// <param name="document">The document when accepted.</param>
    /// <param name="refusal">The reason when not.</param>
    public static bool TryParseDocument(
        ReadOnlySpan<byte> utf8,
        JsonLimits limits,
        [NotNullWhen(true)] out JsonDocument? document,
        [NotNullWhen(false)] out JsonRefusal? refusal)
    {
        document = null;
        refusal = Check(utf8, limits);
        if (refusal is not null)
        {
            return false;
        }

        document = JsonDocument.Parse(utf8.ToArray(), new JsonDocumentOptions { MaxDepth = Depth(limits) });
        return true;
    }

    /// <summary>Says what is wrong with the bytes, or null when they are strict JSON within the limits.</summary>
    public static JsonRefusal? Check(ReadOnlySpan<byte> utf8, JsonLimits limits)
    {
        if (utf8.Length > limits.MaxBytes)
        {
            return new JsonRefusal(JsonRefusalReason.TooLarge, limits.MaxBytes);
        }

        if (utf8.StartsWith("\uFEFF"u8) || !Utf8.IsValid(utf8))
        {
            return new JsonRefusal(JsonRefusalReason.InvalidUtf8, 0);
        }

        // One level more than allowed, so that too deep is told apart from malformed.
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = Depth(limits) + 1 });
        try
        {
            return Walk(ref reader, Depth(limits));
        }
        catch (JsonException)
        {
            return new JsonRefusal(JsonRefusalReason.Malformed, reader.BytesConsumed);
        }
    }

    private static int Depth(JsonLimits limits) => Math.Clamp(limits.MaxDepth, 1, 64);

    private static JsonRefusal? Walk(ref Utf8JsonReader reader, int maxDepth)
    {
        var names = new Stack<HashSet<string>>();
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject or JsonTokenType.StartArray when reader.CurrentDepth >= maxDepth:
                    return new JsonRefusal(JsonRefusalReason.TooDeep, reader.TokenStartIndex);
                case JsonTokenType.StartObject:
                    names.Push(new HashSet<string>(StringComparer.Ordinal));
                    break;
                case JsonTokenType.EndObject:
                    names.Pop();
                    break;
                case JsonTokenType.PropertyName or JsonTokenType.String when HasLoneSurrogate(reader.ValueSpan, reader.ValueIsEscaped):
                    return new JsonRefusal(JsonRefusalReason.LoneSurrogate, reader.TokenStartIndex);
                case JsonTokenType.PropertyName when !names.Peek().Add(reader.GetString()!):
                    return new JsonRefusal(JsonRefusalReason.DuplicateKey, reader.TokenStartIndex);
                case JsonTokenType.Number when !IsSafeNumber(reader.ValueSpan):
                    return new JsonRefusal(JsonRefusalReason.UnsafeNumber, reader.TokenStartIndex);
            }
        }

        return null;
    }

    private static bool HasLoneSurrogate(ReadOnlySpan<byte> raw, bool escaped)
    {
        // Valid UTF-8 cannot encode surrogates; only \u escapes can.
        var high = false;
        for (var i = 0; escaped && i < raw.Length; i++)
        {
            if (raw[i] != '\\')
            {
                if (high)
                {
                    return true;
                }

                continue;
            }

            i++;
            var unit = 0;
            if (raw[i] == 'u')
            {
                _ = Utf8Parser.TryParse(raw.Slice(i + 1, 4), out unit, out _, 'x');
                i += 4;
            }

            var low = unit is >= 0xDC00 and <= 0xDFFF;
            if (low != high)
            {
                return true;
            }

            high = unit is >= 0xD800 and <= 0xDBFF;
        }

        return high;
    }

    private static bool IsSafeNumber(ReadOnlySpan<byte> token)
    {
        if (token.Length > LongestNumber
            || !double.TryParse(token, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            || !(Math.Abs(value) <= LargestSafeInteger))
        {
            return false;
        }

        return DecimalForm.Of(token) == DecimalForm.Of(value);
    }
}
