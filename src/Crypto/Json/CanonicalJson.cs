using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Trust.Crypto.Json;

/// <summary>
/// The one byte form of a JSON document (RFC 8785): members sorted by UTF-16 code units, ECMAScript number form, least escaping, no white space.
/// Documents from outside go through <see cref="StrictJson"/> first; JCS itself does not notice what I-JSON forbids.
/// </summary>
public static class CanonicalJson
{
    /// <summary>Encodes an element.</summary>
    /// <returns>UTF-8 bytes.</returns>
    /// <exception cref="InvalidOperationException">The document names a member twice, or holds a lone surrogate or an infinite number.</exception>
    public static byte[] Encode(JsonElement element)
    {
        var output = new ArrayBufferWriter<byte>();
        Write(output, element);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>Encodes a tree built in memory.</summary>
    /// <returns>UTF-8 bytes.</returns>
    /// <exception cref="InvalidOperationException">As for an element.</exception>
    public static byte[] Encode(JsonNode? node) =>
        Encode(JsonElement.Parse(Encoding.UTF8.GetBytes(node?.ToJsonString() ?? "null")));

    /// <summary>Encodes an element into a caller's buffer.</summary>
    public static void Write(IBufferWriter<byte> output, JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                WriteObject(output, element);
                break;
            case JsonValueKind.Array:
                output.Write("["u8);
                var first = true;
                foreach (var item in element.EnumerateArray())
                {
                    output.Write(first ? ""u8 : ","u8);
                    first = false;
                    Write(output, item);
                }

                output.Write("]"u8);
                break;
            case JsonValueKind.String:
                WriteString(output, element.GetString()!);
                break;
            case JsonValueKind.Number:
                output.Write(Encoding.ASCII.GetBytes(FormatNumber(element.GetDouble())));
                break;
            case JsonValueKind.True:
                output.Write("true"u8);
                break;
            case JsonValueKind.False:
                output.Write("false"u8);
                break;
            case JsonValueKind.Null:
                output.Write("null"u8);
                break;
            default:
                throw new InvalidOperationException("An undefined element has no JSON form.");
        }
    }

    /// <summary>The ECMAScript form of a double (ECMA-262 Number::toString, as RFC 8785 3.2.2.3 demands).</summary>
    /// <exception cref="InvalidOperationException">NaN or infinity, which JSON cannot carry.</exception>
    public static string FormatNumber(double value)
    {
        if (!double.IsFinite(value))
        {
            throw new InvalidOperationException("NaN and infinity have no JSON form.");
        }

        var (negative, digits, n) = DecimalForm.Of(value);
        var sign = negative ? "-" : "";
        var k = digits.Length;
        return (k, n) switch
        {
            (0, _) => "0",
            _ when k <= n && n <= 21 => sign + digits + new string('0', n - k),
            _ when n is > 0 and <= 21 => $"{sign}{digits.AsSpan(0, n)}.{digits.AsSpan(n)}",
            _ when n is > -6 and <= 0 => sign + "0." + new string('0', -n) + digits,
            _ => sign + digits[0] + (k > 1 ? "." + digits[1..] : "") + "e" + (n > 0 ? "+" : "-")
                + Math.Abs(n - 1).ToString(CultureInfo.InvariantCulture),
        };
    }

    private static void WriteObject(IBufferWriter<byte> output, JsonElement element)
    {
        var members = element.EnumerateObject().Select(m => (m.Name, m.Value)).ToArray();
        // Ordinal comparison is by UTF-16 code unit, as RFC 8785 3.2.3 demands.
        Array.Sort(members, static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        output.Write("{"u8);
        for (var i = 0; i < members.Length; i++)
        {
            if (i > 0)
            {
                if (string.Equals(members[i].Name, members[i - 1].Name, StringComparison.Ordinal))
                {
                    throw new InvalidOperationException("A member is named twice; such a document has no canonical form.");
                }

                output.Write(","u8);
            }

            WriteString(output, members[i].Name);
            output.Write(":"u8);
            Write(output, members[i].Value);
        }

        output.Write("}"u8);
    }

    private static void WriteString(IBufferWriter<byte> output, string text)
    {
        var escaped = new StringBuilder(text.Length + 2).Append('"');
        foreach (var c in text)
        {
            _ = c switch
            {
                '"' => escaped.Append("\\\""),
                '\\' => escaped.Append("\\\\"),
                '\b' => escaped.Append("\\b"),
                '\t' => escaped.Append("\\t"),
                '\n' => escaped.Append("\\n"),
                '\f' => escaped.Append("\\f"),
                '\r' => escaped.Append("\\r"),
                < ' ' => escaped.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture)),
                _ => escaped.Append(c),
            };
        }

        output.Write(StrictUtf8.GetBytes(escaped.Append('"').ToString()));
    }

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);
}
