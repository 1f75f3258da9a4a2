using System.Security.Cryptography;
using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Pkix;
using Org.BouncyCastle.Security.Certificates;
using Library = Org.BouncyCastle.X509;
using X509Name = Org.BouncyCastle.Asn1.X509.X509Name;

namespace Trust.Crypto.Asn1;

/// <summary>
/// The adapter to BouncyCastle's path validator (RFC 5280 6.1): names, validity, policies, constraints, critical extensions. The
/// library never sees a key and never checks a signature: it is given certificates that answer both from the bytes received.
/// </summary>
internal static class PathValidation
{
    /// <summary>Judges a candidate path.</summary>
    /// <param name="path">Leaf first, anchor last, at least two.</param>
    /// <param name="at">The instant to judge for.</param>
    /// <param name="rules">Policies and what else is the user's to choose.</param>
    /// <param name="verify">Whether the second certificate's key signed the first.</param>
    /// <returns>Null when the path holds, else the certificate at which it does not.</returns>
    public static Certificate? FindFault(
        IReadOnlyList<Certificate> path, DateTimeOffset at, PathRules rules, Func<Certificate, Certificate, bool> verify)
    {
        var anchor = path[^1];
        var below = path.Take(path.Count - 1).Select((c, i) => new ReceivedCertificate(c, () => verify(c, path[i + 1]), path[i + 1])).ToList<Library.X509Certificate>();
        Library.X509Certificate trusted = new ReceivedCertificate(anchor, () => true, anchor);
        if (Constrains(anchor))
        {
            // The validator reads nothing of an anchor but its name and key. One that constrains (RFC 5937) is put into the path, below
            // itself.
            below.Add(trusted);
            trusted = new AboveAnchor(anchor);
        }

        var failedAt = 0;
        var held = LibraryCall.Try(
            () =>
            {
                try
                {
                    return new PkixCertPathValidator().Validate(new PkixCertPath(below), Parameters(trusted, at, rules));
                }
                catch (PkixCertPathValidatorException e)
                {
                    failedAt = e.Index;
                    throw;
                }
            },
            out _,
            out _);
        return held ? null : path[Math.Clamp(failedAt, 0, path.Count - 1)];
    }

    /// <summary>Whether the issuer's name is the one the subject names, as RFC 5280 7.1 compares.</summary>
    public static bool SameName(Certificate issuer, Certificate subject) =>
        issuer.Subject.Span.SequenceEqual(subject.Issuer.Span) || Same(issuer.Structure.Subject, subject.Structure.Issuer);

    /// <summary>Whether two certificates are for one name.</summary>
    public static bool SameSubject(Certificate one, Certificate other) =>
        one.Subject.Span.SequenceEqual(other.Subject.Span) || Same(one.Structure.Subject, other.Structure.Subject);

    /// <summary>Whether two names are one, letter case and inner spaces aside (RFC 5280 7.1).</summary>
    public static bool Same(X509Name one, X509Name other) => LibraryCall.Try(() => one.Equivalent(other, inOrder: true), out var same, out _) && same;

    private static bool Constrains(Certificate anchor) =>
        anchor.Extensions.Any(e => e.Oid is Oids.NameConstraints or Oids.PolicyConstraints or Oids.InhibitAnyPolicy);

    private static PkixParameters Parameters(Library.X509Certificate anchor, DateTimeOffset at, PathRules rules)
    {
        var parameters = new PkixParameters(new HashSet<TrustAnchor> { new(anchor, null) })
        {
            IsRevocationEnabled = false,
            IsExplicitPolicyRequired = rules.ExplicitPolicy,
            IsPolicyMappingInhibited = rules.MappingInhibited,
            IsAnyPolicyInhibited = rules.AnyPolicyInhibited,
            // Qualifiers were read by CertificateForm.
            IsPolicyQualifiersRejected = false,
            // notAfter holds through its whole second.
            Date = new DateTime(at.UtcTicks / TimeSpan.TicksPerSecond * TimeSpan.TicksPerSecond, DateTimeKind.Utc),
        };
        parameters.SetInitialPolicies(new HashSet<string>(rules.Policies, StringComparer.Ordinal));
        parameters.AddCertPathChecker(new OwnChecks());
        return parameters;
    }

    // The validator hands an issuer's key to the certificate below and asks nothing else of it. Keys of this kind are 32 bytes that the
    // library does not look into: room for the name of the key, its SHA-256.
    private static X25519PublicKeyParameters NameOf(Certificate certificate) =>
        new(SHA256.HashData(certificate.SubjectPublicKeyInfo.Span));

    private sealed class ReceivedCertificate(Certificate certificate, Func<bool> verify, Certificate issuer) : Library.X509Certificate(certificate.Structure)
    {
        public override AsymmetricKeyParameter GetPublicKey() => NameOf(certificate);

        public override void Verify(AsymmetricKeyParameter key)
        {
            if (key is not X25519PublicKeyParameters named || !named.GetEncoded().AsSpan().SequenceEqual(NameOf(issuer).GetEncoded()) || !verify())
            {
                throw new CertificateException("The issuer's key did not sign the bytes received.");
            }
        }
    }

    private sealed class AboveAnchor(Certificate anchor) : Library.X509Certificate(anchor.Structure)
    {
        public override X509Name SubjectDN => IssuerDN;

        public override AsymmetricKeyParameter GetPublicKey() => NameOf(anchor);
    }

    // Critical extensions that are ours: purposes are judged by the search, distribution points tell where lists are.
    private sealed class OwnChecks : PkixCertPathChecker
    {
        public override void Init(bool forward)
        {
        }

        public override bool IsForwardCheckingSupported() => true;

        public override ISet<string> GetSupportedExtensions() => new HashSet<string>([Oids.ExtendedKeyUsage, Oids.CrlDistributionPoints], StringComparer.Ordinal);

        public override void Check(Library.X509Certificate cert, ISet<string> unresolvedCritExts) => unresolvedCritExts.ExceptWith(GetSupportedExtensions());
    }
}
