using System.Buffers.Text;
using Trust.LogFormat;

namespace Trust.AuditLedger;

/// <summary>A subject as a caller names it: kind and identifier, or for a patient the key that its binding gave.</summary>
internal static class SubjectText
{
    private const int MaxIdentifier = 256;

    /// <summary>The key; null when it names no subject the index knows.</summary>
    /// <param name="kind"><c>prescription</c>, <c>practitioner</c>, <c>institution</c>, <c>certificate</c> or <c>patient</c>.</param>
    /// <param name="subject">Identifier, or 32 bytes in base64url for a patient.</param>
    public static SubjectKey? TryRead(string kind, string subject)
    {
        if (subject.Length is 0 or > MaxIdentifier || subject.Any(char.IsControl))
        {
            return null;
        }

        return kind switch
        {
            "prescription" => SubjectKey.Prescription(subject),
            "practitioner" => SubjectKey.Practitioner(subject),
            "institution" => SubjectKey.Institution(subject),
            "certificate" when subject.Length == 64 && subject.All(char.IsAsciiHexDigitLower) => SubjectKey.Certificate(subject),
            "patient" when subject.Length == 43 && Base64Url.IsValid(subject) && Base64Url.DecodeFromChars(subject) is { Length: SubjectKey.Size } key => SubjectKey.Patient(key),
            _ => null,
        };
    }
}

/// <summary>The case under which a regulator acts.</summary>
internal static class CaseNumber
{
    /// <summary>1 to 64 letters, digits and hyphens.</summary>
    public static bool IsValid(string? text) => text is { Length: > 0 and <= 64 } && text.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');
}
