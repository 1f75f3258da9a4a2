using System.Buffers.Text;
using System.Text;
using System.Text.Json.Nodes;
using Trust.Cli.Local;
using Trust.Crypto.Asn1;
using Trust.Crypto.Json;

namespace Trust.Cli.Residency;

/// <summary>
/// Residency declarations as files: drafts that the services' verb <c>places</c> prints are put together, and officers sign the result by their cards. Written from
/// docs/RESIDENCY.md alone, as any other tool would be.
/// </summary>
public static class DeclarationFile
{
    private const string Algorithm = "ES256";

    /// <summary>Puts the places of several drafts into one document.</summary>
    /// <param name="drafts">As the services printed them, by service.</param>
    /// <param name="version">The document's version.</param>
    /// <param name="networks">Where callers are: CIDR and region.</param>
    /// <param name="neighbours">Installations of other regions: region, addresses by service.</param>
    /// <param name="attester">Who says where the places and networks are.</param>
    /// <param name="evidenceSha256">Hash of what was shown for it.</param>
    /// <param name="expires">Until when.</param>
    /// <exception cref="CommandFailedException">Two drafts differ about the region or the protection of one place.</exception>
    public static JsonObject Merge(
        IReadOnlyDictionary<string, JsonObject> drafts, int version, IEnumerable<(string Cidr, string Region)> networks,
        IReadOnlyList<(string Region, IReadOnlyDictionary<string, string> Services)> neighbours, string attester, string evidenceSha256, DateTimeOffset expires)
    {
        var document = drafts.Values.First().DeepClone().AsObject();
        var places = new SortedDictionary<string, JsonObject>(StringComparer.Ordinal);
        foreach (var (service, draft) in drafts)
        {
            foreach (var place in draft["places"]!.AsArray().Select(p => p!.DeepClone().AsObject()))
            {
                var kind = place["kind"]!.GetValue<string>();
                (place["name"], place["attester"], place["evidenceSha256"], place["expires"]) = ($"{service}-{place["name"]}", attester, evidenceSha256, expires.ToString("O"));
                Add(places, kind + " " + place["address"], place);
            }
        }

        document["version"] = version;
        document["places"] = new JsonArray([.. places.Values]);
        document["networks"] = new JsonArray([.. networks.Select(n => (JsonNode)new JsonObject
        {
            ["cidr"] = n.Cidr, ["region"] = n.Region, ["attester"] = attester, ["evidenceSha256"] = evidenceSha256, ["expires"] = expires.ToString("O"),
        })]);
        if (neighbours.Count > 0)
        {
            document["neighbours"] = new JsonArray([.. neighbours.Select(n => (JsonNode)new JsonObject
            {
                ["region"] = n.Region, ["services"] = new JsonObject([.. n.Services.Select(s => KeyValuePair.Create(s.Key, (JsonNode?)s.Value))]),
                ["attester"] = attester, ["evidenceSha256"] = evidenceSha256, ["expires"] = expires.ToString("O"),
            })]);
        }

        return document;
    }

    // One place has one region and one protection: of two that differ one is wrong, or they are two places of one name on two machines, which a declaration cannot tell apart.
    private static void Add(SortedDictionary<string, JsonObject> places, string key, JsonObject place)
    {
        if (places.TryAdd(key, place))
        {
            return;
        }

        var before = places[key];
        foreach (var member in new[] { "region", "tls" })
        {
            if (before[member]!.GetValue<string>() != place[member]!.GetValue<string>())
            {
                throw new CommandFailedException($"Two drafts say different things of {key}: {member} {before[member]} ({before["name"]}) and {place[member]} ({place["name"]}). Mend the configuration that is wrong.");
            }
        }
    }

    /// <summary>The canonical bytes that cards sign (RFC 8785).</summary>
    public static byte[] Canonical(JsonNode document) => CanonicalJson.Encode(document);

    /// <summary>One officer's signature: protected header and value, both base64url.</summary>
    /// <param name="document">The canonical bytes.</param>
    /// <param name="chain">The signature certificate, then its issuing authority.</param>
    /// <param name="sign">The card: bytes to r‖s.</param>
    public static async Task<(string Header, string Signature)> Sign(byte[] document, IReadOnlyList<Certificate> chain, Func<byte[], Task<byte[]>> sign)
    {
        var header = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(new JsonObject
        {
            ["alg"] = Algorithm, ["typ"] = "trust-residency+jws", ["x5c"] = new JsonArray([.. chain.Select(c => (JsonNode)Convert.ToBase64String(c.Der.Span))]),
        }.ToJsonString()));
        var signature = await sign(Encoding.ASCII.GetBytes(header + "." + Base64Url.EncodeToString(document)));
        return (header, Base64Url.EncodeToString(signature));
    }

    /// <summary>Document and signatures in the general serialization (RFC 7515 7.2.1).</summary>
    public static JsonObject Jws(byte[] document, IEnumerable<(string Header, string Signature)> signatures) => new()
    {
        ["payload"] = Base64Url.EncodeToString(document),
        ["signatures"] = new JsonArray([.. signatures.Select(s => (JsonNode)new JsonObject { ["protected"] = s.Header, ["signature"] = s.Signature })]),
    };

    /// <summary>The document inside a signed declaration.</summary>
    public static JsonObject DocumentOf(JsonNode jws) => JsonNode.Parse(Base64Url.DecodeFromChars(jws["payload"]!.GetValue<string>()))!.AsObject();

    /// <summary>An officer's signature by card.</summary>
    public static async Task<(string Header, string Signature)> Sign(byte[] document, Card card, CancellationToken ct) =>
        await Sign(document, Certificate.ParsePem(await File.ReadAllTextAsync(card.CertificateFile(Card.SignatureKey), ct)), bytes => card.Sign(bytes, ct));
}
