using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.SignService.Keys;

namespace Trust.SignService.Signatures;

/// <summary>What judging a signer's certificate gives.</summary>
public abstract record SigningCertificateOutcome
{
    private SigningCertificateOutcome()
    {
    }

    /// <summary>Fit to sign with, as far as the certificate itself says.</summary>
    /// <param name="Certificates">Leaf first, root excluded.</param>
    public sealed record Fit(IReadOnlyList<Certificate> Certificates) : SigningCertificateOutcome;

    /// <summary>Not to be signed with.</summary>
    /// <param name="Why">The rule.</param>
    public sealed record Unfit(Refusal Why) : SigningCertificateOutcome;
}

/// <summary>Judges the certificate a person wants to sign with, by itself; its live status is the entitlement's.</summary>
public static class SigningCertificate
{
    /// <summary>Checks form, usage, owner and path.</summary>
    /// <param name="der">As the client sent it.</param>
    /// <param name="person">The signer; must be a URI among the certificate's names.</param>
    /// <param name="anchors">Roots and issuers.</param>
    /// <param name="at">Instant of judgement.</param>
    public static SigningCertificateOutcome Judge(ReadOnlyMemory<byte> der, PersonId person, TrustAnchors anchors, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(anchors);
        if (!Certificate.TryParse(der, out var leaf, out _))
        {
            return new SigningCertificateOutcome.Unfit(SignRefusals.MalformedCertificate);
        }

        // Before the path: the commonest mistake, and a rule of its own. Neither key is accepted for the other's work.
        if (!CertificatePath.Permits(leaf, CertificateUsage.Signature))
        {
            return new SigningCertificateOutcome.Unfit(SignRefusals.WrongKeyUsage);
        }

        if (!leaf.SubjectUris.Contains(person.Value, StringComparer.Ordinal))
        {
            return new SigningCertificateOutcome.Unfit(SignRefusals.NotYourCertificate);
        }

        if (SignatureSuite.ForKey(leaf.SubjectPublicKeyInfo) != SignatureSuite.ES256)
        {
            return new SigningCertificateOutcome.Unfit(SignRefusals.UnsupportedKey);
        }

        return CertificatePath.Build(leaf, anchors.Issuers, anchors.Roots, at, CertificateUsage.Signature) switch
        {
            PathOutcome.Trusted trusted => new SigningCertificateOutcome.Fit([.. trusted.Path.Take(trusted.Path.Count - 1)]),
            PathOutcome.Refused { Reason: PathRefusal.Expired or PathRefusal.NotYetValid } => new SigningCertificateOutcome.Unfit(SignRefusals.CertificateExpired),
            _ => new SigningCertificateOutcome.Unfit(SignRefusals.CertificateUntrusted),
        };
    }
}
