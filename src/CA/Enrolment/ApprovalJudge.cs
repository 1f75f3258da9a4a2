using Trust.CA.Certificates;
using Trust.CA.Officers;
using Trust.CA.Registry;
using Trust.Crypto;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;

namespace Trust.CA.Enrolment;

/// <summary>What an approval is worth.</summary>
internal abstract record ApprovalOutcome
{
    private ApprovalOutcome()
    {
    }

    /// <summary>It counts.</summary>
    /// <param name="Certificate">SHA-256 of the officer's signature certificate, hex.</param>
    /// <param name="Signature">r‖s, 64 bytes.</param>
    public sealed record Good(string Certificate, byte[] Signature) : ApprovalOutcome;

    /// <summary>It does not.</summary>
    public sealed record Refused(Refusal Why) : ApprovalOutcome;
}

/// <summary>Judges who approves, by which signature, over what, and whether that still holds.</summary>
internal sealed class ApprovalJudge(RequestStore requests, OfficerDirectory officers, ProfileSet profiles, RegistrySnapshot snapshots)
{
    /// <summary>Judges an approval.</summary>
    public async Task<ApprovalOutcome> Judge(RequestRow request, ApprovalBody body, Officer officer, DateTimeOffset now, CancellationToken ct)
    {
        var signed = await JudgeSignature(request, body, officer, ct);
        if (signed is not ApprovalOutcome.Good good)
        {
            return signed;
        }

        if (await FindDrift(request, now, ct) is { } drift)
        {
            return new ApprovalOutcome.Refused(drift);
        }

        // A person who approves under a second certificate counts once.
        return await requests.ApprovedUnder(request.Id, officer.Person, now, ct) is { } before && !string.Equals(before, good.Certificate, StringComparison.Ordinal)
            ? new ApprovalOutcome.Refused(CaRefusals.SamePerson) : good;
    }

    private async Task<ApprovalOutcome> JudgeSignature(RequestRow request, ApprovalBody body, Officer officer, CancellationToken ct)
    {
        if (string.Equals(request.RequestedBy, officer.Person, StringComparison.Ordinal)
            || string.Equals(request.Holder, officer.Person, StringComparison.Ordinal))
        {
            return new ApprovalOutcome.Refused(CaRefusals.OwnRequest);
        }

        var der = new byte[Certificate.MaxBytes];
        var signature = new byte[80];
        if (!Convert.TryFromBase64String(body.Certificate, der, out var length) || !Convert.TryFromBase64String(body.Signature, signature, out var signed)
            || signed != 64 || !Certificate.TryParse(der.AsMemory(0, length), out var certificate, out _))
        {
            return new ApprovalOutcome.Refused(CaRefusals.MalformedApproval);
        }

        // The signature key, and of the very person whose card is at the door.
        if (!string.Equals(await officers.PersonOf(certificate.Sha256Hex, "officer-signature", ct), officer.Person, StringComparison.Ordinal))
        {
            return new ApprovalOutcome.Refused(CaRefusals.NotYourSignatureCertificate);
        }

        var bytes = ApprovalBytes.Encode(request.Id, request.RequestSha256, request.ProfileSha256, request.RegistrySha256);
        return SignatureSuite.ES256.Verify(certificate.SubjectPublicKeyInfo, bytes, EcdsaForm.ToDer(signature.AsSpan(0, 64)))
            ? new ApprovalOutcome.Good(certificate.Sha256Hex, signature[..64])
            : new ApprovalOutcome.Refused(CaRefusals.ApprovalMismatch);
    }

    private async Task<Refusal?> FindDrift(RequestRow request, DateTimeOffset now, CancellationToken ct)
    {
        if (profiles.Find(request.Profile) is not { } profile || !profile.Sha256.AsSpan().SequenceEqual(request.ProfileSha256))
        {
            return CaRefusals.ProfileChanged;
        }

        return await snapshots.JudgeHolder(profile, request.Holder, request.Institution, now, ct) is SnapshotOutcome.Fit fit
            && fit.Sha256.AsSpan().SequenceEqual(request.RegistrySha256) ? null : CaRefusals.RegistryChanged;
    }
}
