namespace Trust.Crypto.Asn1;

/// <summary>What a leaf must be allowed to do, and must not be allowed to do.</summary>
/// <param name="Name">For logs.</param>
/// <param name="AnyOf">At least one of these key usages.</param>
/// <param name="Forbidden">None of these key usages: one key, one purpose.</param>
/// <param name="Purpose">Extended key usage that must be there; null when none is asked for.</param>
/// <param name="ForbiddenPurpose">Extended key usage that must not be there.</param>
/// <param name="SolePurpose">The purpose must be critical and alone (RFC 3161 2.3).</param>
public sealed record CertificateUsage(
    string Name, KeyUsages AnyOf, KeyUsages Forbidden = KeyUsages.None, string? Purpose = null, string? ForbiddenPurpose = null, bool SolePurpose = false)
{
    /// <summary>A person's login by TLS: digitalSignature and clientAuth, never nonRepudiation.</summary>
    public static readonly CertificateUsage Authentication =
        new("authentication", KeyUsages.DigitalSignature, KeyUsages.NonRepudiation, Oids.ClientAuth);

    /// <summary>A person's signature: nonRepudiation, never digitalSignature or clientAuth.</summary>
    public static readonly CertificateUsage Signature =
        new("signature", KeyUsages.NonRepudiation, KeyUsages.DigitalSignature, ForbiddenPurpose: Oids.ClientAuth);

    /// <summary>An institution's seal: nonRepudiation, never clientAuth.</summary>
    public static readonly CertificateUsage Seal = new("seal", KeyUsages.NonRepudiation, ForbiddenPurpose: Oids.ClientAuth);

    /// <summary>A TLS server.</summary>
    public static readonly CertificateUsage Server = new("server", KeyUsages.DigitalSignature, Purpose: Oids.ServerAuth);

    /// <summary>A service as TLS client.</summary>
    public static readonly CertificateUsage Client = new("client", KeyUsages.DigitalSignature, Purpose: Oids.ClientAuth);

    /// <summary>A time-stamping authority.</summary>
    public static readonly CertificateUsage TimeStamping =
        new("time-stamping", KeyUsages.DigitalSignature | KeyUsages.NonRepudiation, Purpose: Oids.TimeStamping, SolePurpose: true);

    /// <summary>A delegated OCSP responder.</summary>
    public static readonly CertificateUsage OcspSigning = new("ocsp", KeyUsages.DigitalSignature, Purpose: Oids.OcspSigning);

    /// <summary>A CA certificate itself.</summary>
    public static readonly CertificateUsage Authority = new("authority", KeyUsages.KeyCertSign);
}
