using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Trust.CA.Registry;
using Trust.Crypto.Asn1;

namespace Trust.CA.Tests.Officers;

public sealed class CardAddressTests(CaFixture ca)
{
    [Fact]
    public async Task Addresses_inside_a_card_are_never_contacted()
    {
        using var trap = new TcpListener(IPAddress.Loopback, 0);
        trap.Start();
        var url = $"http://127.0.0.1:{((IPEndPoint)trap.LocalEndpoint).Port}";
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var issuer = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Stranger", key, HashAlgorithmName.SHA256);
        foreach (var extension in new[] { CertificateExtension.AuthorityInfoAccess([url + "/ocsp"], [url + "/issuer.cer"]), CertificateExtension.CrlDistributionPoints(url + "/list.crl") })
        {
            request.CertificateExtensions.Add(new X509Extension(extension.Oid, extension.Value.Span, extension.Critical));
        }

        using var leaf = request.Create(
            new X500DistinguishedName("CN=Nobody"), X509SignatureGenerator.CreateForECDsa(issuer), DateTimeOffset.UtcNow.AddMinutes(-1), DateTimeOffset.UtcNow.AddDays(1), [1, 2, 3]);
        using var withKey = leaf.CopyWithPrivateKey(key);
        using var client = CaFixture.Client(ca.OfficersUrl, X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pkcs12), null));

        using var response = await client.Post("/registry/imports", new ImportRequest(), CaJson.Default.ImportRequest);

        Assert.Equal("not-an-officer", await response.Problem());
        Assert.False(trap.Pending());
    }

    [Fact]
    public async Task A_stranger_is_refused_before_anything_of_the_request_is_read()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Stranger", key, HashAlgorithmName.SHA256);
        using var leaf = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddMinutes(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var client = CaFixture.Client(ca.OfficersUrl, X509CertificateLoader.LoadPkcs12(leaf.Export(X509ContentType.Pkcs12), null));
        using var content = new ByteArrayContent("no JSON, and no key"u8.ToArray());
        content.Headers.ContentType = new("application/json");

        using var response = await client.PostAsync("/certificate-requests", content);

        Assert.Equal((HttpStatusCode.Forbidden, "not-an-officer"), (response.StatusCode, await response.Problem()));
    }
}
