using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Trust.Kernel.Hosting;

namespace Trust.SignService.Prescriptions;

/// <summary>Unwinds the walk at the first rule a bundle breaks; <see cref="PrescriptionProfile"/> turns it into its refusal.</summary>
internal sealed class ProfileException(Refusal rule, string path) : Exception(rule.Name + " at " + path)
{
    /// <summary>The rule.</summary>
    public Refusal Rule => rule;

    /// <summary>Where.</summary>
    public string Path => path;
}

/// <summary>Walks FHIR JSON and names the place where something is missing or of another kind.</summary>
internal readonly partial record struct FhirReader(JsonElement Element, string Path)
{
    public FhirReader Member(string name)
    {
        if (Element.ValueKind == JsonValueKind.Object && Element.TryGetProperty(name, out var value))
        {
            return new FhirReader(value, Path + "." + name);
        }

        throw new ProfileException(ProfileRefusals.Missing, Path + "." + name);
    }

    public bool Has(string name) => Element.ValueKind == JsonValueKind.Object && Element.TryGetProperty(name, out _);

    public string Text(string name)
    {
        var member = Member(name);
        return member.Element.ValueKind == JsonValueKind.String && member.Element.GetString() is { Length: > 0 and <= 1024 } text
            ? text
            : throw new ProfileException(ProfileRefusals.NotText, member.Path);
    }

    public string? OptionalText(string name) => Has(name) ? Text(name) : null;

    /// <summary>Exactly this text.</summary>
    public FhirReader Must(string name, params ReadOnlySpan<string> allowed)
    {
        var text = Text(name);
        foreach (var one in allowed)
        {
            if (string.Equals(text, one, StringComparison.Ordinal))
            {
                return this;
            }
        }

        throw new ProfileException(ProfileRefusals.NotAllowed, Path + "." + name);
    }

    public IReadOnlyList<FhirReader> Items(string name, int least, int most)
    {
        var member = Member(name);
        if (member.Element.ValueKind != JsonValueKind.Array)
        {
            throw new ProfileException(ProfileRefusals.NotAList, member.Path);
        }

        var count = member.Element.GetArrayLength();
        if (count < least || count > most)
        {
            throw new ProfileException(ProfileRefusals.Cardinality, member.Path);
        }

        var path = member.Path;
        return [.. member.Element.EnumerateArray().Select((e, i) => new FhirReader(e, $"{path}[{i}]"))];
    }

    public int Whole(string name)
    {
        var member = Member(name);
        return member.Element.ValueKind == JsonValueKind.Number && member.Element.TryGetInt32(out var value)
            ? value
            : throw new ProfileException(ProfileRefusals.NotAWholeNumber, member.Path);
    }

    public DateTimeOffset Instant(string name)
    {
        var text = Text(name);
        return InstantForm().IsMatch(text)
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at)
            ? at
            : throw new ProfileException(ProfileRefusals.NotAnInstant, Path + "." + name);
    }

    // FHIR R4 2.24.0.1, dateTime with time: seconds, a fraction of any length, a zone with its colon or Z. What this clock cannot hold, the second
    // that is sometimes inserted and a year 0, does not parse.
    [GeneratedRegex(
        @"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))$",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 100)]
    private static partial Regex InstantForm();

    public DateOnly Date(string name) =>
        DateOnly.TryParseExact(Text(name), "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date)
            ? date
            : throw new ProfileException(ProfileRefusals.NotADate, Path + "." + name);

    /// <summary>The value of the one identifier of a system.</summary>
    public string Identifier(string system)
    {
        var found = Items("identifier", 1, 8).Where(i => string.Equals(i.OptionalText("system"), system, StringComparison.Ordinal)).ToList();
        return found.Count == 1 ? found[0].Text("value") : throw new ProfileException(ProfileRefusals.Identifier, Path + ".identifier");
    }

    /// <summary>The valueString or valueCode of an extension; null when absent.</summary>
    public string? Extension(string url)
    {
        if (!Has("extension"))
        {
            return null;
        }

        var found = Items("extension", 1, 16).Where(e => string.Equals(e.Text("url"), url, StringComparison.Ordinal)).ToList();
        return found.Count switch
        {
            0 => null,
            1 => found[0].OptionalText("valueString") ?? found[0].Text("valueCode"),
            _ => throw new ProfileException(ProfileRefusals.Cardinality, Path + ".extension"),
        };
    }

    /// <summary>The code of the first coding of a CodeableConcept whose system is given.</summary>
    public string Coding(string concept, string system)
    {
        var found = Member(concept).Items("coding", 1, 8).Where(c => string.Equals(c.OptionalText("system"), system, StringComparison.Ordinal)).ToList();
        return found.Count == 1 ? found[0].Text("code") : throw new ProfileException(ProfileRefusals.Coding, $"{Path}.{concept}.coding");
    }
}
