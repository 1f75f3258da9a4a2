using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Trust.Crypto.Asn1;
using Trust.Crypto.Jose;

namespace Trust.SignService.Signatures;

/// <summary>What is wrong with a signature. Names are stable codes.</summary>
public enum JadesRefusal
{
    /// <summary>Not base64url, not strict JSON, or beyond the limits.</summary>
    Malformed,

    /// <summary>An algorithm other than ES256, "none" included.</summary>
    Algorithm,

    /// <summary>A header parameter is missing, unknown and critical, or not allowed (embedded keys).</summary>
    Header,

    /// <summary>The certificate named is not the one carried.</summary>
    CertificateReference,

    /// <summary>The signature does not verify over these bytes.</summary>
    Signature,
}

/// <summary>What reading a signature gives.</summary>
public abstract record JadesOutcome
{
    private JadesOutcome()
    {
    }

    /// <summary>The signature value fits bytes and certificate. Trust in the certificate is the next question.</summary>
    /// <param name="Certificates">Leaf first.</param>
    /// <param name="ClaimedTime">sigT.</param>
    /// <param name="Commitment">srCms identifier.</param>
    /// <param name="Policy">sigPId identifier.</param>
    /// <param name="ObjectUri">What sigD names.</param>
    public sealed record Intact(
        IReadOnlyList<Certificate> Certificates, DateTimeOffset ClaimedTime, string Commitment, string Policy, string ObjectUri) : JadesOutcome;

    /// <summary>Not acceptable.</summary>
    public sealed record Refused(JadesRefusal Reason) : JadesOutcome;
}

/// <summary>Verifies what <see cref="Jades"/> writes and nothing else: closed header, ES256, certificate by reference and value.</summary>
public static class JadesVerification
{
    private const int MaxCertificates = 4;
    private const int MaxDepth = 6;

    private static readonly HashSet<string> Allowed = new(StringComparer.Ordinal)
    {
        "alg", "b64", "crit", "x5t#S256", "x5c", "sigT", "sigPId", "srCms", "sigD",
    };

    /// <summary>Verifies one detached signature.</summary>
    public static JadesOutcome Verify(string? protectedHeader, string? signature, ReadOnlySpan<byte> payload)
    {
        if (protectedHeader is null || Jws.DecodeSignature(signature) is null || !Jws.TryReadHeader(protectedHeader, Jades.MaxHeader, MaxDepth, out var header))
        {
            return new JadesOutcome.Refused(JadesRefusal.Malformed);
        }

        if (Jws.Text(header, "alg") != Jws.Algorithm)
        {
            return new JadesOutcome.Refused(JadesRefusal.Algorithm);
        }

        if (Read(header) is not { } parts)
        {
            return new JadesOutcome.Refused(JadesRefusal.Header);
        }

        var leaf = parts.Certificates[0];
        if (Jws.Text(header, "x5t#S256") != Base64Url.EncodeToString(SHA256.HashData(leaf.Der.Span)))
        {
            return new JadesOutcome.Refused(JadesRefusal.CertificateReference);
        }

        return Jws.Verify(leaf.SubjectPublicKeyInfo, Jades.SigningInput(protectedHeader, payload), signature)
            ? parts
            : new JadesOutcome.Refused(JadesRefusal.Signature);
    }

    private static JadesOutcome.Intact? Read(JsonElement header)
    {
        // Exactly these parameters: jwk, jku, x5u and their like could bring a key of the forger's own.
        var names = header.EnumerateObject().Select(p => p.Name).ToHashSet(StringComparer.Ordinal);
        if (!names.SetEquals(Allowed)
            || header.GetProperty("b64").ValueKind != JsonValueKind.False
            || !IsStrings(header.GetProperty("crit"), Jades.CriticalNames)
            || Certificates(header.GetProperty("x5c")) is not { Count: > 0 } certificates
            || !DateTimeOffset.TryParseExact(
                Jws.Text(header, "sigT"), "yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at))
        {
            return null;
        }

        var policy = Jws.Text(header.GetProperty("sigPId"), "id");
        var commitment = header.GetProperty("srCms") is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() == 1
            && list[0].ValueKind == JsonValueKind.Object && list[0].TryGetProperty("commId", out var id) ? Jws.Text(id, "id") : null;
        var data = header.GetProperty("sigD");
        var uri = Jws.Text(data, "mId") == Jades.ObjectIdByUri && data.TryGetProperty("pars", out var pars)
            && pars.ValueKind == JsonValueKind.Array && pars.GetArrayLength() == 1 && pars[0].ValueKind == JsonValueKind.String ? pars[0].GetString() : null;
        return policy is null || commitment is null || uri is null ? null : new JadesOutcome.Intact(certificates, at, commitment, policy, uri);
    }

    private static List<Certificate>? Certificates(JsonElement x5c)
    {
        if (x5c.ValueKind != JsonValueKind.Array || x5c.GetArrayLength() is 0 or > MaxCertificates)
        {
            return null;
        }

        var list = new List<Certificate>();
        foreach (var item in x5c.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.String || !item.TryGetBytesFromBase64(out var der) || !Certificate.TryParse(der, out var certificate, out _))
            {
                return null;
            }

            list.Add(certificate);
        }

        return list;
    }

    private static bool IsStrings(JsonElement array, IReadOnlyList<string> expected) =>
        array.ValueKind == JsonValueKind.Array
        && array.EnumerateArray().Select(e => e.ValueKind == JsonValueKind.String ? e.GetString() : null).SequenceEqual(expected, StringComparer.Ordinal);
}
