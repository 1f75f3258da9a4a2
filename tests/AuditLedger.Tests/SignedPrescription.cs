using System.Buffers.Text;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.Crypto.Asn1;
using Trust.Crypto.Json;

namespace Trust.AuditLedger.Tests;

/// <summary>What the signing service holds on a prescription, made with keys of the test's own CA.</summary>
public sealed class SignedPrescription : IDisposable
{
    private readonly ECDsa _rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly ECDsa _tsaKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _root;
    private readonly Certificate _tsa;
    private int _serial = 1;

    public SignedPrescription()
    {
        var request = new CertificateRequest("CN=Test root", _rootKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        _root = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(100));
        _tsa = Issue("CN=Test TSA", _tsaKey, X509KeyUsageFlags.DigitalSignature, "1.3.6.1.5.5.7.3.8");
    }

    public string RootPem => _root.ExportCertificatePem();

    public byte[] Payload { get; } = Encoding.UTF8.GetBytes("{\"resourceType\":\"Bundle\",\"药\":\"氨氯地平\"}");

    public string Basis => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Payload));

    /// <summary>SHA-256 of the certificates that signed, in order.</summary>
    public List<string> Signers { get; } = [];

    public async Task<JsonObject> Attachments(string prescription, params string[] critical)
    {
        using var doctor = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var pharmacist = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var prescribe = await Sign("prescribe", "urn:oid:1.2.840.10065.1.12.1.1", doctor, "CN=Doctor", null, critical);
        var statement = CanonicalJson.Encode(new JsonObject
        {
            ["payloadSha256"] = Convert.ToHexStringLower(SHA256.HashData(Payload)),
            ["signatures"] = new JsonArray(prescribe["signature"]!.DeepClone()),
        });
        return new JsonObject
        {
            ["prescription"] = prescription,
            ["payload"] = Convert.ToBase64String(Payload),
            ["signatures"] = new JsonArray(
                prescribe, await Sign("review", "urn:oid:1.2.840.10065.1.12.1.5", pharmacist, "CN=Pharmacist", statement, ["b64"])),
        };
    }

    /// <summary>One signature, given as the doctor's, that commits to a seal and mentions the doctor's commitment in a qualifier.</summary>
    public async Task<JsonObject> Misstated(string prescription)
    {
        using var doctor = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new JsonObject
        {
            ["prescription"] = prescription,
            ["payload"] = Convert.ToBase64String(Payload),
            ["signatures"] = new JsonArray(await Sign("prescribe", "urn:oid:1.2.840.10065.1.12.1.14", doctor, "CN=Doctor", null, ["b64"], "urn:oid:1.2.840.10065.1.12.1.1")),
        };
    }

    public void Dispose()
    {
        _rootKey.Dispose();
        _tsaKey.Dispose();
        _root.Dispose();
    }

    private async Task<JsonNode> Sign(string kind, string commitment, ECDsa key, string name, byte[]? statement, string[] critical, string? qualifier = null)
    {
        var leaf = Issue(name, key, X509KeyUsageFlags.NonRepudiation, null);
        Signers.Add(leaf.Sha256Hex);
        var header = new JsonObject
        {
            ["alg"] = "ES256",
            ["b64"] = false,
            ["crit"] = new JsonArray([.. critical.Select(c => (JsonNode)c)]),
            ["x5t#S256"] = Base64Url.EncodeToString(SHA256.HashData(leaf.Der.Span)),
            ["srCms"] = new JsonArray(new JsonObject { ["commId"] = new JsonObject { ["id"] = commitment } }),
        };
        if (qualifier is not null)
        {
            header["srCms"]![0]!["commQuals"] = new JsonArray(qualifier);
        }

        var protectedHeader = Base64Url.EncodeToString(CanonicalJson.Encode(header));
        var signature = Base64Url.EncodeToString(key.SignData([.. Encoding.ASCII.GetBytes(protectedHeader), (byte)'.', .. statement ?? Payload], HashAlgorithmName.SHA256));
        var imprint = SHA256.HashData(Encoding.ASCII.GetBytes(signature));
        var info = new TimeStampInfo("1.2.3.4", "2.16.840.1.101.3.4.2.1", imprint, new byte[] { (byte)_serial++ }, DateTimeOffset.UtcNow, TimeSpan.FromSeconds(1), null);
        var token = await TimeStamp.IssueToken(info, _tsa, [_tsa], (digest, _) => ValueTask.FromResult(_tsaKey.SignHash(digest.Span)), default);
        return new JsonObject
        {
            ["kind"] = kind,
            ["payload"] = statement is null ? null : Convert.ToBase64String(statement),
            ["protected"] = protectedHeader,
            ["signature"] = signature,
            ["certificates"] = new JsonArray(Convert.ToBase64String(leaf.Der.Span)),
            ["timestamp"] = Convert.ToBase64String(token),
        };
    }

    private Certificate Issue(string name, ECDsa key, X509KeyUsageFlags usage, string? purpose)
    {
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509KeyUsageExtension(usage, true));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_root, true, false));
        if (purpose is not null)
        {
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(purpose)], true));
        }

        using var issued = request.Create(_root, DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddDays(10), [1, (byte)_serial++]);
        return Certificate.Parse(issued.RawData);
    }
}
