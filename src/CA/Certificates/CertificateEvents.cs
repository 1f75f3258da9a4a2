using Trust.Kernel.Identifiers;
using Trust.LogFormat;

namespace Trust.CA.Certificates;

/// <summary>Whom certificate events concern.</summary>
internal static class CertificateEvents
{
    /// <summary>Holder, institution and certificate as subject keys.</summary>
    public static IReadOnlyList<SubjectKey> Subjects(string holder, string? institution, string? sha256)
    {
        List<SubjectKey> subjects = [SubjectKey.Of(KindOf(holder), holder)];
        if (institution is not null && !string.Equals(institution, holder, StringComparison.Ordinal))
        {
            subjects.Add(SubjectKey.Institution(institution));
        }

        if (sha256 is not null)
        {
            subjects.Add(SubjectKey.Certificate(sha256));
        }

        return subjects;
    }

    /// <summary>The holder when it is a person, as the feed names people; null otherwise.</summary>
    public static string? PersonAmong(string holder) => PersonId.TryParse(holder, out _) ? holder : null;

    private static string KindOf(string holder) =>
        PersonId.TryParse(holder, out _) ? "practitioner" : InstitutionId.TryParse(holder, out _) ? "institution" : "service";
}
