using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Trust.Crypto.Asn1;
using Trust.Crypto.Jose;
using Trust.Crypto.Json;

namespace Trust.SignService.Signatures;

/// <summary>
/// Detached JSON signatures in the JAdES form (ETSI TS 119 182-1) over raw payload bytes (RFC 7797, b64 false): header
/// {alg ES256, b64 false, crit, x5t#S256, x5c, sigT, sigPId, srCms, sigD}. The signing input is header "." payload.
/// </summary>
public static class Jades
{
    /// <summary>Largest accepted protected header, in base64url characters.</summary>
    public const int MaxHeader = 16 * 1024;

    /// <summary>sigD mechanism: the payload is the bytes of the named object (5.2.8.3.2).</summary>
    public const string ObjectIdByUri = "http://uri.etsi.org/19182/ObjectIdByURI";

    private static readonly string[] Critical = ["b64", "sigT", "sigPId", "srCms", "sigD"];

    /// <summary>Header parameters that must be understood, in their order.</summary>
    public static IReadOnlyList<string> CriticalNames => Critical;

    /// <summary>Builds the protected header.</summary>
    /// <param name="certificates">Leaf first, root excluded.</param>
    /// <param name="at">Claimed time of signature; whole seconds are kept.</param>
    /// <param name="policy">Signature policy, object identifier.</param>
    /// <param name="kind">What the signer commits to.</param>
    /// <param name="objectUri">Names the payload.</param>
    /// <returns>base64url of the header's RFC 8785 bytes.</returns>
    public static string Protect(
        IReadOnlyList<Certificate> certificates, DateTimeOffset at, string policy, SignatureKind kind, string objectUri)
    {
        var header = new JsonObject
        {
            ["alg"] = Jws.Algorithm,
            ["b64"] = false,
            ["crit"] = new JsonArray([.. Critical.Select(c => (JsonNode)c)]),
            ["x5t#S256"] = Base64Url.EncodeToString(SHA256.HashData(certificates[0].Der.Span)),
            ["x5c"] = new JsonArray([.. certificates.Select(c => (JsonNode)Convert.ToBase64String(c.Der.Span))]),
            ["sigT"] = at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'"),
            ["sigPId"] = new JsonObject { ["id"] = "urn:oid:" + policy },
            ["srCms"] = new JsonArray(new JsonObject { ["commId"] = new JsonObject { ["id"] = kind.Commitment() } }),
            ["sigD"] = new JsonObject { ["mId"] = ObjectIdByUri, ["pars"] = new JsonArray(objectUri) },
        };
        return Base64Url.EncodeToString(CanonicalJson.Encode(header));
    }

    /// <summary>The bytes that are hashed and signed (RFC 7797 3).</summary>
    public static byte[] SigningInput(string protectedHeader, ReadOnlySpan<byte> payload) => Jws.DetachedInput(protectedHeader, payload);

    /// <summary>What a signature time-stamp covers: the base64url signature value (TS 119 182-1 5.3.4).</summary>
    public static byte[] TimeStampInput(string signature) => Encoding.ASCII.GetBytes(signature);
}
