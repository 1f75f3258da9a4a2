using System.Buffers.Text;
using System.Text.Json;

namespace Trust.Cli.Verify;

/// <summary>Typed reads of untrusted JSON with exactly the members expected.</summary>
internal static class Strict
{
    /// <summary>Refuses an object whose members are not exactly these; optional ones end with a question mark.</summary>
    public static void Members(JsonElement element, string path, params ReadOnlySpan<string> names)
    {
        EvidenceRefusedException.When(element.ValueKind != JsonValueKind.Object, "malformed-file", null, path);
        var present = element.EnumerateObject().Select(p => p.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var name in names)
        {
            var optional = name.EndsWith('?');
            var removed = present.Remove(optional ? name[..^1] : name);
            EvidenceRefusedException.When(!removed && !optional, "malformed-file", null, $"{path}.{name}");
        }

        EvidenceRefusedException.When(present.Count > 0, "malformed-file", null, $"{path}.{present.FirstOrDefault()}");
    }

    public static string Text(JsonElement element, string name, string path) => Text(element.GetProperty(name), $"{path}.{name}");

    public static string Text(JsonElement value, string path)
    {
        EvidenceRefusedException.When(value.ValueKind != JsonValueKind.String, "malformed-file", null, path);
        return value.GetString()!;
    }

    /// <summary>A text, or null where the member is null.</summary>
    public static string? OptionalText(JsonElement element, string name, string path) =>
        element.GetProperty(name).ValueKind == JsonValueKind.Null ? null : Text(element, name, path);

    public static long Number(JsonElement element, string name, string path)
    {
        var value = element.GetProperty(name);
        var number = 0L;
        EvidenceRefusedException.When(
            value.ValueKind != JsonValueKind.Number || !value.TryGetInt64(out number) || number < 0, "malformed-file", null, $"{path}.{name}");
        return number;
    }

    public static List<JsonElement> Items(JsonElement element, string name, string path, int atMost)
    {
        var value = element.GetProperty(name);
        EvidenceRefusedException.When(
            value.ValueKind != JsonValueKind.Array || value.GetArrayLength() > atMost, "malformed-file", null, $"{path}.{name}");
        return [.. value.EnumerateArray()];
    }

    public static byte[] Bytes(JsonElement element, string name, string path, int? size = null) =>
        Bytes(element.GetProperty(name), $"{path}.{name}", size);

    public static byte[] Bytes(JsonElement value, string path, int? size = null)
    {
        var bytes = value.ValueKind == JsonValueKind.String ? Base64Bytes(value.GetString()!) : null;
        EvidenceRefusedException.When(bytes is null || (size is not null && bytes.Length != size), "malformed-file", null, path);
        return bytes!;
    }

    /// <summary>Base64 in its one spelling, or null.</summary>
    public static byte[]? Base64Bytes(string text)
    {
        var buffer = new byte[(text.Length / 4 * 3) + 3];
        return Convert.TryFromBase64String(text, buffer, out var length) && string.Equals(Convert.ToBase64String(buffer, 0, length), text, StringComparison.Ordinal)
            ? buffer[..length]
            : null;
    }

    /// <summary>base64url in its one spelling, or null.</summary>
    public static byte[]? Base64UrlBytes(string text)
    {
        if (!Base64Url.IsValid(text) || text.Contains('=', StringComparison.Ordinal))
        {
            return null;
        }

        var bytes = Base64Url.DecodeFromChars(text);
        return string.Equals(Base64Url.EncodeToString(bytes), text, StringComparison.Ordinal) ? bytes : null;
    }
}
