using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Trust.Crypto;
using Trust.Crypto.Asn1;
using Trust.Crypto.Json;

namespace Trust.Cli.Verify;

/// <summary>
/// Checks what the signing service contributed: signatures, time-stamps, chains, and that the log knows each of them as an act of its own. One for one
/// and in order they are the acts logged, so that none can be left out, added, or taken for another.
/// </summary>
internal static class Attachments
{
    private const int MaxHeader = 32 * 1024;
    private const int MaxDepth = 8;

    private static readonly Dictionary<string, (string Commitment, string Action, CertificateUsage Usage)> Kinds = new(StringComparer.Ordinal)
    {
        // ASTM E1762-95 purposes, as FHIR Signature.type codes them.
        ["prescribe"] = ("urn:oid:1.2.840.10065.1.12.1.1", "RX.sign", CertificateUsage.Signature),
        ["review"] = ("urn:oid:1.2.840.10065.1.12.1.5", "RX.review", CertificateUsage.Signature),
        ["seal"] = ("urn:oid:1.2.840.10065.1.12.1.14", "RX.seal", CertificateUsage.Seal),
    };

    private static readonly string[] Critical = ["b64", "sigD", "sigPId", "sigT", "srCms"];

    /// <summary>Checks the attachments of a file.</summary>
    /// <exception cref="EvidenceRefusedException">The first fault.</exception>
    public static IReadOnlyList<VerifiedSignature> Check(Evidence evidence, List<LoggedEvent> events, TrustedList trusted)
    {
        if (evidence.Attachments is not { } attachments)
        {
            return [];
        }

        EvidenceRefusedException.When(
            evidence.Question.Kind is not "prescription"
            || !string.Equals(attachments.Prescription, evidence.Question.Identifier, StringComparison.Ordinal), "attachment-prescription");
        // An act outside the period, or withheld, could be one whose signature was left out.
        EvidenceRefusedException.When(
            evidence.Question is not { From: null, To: null } || evidence.Events.Exists(e => e.Leaf is null), "attachment-events");
        var basis = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(attachments.Payload));
        var known = events.FindAll(e => string.Equals(e.Basis, basis, StringComparison.Ordinal));
        EvidenceRefusedException.When(known.Count == 0, "payload-not-logged");
        var acts = known.FindAll(e => e is { Source: "sign", Outcome: "success" } && Kinds.Values.Any(k => string.Equals(k.Action, e.Action, StringComparison.Ordinal)));
        var verified = new List<VerifiedSignature>();
        var earlier = new List<string>();
        foreach (var signature in attachments.Signatures)
        {
            verified.Add(CheckSignature(signature, attachments.Payload, earlier, acts, trusted, verified));
            earlier.Add(signature.Signature);
        }

        EvidenceRefusedException.When(acts.Count > verified.Count, "signature-missing", acts.Skip(verified.Count).FirstOrDefault()?.Index);
        return verified;
    }

    private static VerifiedSignature CheckSignature(
        AttachedSignature item, byte[] payload, List<string> earlier, List<LoggedEvent> acts, TrustedList trusted, List<VerifiedSignature> before)
    {
        var kind = item.Kind;
        EvidenceRefusedException.When(!Kinds.TryGetValue(kind, out var expected), "signature-kind", null, kind);
        var chain = item.Certificates.ConvertAll(der => Parse(der, kind));
        EvidenceRefusedException.When(chain.Count == 0, "signature-chain", null, kind);
        var leaf = chain[0];
        CheckHeader(item.Protected, leaf, kind, expected.Commitment);
        CheckAct(acts, earlier.Count, expected.Action, leaf, kind);

        var signed = SignedBytes(item, payload, earlier);
        var raw = Strict.Base64UrlBytes(item.Signature);
        EvidenceRefusedException.When(
            raw is not { Length: 64 } || !SignatureSuite.ES256.Verify(
                leaf.SubjectPublicKeyInfo, [.. Encoding.ASCII.GetBytes(item.Protected), (byte)'.', .. signed], EcdsaForm.ToDer(raw)),
            "signature-value", null, kind);

        var stamp = TimeStamp.Verify(item.Timestamp, Encoding.ASCII.GetBytes(item.Signature), [.. trusted.Helpers, .. chain], trusted.Roots);
        EvidenceRefusedException.When(stamp is TimeStampOutcome.Refused, "time-stamp", null, $"{kind}: {(stamp as TimeStampOutcome.Refused)?.Reason}");
        var at = ((TimeStampOutcome.Proved)stamp).Info.Time;
        EvidenceRefusedException.When(before.Count > 0 && at < before[^1].StampedAt, "time-stamp", null, "order");
        var trust = CertificatePath.Build(leaf, [.. trusted.Helpers, .. chain.Skip(1)], trusted.Roots, at, expected.Usage);
        EvidenceRefusedException.When(trust is PathOutcome.Refused, "signature-chain", null, $"{kind}: {(trust as PathOutcome.Refused)?.Reason}");
        return new VerifiedSignature(kind, leaf.SubjectText, at);
    }

    // A good signature of somebody the log does not know to have done this act, with success, proves nothing about this prescription.
    private static void CheckAct(List<LoggedEvent> acts, int place, string action, Certificate leaf, string kind)
    {
        var act = place < acts.Count ? acts[place] : null;
        EvidenceRefusedException.When(
            act is null || !string.Equals(act.Action, action, StringComparison.Ordinal)
            || !string.Equals(act.ActorCertificate, leaf.Sha256Hex, StringComparison.Ordinal), "signer-not-logged", act?.Index, kind);
        // A seal is an institution's own act, the others are persons', and nobody reviews what he wrote himself.
        var ofInstitution = string.Equals(act!.Actor, act.ActorInstitution, StringComparison.Ordinal);
        EvidenceRefusedException.When(
            ofInstitution != (kind is "seal")
            || (!ofInstitution && acts.Take(place).Any(e => string.Equals(e.Actor, act.Actor, StringComparison.Ordinal))), "signer-role", act.Index, kind);
    }

    // The doctor signs the prescription; whoever follows signs a statement over its hash and every signature before, in order.
    private static byte[] SignedBytes(AttachedSignature item, byte[] payload, List<string> earlier)
    {
        EvidenceRefusedException.When((item.Statement is null) != (earlier.Count == 0), "signature-statement", null, item.Kind);
        if (item.Statement is not { } statement)
        {
            return payload;
        }

        var hash = Convert.ToHexStringLower(SHA256.HashData(payload));
        EvidenceRefusedException.When(
            !TryRead(statement, out var json) || !Is(json, "payloadSha256", hash)
            || !json.TryGetProperty("signatures", out var list) || list.ValueKind != JsonValueKind.Array
            || !list.EnumerateArray().Select(s => s.ValueKind == JsonValueKind.String ? s.GetString() : null).SequenceEqual(earlier, StringComparer.Ordinal),
            "signature-statement", null, item.Kind);
        return statement;
    }

    private static void CheckHeader(string text, Certificate leaf, string kind, string commitment)
    {
        var bytes = text.Length <= MaxHeader ? Strict.Base64UrlBytes(text) : null;
        var header = default(JsonElement);
        EvidenceRefusedException.When(bytes is null || !TryRead(bytes, out header), "signature-header", null, kind);
        // A key or an address in the header would let the signature bring its own trust.
        EvidenceRefusedException.When(
            header.EnumerateObject().Any(p => p.Name is "jwk" or "jku" or "x5u")
            || !Is(header, "alg", "ES256")
            || !IsUnderstood(header)
            || !header.TryGetProperty("b64", out var b64) || b64.ValueKind != JsonValueKind.False
            || !Is(header, "x5t#S256", Base64Url.EncodeToString(SHA256.HashData(leaf.Der.Span))), "signature-header", null, kind);
        EvidenceRefusedException.When(!header.TryGetProperty("srCms", out var commitments) || !IsAlone(commitments, commitment), "signature-kind", null, kind);
    }

    // [{"commId":{"id":commitment}}] and nothing beside it: a second commitment, or a qualifier, would be signed and not read.
    private static bool IsAlone(JsonElement commitments, string commitment) =>
        commitments.ValueKind == JsonValueKind.Array && commitments.GetArrayLength() == 1
        && Only(commitments[0], "commId") is { } commId && Only(commId, "id") is { ValueKind: JsonValueKind.String } id && id.ValueEquals(commitment);

    private static JsonElement? Only(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.EnumerateObject().Count() == 1 && element.TryGetProperty(name, out var value) ? value : null;

    // RFC 7797 §6: b64 must be critical; RFC 7515 §4.1.11: every critical parameter must be there and understood.
    private static bool IsUnderstood(JsonElement header) =>
        header.TryGetProperty("crit", out var critical) && critical.ValueKind == JsonValueKind.Array
        && critical.EnumerateArray().All(name => name.ValueKind == JsonValueKind.String && Critical.Contains(name.GetString()!, StringComparer.Ordinal) && header.TryGetProperty(name.GetString()!, out _))
        && critical.EnumerateArray().Any(name => name.ValueEquals("b64"u8));

    // Headers and statements are other people's JSON; numbers in it are whole, so that no two readers see different ones.
    private static bool TryRead(byte[] bytes, out JsonElement json) =>
        StrictJson.TryParse(bytes, new JsonLimits(MaxHeader, MaxDepth), out json, out _) && json.ValueKind == JsonValueKind.Object && IsWhole(json);

    private static bool IsWhole(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object => json.EnumerateObject().All(member => IsWhole(member.Value)),
        JsonValueKind.Array => json.EnumerateArray().All(IsWhole),
        JsonValueKind.Number => !json.GetRawText().AsSpan().ContainsAny('.', 'e', 'E'),
        _ => true,
    };

    private static bool Is(JsonElement element, string name, string value) =>
        element.TryGetProperty(name, out var member) && member.ValueKind == JsonValueKind.String && string.Equals(member.GetString(), value, StringComparison.Ordinal);

    private static Certificate Parse(byte[] der, string kind)
    {
        var good = Certificate.TryParse(der, out var certificate, out _);
        EvidenceRefusedException.When(!good, "signature-chain", null, kind);
        return certificate!;
    }
}
