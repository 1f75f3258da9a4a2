using Trust.Crypto.Asn1;
using Trust.Kernel.Identifiers;

namespace Trust.CA.Entitlements;

/// <summary>What is asked.</summary>
/// <param name="Person">The practitioner; null when an institution acts alone.</param>
/// <param name="Institution">The institution; null only for <c>login</c>.</param>
/// <param name="Act">The act.</param>
/// <param name="Certificate">SHA-256 hex of the certificate used; null when none is.</param>
/// <param name="At">The instant.</param>
/// <param name="Known">What was recorded later does not count; null for all that is recorded now.</param>
public sealed record EntitlementQuery(
    PersonId? Person, InstitutionId? Institution, string Act, string? Certificate, DateTimeOffset At, DateTimeOffset? Known = null);

/// <summary>Who may do what: pure rules over facts, default deny. <see cref="Version"/> changes with any of them.</summary>
public static class EntitlementRules
{
    /// <summary>Version of these rules.</summary>
    public const string Version = "ca-entitlement-2026-11-3";

    /// <summary>Reason of a permit.</summary>
    public const string Permitted = "permitted";

    /// <summary>The reason to deny, or <see cref="Permitted"/>.</summary>
    public static string Decide(EntitlementQuery query, EntitlementFacts facts) =>
        query.Person is null ? OfInstitution(query, facts) : OfPerson(query, facts);

    private static string OfInstitution(EntitlementQuery query, EntitlementFacts facts) =>
        query.Institution is null || facts.InstitutionKind is null || facts.InstitutionState is not "active" ? "institution-closed"
        : OfCertificate(query, facts) is { } certificate ? certificate
        : (query.Act, facts.InstitutionKind) switch
        {
            // A system of the institution is heard at all.
            ("system", _) => Permitted,
            ("claim", "pharmacy" or "hospital") => Permitted,
            ("seal", "hospital" or "internet-hospital" or "clinic") => Permitted,
            _ => "not-in-role",
        };

    private static string OfPerson(EntitlementQuery query, EntitlementFacts facts) =>
        facts.Role is null ? "unknown-person"
        : facts.State is not "active" ? facts.State ?? "pending"
        : OfCertificate(query, facts) is { } certificate ? certificate
        : query.Institution is null && query.Act is not "login" ? "no-affiliation"
        : query.Institution is not null && facts.InstitutionState is not "active" ? "institution-closed"
        : !facts.Affiliated ? "no-affiliation"
        : !MayDo(query.Act, facts.Role) ? "not-in-role"
        // Online prescribing is filed per institution (监管细则; docs/RULES.md §3).
        : query.Act is "prescribe" && !facts.Filed ? "no-filing"
        : Permitted;

    // Assistants prescribe nothing online; nurses record and execute (docs/RULES.md §1).
    private static bool MayDo(string act, string role) => act switch
    {
        "login" => true,
        "prescribe" => role is "physician",
        "review" => role is "pharmacist" or "retail-pharmacist",
        "dispense" => role is "pharmacist" or "retail-pharmacist",
        _ => false,
    };

    private static string? OfCertificate(EntitlementQuery query, EntitlementFacts facts)
    {
        if (query.Certificate is null)
        {
            return null;
        }

        if (facts.CertificateProfile is null || facts.CertificateState is null
            || !string.Equals(facts.CertificateHolder, query.Person?.Value ?? query.Institution?.Value, StringComparison.Ordinal))
        {
            return "certificate-unknown";
        }

        return facts.CertificateState is "revoked" ? (facts.CertificateReason == (int)RevocationReason.KeyCompromise ? "key-lost" : "certificate-revoked")
            : facts.CertificateState is "hold" ? "certificate-held"
            : query.At < facts.CertificateNotBefore || query.At > facts.CertificateNotAfter ? "certificate-expired"
            : FitsAct(query.Act, facts.CertificateProfile) ? null
            : "wrong-key-usage";
    }

    // One key, one purpose: the authentication key signs nothing, the signature key logs in nowhere.
    private static bool FitsAct(string act, string profile) => act switch
    {
        "login" => profile is "practitioner-authentication",
        "prescribe" or "review" or "dispense" => profile is "practitioner-signature" or "practitioner-signature-sm2",
        "seal" => profile is "institution-seal",
        _ => false,
    };
}
