using System.Security.Cryptography;
using System.Text.Json;
using Trust.Crypto.Asn1;
using Trust.Crypto.Json;
using Trust.Kernel.Identifiers;
using Trust.SignService.Keys;
using Trust.SignService.Signatures;

namespace Trust.SignService.Validation;

/// <summary>A signature whose value fits its certificate and bytes.</summary>
/// <param name="Index">Position in the request.</param>
/// <param name="Kind">Which of the prescription's signatures.</param>
/// <param name="Leaf">The signer's certificate.</param>
/// <param name="Signer">Person or institution URN that the certificate names; null when it names none of the kind.</param>
/// <param name="Time">The time-stamp's; null when it proves none.</param>
public sealed record JudgedSignature(int Index, SignatureKind Kind, Certificate Leaf, string? Signer, DateTimeOffset? Time);

/// <summary>What judging gives.</summary>
/// <param name="Faults">Findings; none means that all hold as of their stamps, as far as no peer need be asked.</param>
/// <param name="Intact">The signatures that are intact, in order.</param>
/// <param name="Prescription">Whom the payload names.</param>
public sealed record Judgement(IReadOnlyList<ValidationReason> Faults, IReadOnlyList<JudgedSignature> Intact, SignedPrescription? Prescription);

/// <summary>
/// Judges signatures offline: value, time-stamp, path at that time, commitment, policy, order, what each says about the ones before, and that each
/// signer is the one whom the prescription needs: its author, another person, its institution.
/// </summary>
public sealed class SignatureJudge(TrustAnchors anchors, SignOptions options)
{
    // A claimed time may lie before the stamp by the life of a prepared signature, and hardly after it.
    private static readonly TimeSpan Before = TimeSpan.FromMinutes(31);
    private static readonly TimeSpan After = TimeSpan.FromSeconds(5);

    /// <summary>Judges all signatures of one prescription.</summary>
    public Judgement Judge(byte[] payload, IReadOnlyList<SignatureEvidence> signatures, CancellationToken ct)
    {
        var prescription = SignedPrescription.TryRead(payload);
        var faults = new List<ValidationReason>();
        var intact = new List<JudgedSignature>();
        string? about = null;
        for (var i = 0; i < signatures.Count; i++)
        {
            var one = signatures[i];
            var at = i;
            void Fault(string code) => faults.Add(new ValidationReason(at, code));
            if (SignatureKinds.Parse(one.Kind) is not { } kind || (int)kind != i)
            {
                Fault("out-of-order");
                continue;
            }

            var signed = kind == SignatureKind.Prescribe ? payload : one.Payload;
            if ((kind == SignatureKind.Prescribe && one.Payload is not null) || signed is null)
            {
                Fault("payload");
                continue;
            }

            switch (JadesVerification.Verify(one.Protected, one.Signature, signed))
            {
                case JadesOutcome.Refused refused:
                    Fault("signature-" + Lower(refused.Reason.ToString()));
                    continue;
                case JadesOutcome.Intact value:
                    about ??= kind == SignatureKind.Prescribe ? value.ObjectUri : null;
                    var time = JudgeTime(kind, one, value, intact.LastOrDefault()?.Time, Fault, ct);
                    JudgeStatement(kind, value, signed, payload, signatures.Take(i), prescription, about, Fault);
                    intact.Add(new JudgedSignature(i, kind, value.Certificates[0], JudgeSigner(kind, value.Certificates[0], prescription, Fault), time));
                    break;
            }
        }

        return new Judgement(faults, intact, prescription);
    }

    private DateTimeOffset? JudgeTime(
        SignatureKind kind, SignatureEvidence one, JadesOutcome.Intact intact, DateTimeOffset? last, Action<string> fault, CancellationToken ct)
    {
        if (TimeStamp.Verify(one.Timestamp, Jades.TimeStampInput(one.Signature), anchors.Issuers, anchors.Roots, ct: ct) is not TimeStampOutcome.Proved proved)
        {
            fault("time-stamp");
            return null;
        }

        var time = proved.Info.Time;
        if (intact.ClaimedTime < time - Before || intact.ClaimedTime > time + After)
        {
            fault("claimed-time");
        }

        if (time < last)
        {
            fault("time-order");
        }

        var usage = kind == SignatureKind.Seal ? CertificateUsage.Seal : CertificateUsage.Signature;
        if (CertificatePath.Build(intact.Certificates[0], [.. anchors.Issuers, .. intact.Certificates], anchors.Roots, time, usage, ct) is PathOutcome.Refused refused)
        {
            fault("path-" + Lower(refused.Reason.ToString()));
        }

        return time;
    }

    private void JudgeStatement(
        SignatureKind kind, JadesOutcome.Intact intact, byte[] signed, byte[] payload, IEnumerable<SignatureEvidence> earlier, SignedPrescription? prescription,
        string? about, Action<string> fault)
    {
        if (prescription is null)
        {
            fault("not-a-prescription");
        }
        else if (kind != SignatureKind.Prescribe && !Covers(kind, signed, payload, earlier, prescription, about))
        {
            fault("not-about-these");
        }

        if (intact.Commitment != kind.Commitment())
        {
            fault("commitment");
        }

        if (intact.Policy != "urn:oid:" + options.SignaturePolicy)
        {
            fault("policy");
        }

        // sigD: the document itself, then its review and its seal; an institution's seal on a document of its own names another object.
        if (!IsDocument(about) || intact.ObjectUri != about + (kind == SignatureKind.Prescribe ? "" : "#" + kind.Name()))
        {
            fault("object");
        }
    }

    private static bool IsDocument(string? uri) =>
        uri is not null && uri.StartsWith("urn:uuid:", StringComparison.Ordinal) && Guid.TryParseExact(uri["urn:uuid:".Length..], "D", out _);

    // Who signed, by the certificate's own names; a fault when it is not the one whom the prescription needs.
    private static string? JudgeSigner(SignatureKind kind, Certificate leaf, SignedPrescription? prescription, Action<string> fault)
    {
        if (kind == SignatureKind.Seal)
        {
            var seal = leaf.SubjectUris.FirstOrDefault(u => InstitutionId.TryParse(u, out _));
            if (prescription is not null && seal != prescription.Institution.Value)
            {
                fault("other-institution");
            }

            return seal;
        }

        var person = leaf.SubjectUris.FirstOrDefault(u => PersonId.TryParse(u, out _));
        if (person is null)
        {
            fault("no-person");
        }
        else if (prescription is not null && kind == SignatureKind.Prescribe && person != prescription.Author.Value)
        {
            fault("not-the-author");
        }
        else if (kind == SignatureKind.Review && person == prescription?.Author.Value)
        {
            fault("reviewer-is-author");
        }

        return person;
    }

    // A countersignature or seal counts only for the very bytes and signatures it names, all of them and in order; and a review only when it approves.
    private static bool Covers(
        SignatureKind kind, byte[] statement, byte[] payload, IEnumerable<SignatureEvidence> earlier, SignedPrescription prescription, string? about) =>
        StrictJson.TryParse(statement, new JsonLimits(16 * 1024, 4), out var json, out _)
        && json.ValueKind == JsonValueKind.Object
        && Text(json, "payloadSha256") == Convert.ToHexStringLower(SHA256.HashData(payload))
        && Text(json, "number") == prescription.Number
        && Text(json, "prescription") == about
        && Text(json, "decision") == (kind == SignatureKind.Review ? "approve" : null)
        && json.TryGetProperty("signatures", out var list) && list.ValueKind == JsonValueKind.Array
        && list.EnumerateArray().Select(s => s.ValueKind == JsonValueKind.String ? s.GetString() : null)
            .SequenceEqual(earlier.Select(s => s.Signature), StringComparer.Ordinal);

    private static string? Text(JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static string Lower(string name) =>
        string.Concat(name.Select((c, i) => char.IsUpper(c) ? (i > 0 ? "-" : "") + char.ToLowerInvariant(c) : c.ToString()));
}
