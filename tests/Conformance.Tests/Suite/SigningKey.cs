using System.Buffers.Text;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;

namespace Trust.Conformance.Tests.Suite;

/// <summary>A key of the relying party, P-256 or RSA, that signs by whatever algorithm a module wants to try.</summary>
internal sealed class SigningKey
{
    private readonly ECDsa? _ec;
    private readonly RSA? _rsa;

    private SigningKey(string kid, string alg, ECDsa? ec, RSA? rsa) => (Kid, Alg, _ec, _rsa) = (kid, alg, ec, rsa);

    public string Kid { get; }

    /// <summary>The algorithm it is registered for.</summary>
    public string Alg { get; }

    /// <summary>Certificate for it, self-signed (RFC 8705 2.2).</summary>
    public X509Certificate2? Certificate { get; private set; }

    public static SigningKey Ec(string kid) => new(kid, "ES256", ECDsa.Create(ECCurve.NamedCurves.nistP256), null);

    public static SigningKey Rsa(string kid, string alg = "PS256") => new(kid, alg, null, RSA.Create(2048));

    /// <summary>The same key under another algorithm or name.</summary>
    public SigningKey As(string? alg = null, string? kid = null) => new(kid ?? Kid, alg ?? Alg, _ec, _rsa);

    public JsonObject PublicJwk()
    {
        var jwk = new JsonObject { ["use"] = "sig", ["alg"] = Alg, ["kid"] = Kid };
        foreach (var (name, value) in Thumbprinted())
        {
            jwk[name] = value?.DeepClone();
        }

        if (Certificate is { } certificate)
        {
            jwk["x5c"] = new JsonArray(Convert.ToBase64String(certificate.RawDataMemory.Span));
        }

        return jwk;
    }

    /// <summary>The members of RFC 7638, in their order.</summary>
    public JsonObject Thumbprinted()
    {
        if (_ec is not null)
        {
            var q = _ec.ExportParameters(includePrivateParameters: false).Q;
            return new JsonObject { ["crv"] = "P-256", ["kty"] = "EC", ["x"] = Base64Url.EncodeToString(q.X), ["y"] = Base64Url.EncodeToString(q.Y) };
        }

        var rsa = _rsa!.ExportParameters(includePrivateParameters: false);
        return new JsonObject { ["e"] = Base64Url.EncodeToString(rsa.Exponent), ["kty"] = "RSA", ["n"] = Base64Url.EncodeToString(rsa.Modulus) };
    }

    /// <summary>RFC 7638.</summary>
    public string Thumbprint() => Base64Url.EncodeToString(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(Thumbprinted().ToJsonString())));

    public JsonObject PrivateJwk()
    {
        var jwk = Thumbprinted();
        jwk["d"] = Base64Url.EncodeToString(_ec is not null ? _ec.ExportParameters(includePrivateParameters: true).D : _rsa!.ExportParameters(includePrivateParameters: true).D);
        return jwk;
    }

    public static JsonObject Jwks(params IEnumerable<SigningKey> keys) => new() { ["keys"] = new JsonArray([.. keys.Select(k => (JsonNode)k.PublicJwk())]) };

    /// <summary>Makes its certificate.</summary>
    public SigningKey WithCertificate(string name)
    {
        var subject = new X500DistinguishedName("CN=" + name);
        var request = _ec is not null ? new CertificateRequest(subject, _ec, HashAlgorithmName.SHA256) : new CertificateRequest(subject, _rsa!, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.2")], critical: false));
        var now = TimeProvider.System.GetUtcNow();
        Certificate = request.CreateSelfSigned(now.AddMinutes(-5), now.AddDays(30));
        return this;
    }

    /// <summary>Signs by an algorithm; <c>none</c> gives nothing.</summary>
    public byte[] Sign(byte[] input, string alg) => alg switch
    {
        "none" => [],
        "HS256" => HMACSHA256.HashData(System.Text.Encoding.UTF8.GetBytes(PublicJwk().ToJsonString()), input),
        "RS256" => (_rsa ?? RSA.Create(2048)).SignData(input, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
        "PS256" => (_rsa ?? RSA.Create(2048)).SignData(input, HashAlgorithmName.SHA256, RSASignaturePadding.Pss),
        _ => (_ec ?? ECDsa.Create(ECCurve.NamedCurves.nistP256)).SignData(input, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation),
    };
}
