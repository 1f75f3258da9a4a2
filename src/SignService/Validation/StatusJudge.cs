using Trust.Kernel.LiveStatus;
using Trust.SignService.Signatures;

namespace Trust.SignService.Validation;

/// <summary>What the CA's records say of a signature at the time of its stamp.</summary>
/// <param name="Code">The finding; null when there is none.</param>
/// <param name="IsFault">True when it makes the signature invalid, false when only more knowledge can tell.</param>
/// <param name="CertificateStatus">Of the certificate then: good, or what stood against it; <c>revoked-since</c> when it was good.</param>
public sealed record StatusFinding(string? Code, bool IsFault, string CertificateStatus);

/// <summary>Judges what only the CA knows: each certificate's status, and each person's right to this act, at the time of the signature.</summary>
public sealed class StatusJudge(CertificateStatusClient certificates, EntitlementClient entitlements)
{
    /// <summary>Judges one signature of a prescription.</summary>
    public async Task<StatusFinding> Judge(JudgedSignature signature, SignedPrescription prescription, DateTimeOffset time, CancellationToken ct)
    {
        var status = await certificates.Find(signature.Leaf.Sha256Hex, time, ct);
        var finding = status switch
        {
            null => new StatusFinding("status-unknown", false, "unknown"),
            // The key may have been another's since before it was reported.
            { InvalidityDate: { } lost } when lost <= time => new StatusFinding("certificate-key-lost", true, "key-lost"),
            // A revocation after the stamp does not undo what was signed before (ETSI EN 319 102-1 5.6.2.3).
            { Status: "good" } => new StatusFinding(null, false, status.RevokedAt is null ? "good" : "revoked-since"),
            { Status: "revoked" or "not-yet-valid" or "expired" } => new StatusFinding("certificate-" + status.Status, true, status.Status),
            _ => new StatusFinding("certificate-" + status.Status, false, status.Status),
        };
        return finding.Code is null && signature.Kind != SignatureKind.Seal && await Right(signature, prescription, time, ct) is var (code, isFault) && code is not null
            ? finding with { Code = code, IsFault = isFault } : finding;
    }

    private async Task<(string? Code, bool IsFault)> Right(JudgedSignature signature, SignedPrescription prescription, DateTimeOffset time, CancellationToken ct)
    {
        var question = new EntitlementQuestion(
            signature.Signer, prescription.Institution.Value, signature.Kind == SignatureKind.Prescribe ? "prescribe" : "review", At: time);
        return await entitlements.Check(question, ct) switch
        {
            Entitlement.Permit => (null, false),
            Entitlement.Deny { IsUnanswered: true } => ("status-unknown", false),
            Entitlement.Deny deny => ("signer-" + deny.Reason, true),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }
}
