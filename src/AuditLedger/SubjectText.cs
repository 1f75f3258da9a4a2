using System.Buffers.Text;
using Trust.AuditLedger.Watching;
using Trust.Kernel.Identifiers;
using Trust.LogFormat;

namespace Trust.AuditLedger;

/// <summary>
/// A subject as a caller names it: kind and identifier in the one spelling of its kind, or for a patient the key that its binding gave. The index knows
/// no other spelling, so that a proof of absence for one would be true and mislead.
/// </summary>
internal static class SubjectText
{
    /// <summary>Kind of the subject that each alarm has: its identifier is the alarm's kind.</summary>
    public const string Alarm = "alarm";

    /// <summary>Kind of the questions about who acted.</summary>
    public const string Actor = "actor";

    private const int MaxName = 256;

    /// <summary>The key; null when the identifier has not the form of its kind.</summary>
    /// <param name="kind"><c>prescription</c>, <c>practitioner</c>, <c>institution</c>, <c>certificate</c>, <c>alarm</c>, <c>actor</c> or <c>patient</c>.</param>
    /// <param name="subject">Lower-case UUID, URN, URN, 64 lower-case hexadecimal digits, an alarm's kind, a URN or the name of a client or service, or 32 bytes in base64url.</param>
    public static SubjectKey? TryRead(string? kind, string? subject) => kind switch
    {
        "prescription" when Guid.TryParseExact(subject, "D", out var id) && string.Equals(id.ToString("D"), subject, StringComparison.Ordinal) => SubjectKey.Prescription(subject),
        "practitioner" when PersonId.TryParse(subject, out var person) => SubjectKey.Practitioner(person.Value),
        "institution" when InstitutionId.TryParse(subject, out var institution) => SubjectKey.Institution(institution.Value),
        "certificate" when subject is { Length: 64 } && subject.All(char.IsAsciiHexDigitLower) => SubjectKey.Certificate(subject),
        Alarm when AlarmNames.Has(subject) => SubjectKey.Of(Alarm, subject!),
        Actor when IsActor(subject) => SubjectKey.Actor(subject!),
        "patient" when subject is { Length: 43 } && Base64Url.IsValid(subject) && Base64Url.DecodeFromChars(subject) is { Length: SubjectKey.Size } key
            && string.Equals(Base64Url.EncodeToString(key), subject, StringComparison.Ordinal) => SubjectKey.Patient(key),
        _ => null,
    };

    // A person or an institution by its one spelling, else a client or a service by its name.
    private static bool IsActor(string? subject) => PersonId.TryParse(subject, out _) || InstitutionId.TryParse(subject, out _)
        || (subject is { Length: > 0 and <= MaxName } && subject.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'));
}

/// <summary>The case under which a regulator acts.</summary>
internal static class CaseNumber
{
    /// <summary>1 to 64 letters, digits and hyphens.</summary>
    public static bool IsValid(string? text) => text is { Length: > 0 and <= 64 } && text.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');
}
