using Trust.CA.Certificates;
using Trust.Crypto.Asn1;
using Trust.Kernel.Identifiers;

namespace Trust.CA.Linting;

/// <summary>One rule of the gate.</summary>
/// <param name="Name">Stable name, shown when broken.</param>
/// <param name="Holds">Whether a certificate keeps it.</param>
internal sealed record Lint(string Name, Func<Certificate, CertificatePlan, bool> Holds);

/// <summary>All rules. Each names the text it comes from; the local choice is the stricter one.</summary>
internal static class Lints
{
    private static readonly string[] Known =
    [
        Oids.BasicConstraints, Oids.KeyUsage, Oids.ExtendedKeyUsage, Oids.SubjectAltName, Oids.SubjectKeyIdentifier,
        Oids.AuthorityKeyIdentifier, Oids.CrlDistributionPoints, Oids.AuthorityInfoAccess, Oids.OcspNoCheck,
    ];

    public static readonly IReadOnlyList<Lint> All =
    [
        // RFC 5280 4.1.2.2: positive, at most 20 octets; 128 random bits behind one fixed octet (2019: 63-bit serials).
        new("serial-length", (c, _) => c.SerialNumber.Length is >= 17 and <= 20),
        new("serial-as-planned", (c, p) => c.SerialNumber.Span.SequenceEqual(p.Serial)),
        new("signature-algorithm", (c, p) => c.Suite == p.Suite),
        new("issuer-key-fits-suite", (_, p) => p.Suite.KeyKind == PublicKeyCheck.KindOf(p.Issuer?.Certificate.SubjectPublicKeyInfo ?? p.Spki)),
        // RFC 5280 4.1.2.4: byte for byte as in the issuer's own certificate, or path building fails.
        new("issuer-name", (c, p) => c.Issuer.Span.SequenceEqual(p.Issuer is null ? c.Subject.Span : p.Issuer.Certificate.Subject.Span)),
        new("issuer-is-a-ca", (_, p) => p.Issuer is null
            || (p.Issuer.Certificate.IsCa && p.Issuer.Certificate.KeyUsage is { } ku && ku.HasFlag(KeyUsages.KeyCertSign))),
        new("issuer-as-profile-says", (_, p) => p.Issuer is null
            ? p.Profile.Issuer is "self"
            : p.Profile.Issuer is "any" || string.Equals(p.Issuer.Name, p.Profile.Issuer, StringComparison.Ordinal)
                || (p.Profile.Ca && p.Issuer.Name is "root-sm2")),
        new("issuer-path-length", (_, p) => !p.Profile.Ca || p.Issuer is null || p.Issuer.Certificate.PathLength is null or > 0),
        new("subject-as-planned", (c, p) => c.Subject.Span.SequenceEqual(p.Subject.ToName().RawData)),
        new("subject-common-name", (_, p) => p.Subject.CommonName.Length is > 0 and <= 64),
        // RFC 5280 4.1.2.5, and inside the issuer's own validity.
        new("validity-order", (c, _) => c.NotBefore < c.NotAfter),
        new("validity-length", (c, p) => (c.NotAfter - c.NotBefore) < TimeSpan.FromDays(p.Profile.Days)),
        new("validity-as-planned", (c, p) => c.NotBefore == p.NotBefore && c.NotAfter == p.NotAfter),
        new("validity-inside-issuer", (c, p) => p.Issuer is null
            || (c.NotBefore >= p.Issuer.Certificate.NotBefore.AddMinutes(-2) && c.NotAfter <= p.Issuer.Certificate.NotAfter)),
        new("key-as-requested", (c, p) => c.SubjectPublicKeyInfo.Span.SequenceEqual(p.Spki.Span)),
        new("key-accepted", (c, p) => PublicKeyCheck.Examine(c.SubjectPublicKeyInfo) is PublicKeyVerdict.Accepted accepted
            && p.Profile.Keys.Contains(accepted.Key.Kind)),
        new("key-not-the-issuers", (c, p) => p.Issuer is null || !c.SubjectPublicKeyInfo.Span.SequenceEqual(p.Issuer.Certificate.SubjectPublicKeyInfo.Span)),
        // RFC 5280 4.2.1.9, 4.2.1.3, 4.2.1.12: exactly what the profile says.
        new("basic-constraints", (c, p) => c.IsCa == p.Profile.Ca && c.PathLength == p.Profile.PathLength),
        new("key-usage", (c, p) => c.KeyUsage == p.Profile.Usages),
        new("extended-key-usage", (c, p) => (c.ExtendedKeyUsage ?? []).SequenceEqual(p.Profile.ExtendedKeyUsage, StringComparer.Ordinal)),
        new("purpose-criticality", (c, p) => !c.Extensions.Any(e => Is(e, Oids.ExtendedKeyUsage) && e.Critical != p.Profile.CriticalPurpose)),
        // A key that both logs in and signs would let a login be replayed as consent.
        new("one-purpose", (c, p) => p.Profile.Ca || c.KeyUsage is KeyUsages.DigitalSignature or KeyUsages.NonRepudiation),
        new("constraints-critical", (c, _) => c.Extensions.Where(e => Is(e, Oids.BasicConstraints) || Is(e, Oids.KeyUsage)).All(e => e.Critical)),
        new("alternative-names", (c, p) => Equal(
            c, Oids.SubjectAltName, p.Subject.Names.Count == 0 ? null : CertificateExtension.SubjectAltName(p.Subject.Names))),
        new("holder-named", (c, p) => p.Profile.Holder is not ("practitioner" or "institution" or "officer")
            || c.SubjectUris.Any(u => PersonId.TryParse(u, out _) || InstitutionId.TryParse(u, out _))),
        new("subject-key-identifier", (c, p) => c.SubjectKeyIdentifier.Span.SequenceEqual(CertificateExtension.KeyIdentifier(p.Spki))),
        new("authority-key-identifier", (c, p) => c.AuthorityKeyIdentifier.Span.SequenceEqual(
            p.Issuer is null ? CertificateExtension.KeyIdentifier(p.Spki) : p.Issuer.Certificate.SubjectKeyIdentifier.Span)),
        new("status-addresses", (c, p) => Equal(c, Oids.CrlDistributionPoints, p.StatusExtensions().FirstOrDefault())
            && Equal(c, Oids.AuthorityInfoAccess, p.StatusExtensions().LastOrDefault())),
        new("ocsp-no-check", (c, p) => Has(c, Oids.OcspNoCheck) == p.Profile.NoCheck),
        new("no-unknown-extension", (c, _) => c.Extensions.All(e => Known.Contains(e.Oid, StringComparer.Ordinal))),
        new("no-extension-twice", (c, _) => c.Extensions.Select(e => e.Oid).Distinct(StringComparer.Ordinal).Count() == c.Extensions.Count),
    ];

    private static bool Is(CertificateExtension extension, string oid) => string.Equals(extension.Oid, oid, StringComparison.Ordinal);

    private static bool Equal(Certificate certificate, string oid, CertificateExtension? planned) =>
        certificate.FindExtension(oid) is { } value ? planned is not null && value.Span.SequenceEqual(planned.Value.Span) : planned is null;

    private static bool Has(Certificate certificate, string oid) => certificate.FindExtension(oid) is not null;
}
