using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.Crypto.Asn1;
using Trust.Crypto.Jose;
using Trust.Crypto.Json;

namespace Trust.Kernel.Residency;

/// <summary>Whom a declaration is believed from.</summary>
/// <param name="Root">The installation's root: officers' certificates must lead to it.</param>
/// <param name="Acceptance">SubjectPublicKeyInfo of the key by which ca says that both signers are officers in good standing.</param>
public sealed record DeclarationTrust(Certificate Root, ReadOnlyMemory<byte> Acceptance)
{
    /// <summary>Reads the anchors from the public folder.</summary>
    /// <exception cref="IOException">A file is missing.</exception>
    public static DeclarationTrust Load(string publicDirectory) => new(
        Certificate.ParsePem(File.ReadAllText(Path.Combine(publicDirectory, "root.pem")))[0], File.ReadAllBytes(Path.Combine(publicDirectory, "entitlement.spki")));
}

/// <summary>
/// A declaration with its signatures: a JSON Web Signature in the general serialization (RFC 7515 7.2.1) over the canonical document, by two
/// officers' cards (<c>x5c</c>) and by ca's entitlement key, which knows who is an officer. Any JOSE library verifies it.
/// </summary>
public sealed class SignedDeclaration
{
    /// <summary><c>typ</c> of an officer's signature.</summary>
    public const string OfficerType = "trust-residency+jws";

    /// <summary><c>typ</c> of ca's signature.</summary>
    public const string AcceptedType = "trust-residency-accepted+jws";

    /// <summary>Officers who must have signed.</summary>
    public const int Officers = 2;

    // Two certificates of a few hundred bytes in base64 twice.
    private const int MaxHeader = 16 * 1024;
    private static readonly JsonLimits Limits = new((ResidencyTerms.MaxBytes * 2) + (4 * MaxHeader), 6);

    private SignedDeclaration(byte[] bytes, byte[] document, IReadOnlyList<DeclarationSigner> signers, bool accepted) =>
        (Bytes, Document, Signers, Accepted) = (bytes, document, signers, accepted);

    /// <summary>The whole, as it was read.</summary>
    public byte[] Bytes { get; }

    /// <summary>The canonical document.</summary>
    public byte[] Document { get; }

    /// <summary>Who signed, each with a good signature.</summary>
    public IReadOnlyList<DeclarationSigner> Signers { get; }

    /// <summary>True when ca's signature is there and good.</summary>
    public bool Accepted { get; }

    /// <summary>Protected header of an officer's signature.</summary>
    /// <param name="chain">The signature certificate, then its issuing authority.</param>
    public static string OfficerHeader(params ReadOnlySpan<Certificate> chain)
    {
        var x5c = new JsonArray();
        foreach (var certificate in chain)
        {
            x5c.Add((JsonNode)Convert.ToBase64String(certificate.Der.Span));
        }

        return Header(new JsonObject { ["alg"] = Jws.Algorithm, ["typ"] = OfficerType, ["x5c"] = x5c });
    }

    /// <summary>Protected header of ca's signature.</summary>
    public static string AcceptedHeader => Header(new JsonObject { ["alg"] = Jws.Algorithm, ["typ"] = AcceptedType, ["kid"] = "entitlement" });

    /// <summary>What a signer's key signs.</summary>
    public static byte[] Input(string header, ReadOnlySpan<byte> document) => Encoding.ASCII.GetBytes(header + "." + Base64Url.EncodeToString(document));

    /// <summary>Puts document and signatures together.</summary>
    public static byte[] Write(ReadOnlySpan<byte> document, IEnumerable<(string Header, string Signature)> signatures) => Encoding.UTF8.GetBytes(new JsonObject
    {
        ["payload"] = Base64Url.EncodeToString(document),
        ["signatures"] = new JsonArray([.. signatures.Select(s => (JsonNode)new JsonObject { ["protected"] = s.Header, ["signature"] = s.Signature })]),
    }.ToJsonString());

    /// <summary>Reads a signed declaration and checks each signature; whether there are enough is <see cref="Fault"/>'s to say.</summary>
    /// <param name="bytes">The general serialization.</param>
    /// <param name="trust">Whom to believe.</param>
    /// <param name="fault">What is wrong.</param>
    public static SignedDeclaration? TryRead(ReadOnlyMemory<byte> bytes, DeclarationTrust trust, out string fault)
    {
        fault = "The signed declaration is malformed.";
        if (!StrictJson.TryParse(bytes.ToArray(), Limits, out var json, out _) || Jws.Text(json, "payload") is not { } payload || !Base64Url.IsValid(payload)
            || !json.TryGetProperty("signatures", out var list) || list.ValueKind is not JsonValueKind.Array || list.GetArrayLength() is 0 or > 4)
        {
            return null;
        }

        var document = Base64Url.DecodeFromChars(payload);
        var signers = new List<DeclarationSigner>();
        var accepted = false;
        foreach (var entry in list.EnumerateArray())
        {
            var header = Jws.Text(entry, "protected");
            if (!Jws.TryReadHeader(header, MaxHeader, 3, out var read) || Jws.Text(read, "alg") != Jws.Algorithm || read.TryGetProperty("crit", out _) || read.TryGetProperty("b64", out _))
            {
                return null;
            }

            var input = Input(header!, document);
            var signature = Jws.Text(entry, "signature");
            switch (Jws.Text(read, "typ"))
            {
                case AcceptedType when Jws.Verify(trust.Acceptance, input, signature):
                    accepted = true;
                    break;
                case OfficerType when Chain(read) is [var leaf, ..] chain && Jws.Verify(leaf.SubjectPublicKeyInfo, input, signature):
                    signers.Add(new DeclarationSigner(leaf, [.. chain.Skip(1)], header!, signature!));
                    break;
                default:
                    fault = "A signature of the declaration is not good, or of an unknown kind.";
                    return null;
            }
        }

        fault = "";
        return new SignedDeclaration(bytes.ToArray(), document, signers, accepted);
    }

    /// <summary>Why the officers' signatures are not enough; null when they are: two people, each by a signature certificate that was good at that instant.</summary>
    /// <param name="trust">Whom to believe.</param>
    /// <param name="issuedAt">When the document was written.</param>
    /// <param name="ct">Ends the search for paths.</param>
    public string? Fault(DeclarationTrust trust, DateTimeOffset issuedAt, CancellationToken ct)
    {
        foreach (var signer in Signers)
        {
            if (CertificatePath.Build(signer.Certificate, signer.Chain, [trust.Root], issuedAt, CertificateUsage.Signature, ct) is PathOutcome.Refused(var why, _))
            {
                return $"A signer's certificate is not trusted: {why}.";
            }
        }

        // Of one person two cards are one voice; of no person none.
        var people = Signers.Select(s => s.Person).OfType<string>().Distinct(StringComparer.Ordinal).Count();
        return people < Officers ? $"{Officers} officers must sign the declaration; {people} did." : null;
    }

    private static string Header(JsonObject header) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header.ToJsonString()));

    private static List<Certificate>? Chain(JsonElement header)
    {
        if (!header.TryGetProperty("x5c", out var x5c) || x5c.ValueKind is not JsonValueKind.Array || x5c.GetArrayLength() is 0 or > 4)
        {
            return null;
        }

        var chain = new List<Certificate>();
        foreach (var item in x5c.EnumerateArray())
        {
            var der = new byte[Certificate.MaxBytes];
            if (item.ValueKind is not JsonValueKind.String || !Convert.TryFromBase64String(item.GetString()!, der, out var length)
                || !Certificate.TryParse(der.AsMemory(0, length), out var certificate, out _))
            {
                return null;
            }

            chain.Add(certificate);
        }

        return chain;
    }
}

/// <summary>A person's signature under a declaration.</summary>
/// <param name="Certificate">The signature certificate.</param>
/// <param name="Chain">Its issuing authorities, as sent.</param>
/// <param name="Header">The protected header.</param>
/// <param name="Signature">The value, base64url.</param>
public sealed record DeclarationSigner(Certificate Certificate, IReadOnlyList<Certificate> Chain, string Header, string Signature)
{
    /// <summary>Who signed: <c>urn:mdid:p:…</c> of the certificate's alternative names; null when it names no person.</summary>
    public string? Person => Certificate.SubjectUris.FirstOrDefault(u => u.StartsWith("urn:mdid:p:", StringComparison.Ordinal));
}
