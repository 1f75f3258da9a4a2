using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Trust.Crypto;
using Trust.Crypto.Asn1;
using Trust.Crypto.Json;

namespace Trust.Cli.Verify;

/// <summary>Checks what the signing service contributed: signatures, time-stamps, chains, and that the log knows the signed bytes.</summary>
internal static class Attachments
{
    private const int MaxSignatures = 32;
    private const int MaxHeader = 32 * 1024;

    private static readonly Dictionary<string, (string Commitment, CertificateUsage Usage)> Kinds = new(StringComparer.Ordinal)
    {
        // ASTM E1762-95 purposes, as FHIR Signature.type codes them.
        ["prescribe"] = ("urn:oid:1.2.840.10065.1.12.1.1", CertificateUsage.Signature),
        ["review"] = ("urn:oid:1.2.840.10065.1.12.1.5", CertificateUsage.Signature),
        ["seal"] = ("urn:oid:1.2.840.10065.1.12.1.14", CertificateUsage.Seal),
    };

    private static readonly string[] Critical = ["b64", "sigD", "sigPId", "sigT", "srCms"];

    public static IReadOnlyList<VerifiedSignature> Check(Evidence evidence, List<LoggedEvent> events, TrustedList trusted)
    {
        var attachments = evidence.Attachments;
        if (attachments.ValueKind == JsonValueKind.Null)
        {
            return [];
        }

        const string path = "$.attachments";
        Strict.Members(attachments, path, "prescription", "payload", "signatures");
        EvidenceRefusedException.When(
            evidence.Question.Kind is not "prescription"
            || !string.Equals(Strict.Text(attachments, "prescription", path), evidence.Question.Identifier, StringComparison.Ordinal), "attachment-prescription");
        var payload = Strict.Bytes(attachments, "payload", path);
        var basis = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(payload));
        var acts = events.FindAll(e => string.Equals(e.Basis, basis, StringComparison.Ordinal));
        EvidenceRefusedException.When(acts.Count == 0, "payload-not-logged");
        var verified = new List<VerifiedSignature>();
        var earlier = new List<string>();
        foreach (var signature in Strict.Items(attachments, "signatures", path, MaxSignatures))
        {
            verified.Add(CheckSignature(signature, payload, earlier, acts, trusted));
            EvidenceRefusedException.When(verified.Count > 1 && verified[^1].StampedAt < verified[^2].StampedAt, "time-stamp", null, "order");
        }

        return verified;
    }

    private static VerifiedSignature CheckSignature(JsonElement item, byte[] payload, List<string> earlier, List<LoggedEvent> acts, TrustedList trusted)
    {
        const string path = "$.attachments.signatures";
        Strict.Members(item, path, "kind", "payload?", "protected", "signature", "certificates", "timestamp", "ocsp?");
        var kind = Strict.Text(item, "kind", path);
        EvidenceRefusedException.When(!Kinds.TryGetValue(kind, out var expected), "signature-kind", null, kind);
        var header = Strict.Text(item, "protected", path);
        var text = Strict.Text(item, "signature", path);
        var chain = Strict.Items(item, "certificates", path, 8).Select(c => Parse(Strict.Bytes(c, path + ".certificates"), kind)).ToList();
        EvidenceRefusedException.When(chain.Count == 0, "signature-chain", null, kind);
        var leaf = chain[0];
        CheckHeader(header, leaf, kind, expected.Commitment);
        // A good signature of somebody the log does not know to have signed proves nothing about this prescription.
        EvidenceRefusedException.When(!acts.Exists(e => string.Equals(e.ActorCertificate, leaf.Sha256Hex, StringComparison.Ordinal)), "signer-not-logged", null, kind);

        var signed = SignedBytes(item, kind, payload, earlier);
        earlier.Add(text);
        var raw = Strict.Base64UrlBytes(text);
        EvidenceRefusedException.When(
            raw is not { Length: 64 } || !SignatureSuite.ES256.Verify(
                leaf.SubjectPublicKeyInfo, [.. Encoding.ASCII.GetBytes(header), (byte)'.', .. signed], EcdsaForm.ToDer(raw)),
            "signature-value", null, kind);

        var stamp = TimeStamp.Verify(Strict.Bytes(item, "timestamp", path), Encoding.ASCII.GetBytes(text), [.. trusted.Helpers, .. chain], trusted.Roots);
        EvidenceRefusedException.When(stamp is TimeStampOutcome.Refused, "time-stamp", null, $"{kind}: {(stamp as TimeStampOutcome.Refused)?.Reason}");
        var at = ((TimeStampOutcome.Proved)stamp).Info.Time;
        var trust = CertificatePath.Build(leaf, [.. trusted.Helpers, .. chain.Skip(1)], trusted.Roots, at, expected.Usage);
        EvidenceRefusedException.When(trust is PathOutcome.Refused, "signature-chain", null, $"{kind}: {(trust as PathOutcome.Refused)?.Reason}");
        return new VerifiedSignature(kind, leaf.SubjectText, at);
    }

    // The doctor signs the prescription; whoever follows signs a statement over its hash and every signature before, in order.
    private static byte[] SignedBytes(JsonElement item, string kind, byte[] payload, List<string> earlier)
    {
        var own = item.TryGetProperty("payload", out var member) && member.ValueKind != JsonValueKind.Null;
        EvidenceRefusedException.When(own == (earlier.Count == 0), "signature-statement", null, kind);
        if (!own)
        {
            return payload;
        }

        var statement = Strict.Bytes(item, "payload", "$.attachments.signatures");
        var hash = Convert.ToHexStringLower(SHA256.HashData(payload));
        EvidenceRefusedException.When(
            !StrictJson.TryParse(statement, new JsonLimits(MaxHeader, 4), out var json, out _) || json.ValueKind != JsonValueKind.Object
            || !Is(json, "payloadSha256", hash)
            || !json.TryGetProperty("signatures", out var list) || list.ValueKind != JsonValueKind.Array
            || !list.EnumerateArray().Select(s => s.ValueKind == JsonValueKind.String ? s.GetString() : null).SequenceEqual(earlier, StringComparer.Ordinal),
            "signature-statement", null, kind);
        return statement;
    }

    private static void CheckHeader(string text, Certificate leaf, string kind, string commitment)
    {
        var bytes = text.Length <= MaxHeader ? Strict.Base64UrlBytes(text) : null;
        var header = default(JsonElement);
        EvidenceRefusedException.When(
            bytes is null || !StrictJson.TryParse(bytes, new JsonLimits(MaxHeader, 6), out header, out _) || header.ValueKind != JsonValueKind.Object,
            "signature-header", null, kind);
        // A key or an address in the header would let the signature bring its own trust.
        EvidenceRefusedException.When(
            header.EnumerateObject().Any(p => p.Name is "jwk" or "jku" or "x5u")
            || !Is(header, "alg", "ES256")
            || !IsUnderstood(header)
            || !header.TryGetProperty("b64", out var b64) || b64.ValueKind != JsonValueKind.False
            || !Is(header, "x5t#S256", Base64Url.EncodeToString(SHA256.HashData(leaf.Der.Span))), "signature-header", null, kind);
        EvidenceRefusedException.When(
            !header.TryGetProperty("srCms", out var commitments) || !commitments.GetRawText().Contains($"\"{commitment}\"", StringComparison.Ordinal),
            "signature-kind", null, kind);
    }

    // RFC 7797 §6: b64 must be critical; RFC 7515 §4.1.11: every critical parameter must be there and understood.
    private static bool IsUnderstood(JsonElement header) =>
        header.TryGetProperty("crit", out var critical) && critical.ValueKind == JsonValueKind.Array
        && critical.EnumerateArray().All(name => name.ValueKind == JsonValueKind.String && Critical.Contains(name.GetString()!, StringComparer.Ordinal) && header.TryGetProperty(name.GetString()!, out _))
        && critical.EnumerateArray().Any(name => name.ValueEquals("b64"u8));

    private static bool Is(JsonElement element, string name, string value) =>
        element.TryGetProperty(name, out var member) && member.ValueKind == JsonValueKind.String && string.Equals(member.GetString(), value, StringComparison.Ordinal);

    private static Certificate Parse(byte[] der, string kind)
    {
        var good = Certificate.TryParse(der, out var certificate, out _);
        EvidenceRefusedException.When(!good, "signature-chain", null, kind);
        return certificate!;
    }
}
