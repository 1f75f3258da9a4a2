using Trust.Crypto.Asn1;
using Trust.SignService.Keys;

namespace Trust.SignService.Signatures;

/// <summary>Judges the certificate a person wants to sign with, by itself; its live status is the entitlement's.</summary>
public static class SigningCertificate
{
    /// <summary>Checks form, usage, owner and path.</summary>
    /// <param name="der">As the client sent it.</param>
    /// <param name="person">The signer, <c>urn:mdid:p:…</c>; must be a URI among the certificate's names.</param>
    /// <param name="anchors">Roots and issuers.</param>
    /// <param name="at">Instant of judgement.</param>
    /// <param name="certificates">Leaf first, root excluded, when accepted.</param>
    /// <returns>Null when accepted.</returns>
    public static Refusal? Judge(
        ReadOnlyMemory<byte> der, string person, TrustAnchors anchors, DateTimeOffset at, out IReadOnlyList<Certificate> certificates)
    {
        certificates = [];
        if (!Certificate.TryParse(der, out var leaf, out _))
        {
            return Refusal.Malformed("malformed-certificate", "The certificate is not DER X.509 version 3.");
        }

        // Before the path: the commonest mistake, and a rule of its own. Neither key is accepted for the other's work.
        if (!CertificatePath.Permits(leaf, CertificateUsage.Signature))
        {
            return Refusal.Forbidden("wrong-key-usage", "This key is for authentication; sign with the signature key of the card.");
        }

        if (!leaf.SubjectUris.Contains(person, StringComparer.Ordinal))
        {
            return Refusal.Forbidden("not-your-certificate", "The certificate belongs to another person than the one logged in.");
        }

        if (SignatureSuite.ForKey(leaf.SubjectPublicKeyInfo) != SignatureSuite.ES256)
        {
            return Refusal.Content("unsupported-key", "Prescriptions are signed with P-256 keys here.");
        }

        switch (CertificatePath.Build(leaf, anchors.Issuers, anchors.Roots, at, CertificateUsage.Signature))
        {
            case PathOutcome.Trusted trusted:
                certificates = [.. trusted.Path.Take(trusted.Path.Count - 1)];
                return null;
            case PathOutcome.Refused { Reason: PathRefusal.Expired or PathRefusal.NotYetValid }:
                return Refusal.Forbidden("certificate-expired", "The certificate is outside its validity.");
            default:
                return Refusal.Forbidden("certificate-untrusted", "The certificate was not issued under this system's roots.");
        }
    }
}
