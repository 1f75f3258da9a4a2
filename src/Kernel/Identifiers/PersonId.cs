using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;

namespace Trust.Kernel.Identifiers;

/// <summary>A practitioner or another person with a certificate: <c>urn:mdid:p:&lt;ULID&gt;</c> (docs/RULES.md §2). Parsed at the door; a value of this type has its form.</summary>
[JsonConverter(typeof(UrnJsonConverter<PersonId>))]
public readonly record struct PersonId : IUrn<PersonId>
{
    private readonly string? _value;

    private PersonId(string value) => _value = value;

    /// <inheritdoc/>
    public static string Prefix => "urn:mdid:p:";

    /// <summary>The URN.</summary>
    /// <exception cref="InvalidOperationException">The default value names nobody.</exception>
    public string Value => _value ?? throw new InvalidOperationException("The default value names nobody.");

    /// <summary>The ULID after the prefix, 26 characters.</summary>
    public string Ulid => Value[Prefix.Length..];

    /// <summary>A new identifier.</summary>
    public static PersonId New(DateTimeOffset now) => new(Prefix + Identifiers.Ulid.New(now));

    /// <inheritdoc/>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out PersonId result)
    {
        var valid = s is not null && s.StartsWith(Prefix, StringComparison.Ordinal) && Identifiers.Ulid.IsValid(s.AsSpan(Prefix.Length));
        result = valid ? new PersonId(s!) : default;
        return valid;
    }

    /// <inheritdoc/>
    public static bool TryParse([NotNullWhen(true)] string? s, out PersonId result) => TryParse(s, null, out result);

    /// <inheritdoc/>
    public static PersonId Parse(string s, IFormatProvider? provider) =>
        TryParse(s, provider, out var id) ? id : throw new FormatException("Not of the form " + Prefix + "<ULID>.");

    /// <summary>The URN.</summary>
    public override string ToString() => _value ?? "";
}
