namespace Trust.Idp;

/// <summary>Form or query parameters of a protocol request, each at most once and of bounded size (RFC 6749 §3.1, §3.2).</summary>
public sealed class FormFields
{
    private const int MaximumValue = 8 * 1024;
    private const int MaximumObject = ReceivedToken.MaxLength;
    private readonly IReadOnlyDictionary<string, string> _values;

    private FormFields(IReadOnlyDictionary<string, string> values) => _values = values;

    /// <summary>Reads parameters; null when one is repeated or too long. Parameters without a value are treated as omitted.</summary>
    public static FormFields? Of(IEnumerable<KeyValuePair<string, Microsoft.Extensions.Primitives.StringValues>> fields)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in fields)
        {
            if (value.Count > 1 || value.ToString().Length > (name is "request" ? MaximumObject : MaximumValue) || value.ToString().Contains('\0', StringComparison.Ordinal))
            {
                return null;
            }

            if (value.Count == 1 && value[0] is { Length: > 0 } text)
            {
                values[name] = text;
            }
        }

        return new FormFields(values);
    }

    /// <summary>Reads the body of a form post; null when it is none, or as <see cref="Of"/>.</summary>
    public static async Task<FormFields?> OfBody(HttpRequest request, CancellationToken ct) =>
        request.HasFormContentType ? Of(await request.ReadFormAsync(ct)) : null;

    /// <summary>Parameters that came another way, as members of a signed or stored request; null when one is too long.</summary>
    internal static FormFields? OfValues(IReadOnlyDictionary<string, string> values) =>
        Of(values.Select(v => KeyValuePair.Create(v.Key, new Microsoft.Extensions.Primitives.StringValues(v.Value))));

    /// <summary>All that were sent with a value.</summary>
    internal IReadOnlyDictionary<string, string> Values => _values;

    /// <summary>The value, or null when omitted.</summary>
    public string? Text(string name) => _values.GetValueOrDefault(name);

    /// <summary>True when sent with a value.</summary>
    public bool Has(string name) => _values.ContainsKey(name);
}
