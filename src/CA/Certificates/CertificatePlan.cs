using System.Security.Cryptography.X509Certificates;
using Trust.Crypto.Asn1;

namespace Trust.CA.Certificates;

/// <summary>Who or what a certificate will name.</summary>
/// <param name="CommonName">CN.</param>
/// <param name="Organization">O; null when the holder acts for none.</param>
/// <param name="Names">subjectAltName.</param>
public sealed record CertificateSubject(string CommonName, string? Organization, IReadOnlyList<GeneralName> Names)
{
    /// <summary>C=CN, O, CN, in the order GM/T 0015 and common practice use.</summary>
    public X500DistinguishedName ToName()
    {
        var builder = new X500DistinguishedNameBuilder();

        // The builder writes the last added first in text, and in the order added in DER.
        builder.AddCountryOrRegion("CN");
        if (Organization is not null)
        {
            builder.AddOrganizationName(Organization);
        }

        builder.AddCommonName(CommonName);
        return builder.Build();
    }
}

/// <summary>A certificate as planned: everything the lint gate needs to judge the encoded bytes against.</summary>
/// <param name="Profile">What it must look like.</param>
/// <param name="Issuer">The CA that will sign; null when it signs itself.</param>
/// <param name="Suite">The signing suite.</param>
/// <param name="Subject">Whom it names.</param>
/// <param name="Spki">The certified key, DER.</param>
/// <param name="Serial">Serial number.</param>
/// <param name="NotBefore">First second.</param>
/// <param name="NotAfter">Last second, inclusive.</param>
/// <param name="StatusBase">Base of status addresses.</param>
public sealed record CertificatePlan(
    Profile Profile, Authority? Issuer, SignatureSuite Suite, CertificateSubject Subject, ReadOnlyMemory<byte> Spki,
    byte[] Serial, DateTimeOffset NotBefore, DateTimeOffset NotAfter, string StatusBase)
{
    private static readonly TimeSpan Backdate = TimeSpan.FromMinutes(1);

    /// <summary>Plans a certificate beginning now.</summary>
    public static CertificatePlan Make(
        Profile profile, Authority? issuer, SignatureSuite suite, CertificateSubject subject, ReadOnlyMemory<byte> spki, DateTimeOffset now, string statusBase)
    {
        // A minute earlier, so that relying parties whose clocks are a little behind accept it at once.
        var notBefore = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerSecond)) - Backdate;

        // RFC 5280 4.1.2.5: notAfter is inclusive, so n days end one second early.
        var notAfter = notBefore.AddDays(profile.Days).AddSeconds(-1);
        if (issuer is not null && notAfter > issuer.Certificate.NotAfter)
        {
            notAfter = issuer.Certificate.NotAfter;
        }

        return new CertificatePlan(profile, issuer, suite, subject, spki, CertificateContent.NewSerialNumber(), notBefore, notAfter, statusBase);
    }

    /// <summary>The bytes to lint and sign.</summary>
    public byte[] Encode() => new CertificateContent
    {
        SerialNumber = Serial,
        Suite = Suite,
        Issuer = Issuer is null ? Subject.ToName() : new X500DistinguishedName(Issuer.Certificate.Subject.Span),
        NotBefore = NotBefore,
        NotAfter = NotAfter,
        Subject = Subject.ToName(),
        SubjectPublicKeyInfo = Spki,
        Extensions = [.. Extensions()],
    }.EncodeTbs();

    private IEnumerable<CertificateExtension> Extensions()
    {
        yield return CertificateExtension.BasicConstraints(Profile.Ca, Profile.PathLength);
        yield return CertificateExtension.KeyUsage(Profile.Usages);
        if (Profile.ExtendedKeyUsage.Count > 0)
        {
            yield return CertificateExtension.ExtendedKeyUsage(Profile.CriticalPurpose, Profile.ExtendedKeyUsage);
        }

        if (Subject.Names.Count > 0)
        {
            yield return CertificateExtension.SubjectAltName(Subject.Names);
        }

        yield return CertificateExtension.SubjectKeyIdentifier(Spki);
        yield return CertificateExtension.AuthorityKeyIdentifier(
            Issuer is null ? CertificateExtension.KeyIdentifier(Spki) : Issuer.Certificate.SubjectKeyIdentifier);
        if (Profile.NoCheck)
        {
            yield return CertificateExtension.OcspNoCheck();
        }

        foreach (var extension in StatusExtensions())
        {
            yield return extension;
        }
    }

    /// <summary>Where status is found: cRLDistributionPoints, then authorityInfoAccess; none where the profile has none.</summary>
    internal IEnumerable<CertificateExtension> StatusExtensions()
    {
        if (Profile.Status && Issuer is not null)
        {
            yield return CertificateExtension.CrlDistributionPoints($"{StatusBase}/crl/{Issuer.Name}.crl");

            // CA certificates are checked by the root's CRL: the root is offline and signs no OCSP answers.
            yield return CertificateExtension.AuthorityInfoAccess(
                Profile.Ca ? [] : [$"{StatusBase}/ocsp"], [$"{StatusBase}/ca/{Issuer.Name}.cer"]);
        }
    }
}
