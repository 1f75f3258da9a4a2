using System.Security.Cryptography;
using System.Text.Json;
using Trust.Crypto.Asn1;
using Trust.Crypto.Json;
using Trust.SignService.Keys;
using Trust.SignService.Signatures;

namespace Trust.SignService.Validation;

/// <summary>What judging gives.</summary>
/// <param name="Faults">Findings; none means valid as of the stamps.</param>
/// <param name="Leaves">The signers' certificates, of the signatures that are intact.</param>
public sealed record Judgement(IReadOnlyList<ValidationReason> Faults, IReadOnlyList<Certificate> Leaves);

/// <summary>Judges signatures offline: value, time-stamp, path at that time, commitment, order, and what each says about the ones before.</summary>
public sealed class SignatureJudge(TrustAnchors anchors)
{
    // A claimed time may lie before the stamp by the life of a prepared signature, and hardly after it.
    private static readonly TimeSpan Before = TimeSpan.FromMinutes(31);
    private static readonly TimeSpan After = TimeSpan.FromSeconds(5);

    /// <summary>Judges all signatures of one prescription.</summary>
    public Judgement Judge(byte[] payload, IReadOnlyList<SignatureEvidence> signatures, CancellationToken ct)
    {
        var faults = new List<ValidationReason>();
        var leaves = new List<Certificate>();
        DateTimeOffset last = default;
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
                case JadesOutcome.Intact intact:
                    leaves.Add(intact.Certificates[0]);
                    last = JudgeOne(kind, one, intact, last, Fault, ct);
                    if (kind != SignatureKind.Prescribe && !Covers(signed, payload, signatures.Take(i)))
                    {
                        Fault("not-about-these");
                    }

                    break;
            }
        }

        return new Judgement(faults, leaves);
    }

    private DateTimeOffset JudgeOne(SignatureKind kind, SignatureEvidence one, JadesOutcome.Intact intact, DateTimeOffset last, Action<string> fault, CancellationToken ct)
    {
        if (intact.Commitment != kind.Commitment())
        {
            fault("commitment");
        }

        if (TimeStamp.Verify(one.Timestamp, Jades.TimeStampInput(one.Signature), anchors.Issuers, anchors.Roots, ct: ct) is not TimeStampOutcome.Proved proved)
        {
            fault("time-stamp");
            return last;
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

    // A countersignature or seal counts only for the very bytes and signatures it names, all of them and in order.
    private static bool Covers(byte[] statement, byte[] payload, IEnumerable<SignatureEvidence> earlier) =>
        StrictJson.TryParse(statement, new JsonLimits(16 * 1024, 4), out var json, out _)
        && json.ValueKind == JsonValueKind.Object
        && json.TryGetProperty("payloadSha256", out var hash) && hash.ValueKind == JsonValueKind.String
        && hash.GetString() == Convert.ToHexStringLower(SHA256.HashData(payload))
        && json.TryGetProperty("signatures", out var list) && list.ValueKind == JsonValueKind.Array
        && list.EnumerateArray().Select(s => s.ValueKind == JsonValueKind.String ? s.GetString() : null)
            .SequenceEqual(earlier.Select(s => s.Signature), StringComparer.Ordinal);

    private static string Lower(string name) =>
        string.Concat(name.Select((c, i) => char.IsUpper(c) ? (i > 0 ? "-" : "") + char.ToLowerInvariant(c) : c.ToString()));
}
