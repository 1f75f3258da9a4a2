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
            subjects.Add(SubjectKey.Of("institution", institution));
        }

        if (sha256 is not null)
        {
            subjects.Add(SubjectKey.Certificate(sha256));
        }

        return subjects;
    }

    private static string KindOf(string holder) =>
        holder.StartsWith("urn:mdid:p:", StringComparison.Ordinal) ? "practitioner"
        : holder.StartsWith("urn:mdid:o:", StringComparison.Ordinal) ? "institution"
        : "service";
}
