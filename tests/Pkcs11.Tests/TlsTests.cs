using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using Trust.TestKit;

namespace Trust.Pkcs11.Tests;

public sealed class TlsTests
{
    [Fact]
    public async Task A_TLS_1_3_client_logs_in_with_a_key_that_stays_in_its_token()
    {
        var (card, faults) = await FaultyTokens.NewToken("card");
        await using var _ = card;
        var key = await card.Generate(new("authentication"), KeyAlgorithm.EcdsaP256, default);
        using var issuer = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var plain = Certify(key, issuer);
        await card.StoreCertificate(key.Ref, plain.RawData, default);
        using var withKey = await TokenTlsKey.Attach(plain, card, key.Ref, default);
        await using var server = await Start();

        using var handler = new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions
            {
                EnabledSslProtocols = SslProtocols.Tls13,
                ClientCertificateContext = SslStreamCertificateContext.Create(withKey, null, offline: true),
                RemoteCertificateValidationCallback = (_, _, _, _) => true,
            },
        };
        using var client = new HttpClient(handler);
        var seen = await client.GetStringAsync(server.Urls.Single() + "/who");

        Assert.Equal($"Tls13 {plain.GetCertHashString(HashAlgorithmName.SHA256)}", seen);
        Assert.Equal(1, faults.Signs);
    }

    [Fact]
    public async Task A_certificate_for_another_key_is_not_attached()
    {
        await using var card = await Tokens.NewToken("card");
        var one = await card.Generate(new("one"), KeyAlgorithm.EcdsaP256, default);
        await card.Generate(new("two"), KeyAlgorithm.EcdsaP256, default);
        using var issuer = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = Certify(one, issuer);

        var refused = await Assert.ThrowsAsync<TokenException>(async () => await TokenTlsKey.Attach(certificate, card, new("two"), default));
        var stored = await Assert.ThrowsAsync<TokenException>(async () => await card.StoreCertificate(new("two"), certificate.RawData, default));

        Assert.Equal("WRONG_KEY", refused.CodeName);
        Assert.Equal("WRONG_KEY", stored.CodeName);
    }

    private static X509Certificate2 Certify(TokenKey key, ECDsa issuer)
    {
        var request = new CertificateRequest(
            new X500DistinguishedName("CN=Card"), PublicKey.CreateFromSubjectPublicKeyInfo(key.SubjectPublicKeyInfo.Span, out var _), HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.2")], critical: false));
        var now = DateTimeOffset.UtcNow;
        return request.Create(
            new X500DistinguishedName("CN=Issuer"), X509SignatureGenerator.CreateForECDsa(issuer), now.AddMinutes(-1), now.AddHours(1), [1, 2, 3]);
    }

    private static async Task<WebApplication> Start()
    {
        using var serverKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", serverKey, HashAlgorithmName.SHA256);
        var now = DateTimeOffset.UtcNow;
        using var ephemeral = request.CreateSelfSigned(now.AddMinutes(-1), now.AddHours(1));
        var certificate = X509CertificateLoader.LoadPkcs12(ephemeral.Export(X509ContentType.Pkcs12), null);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(https =>
        {
            https.ServerCertificate = certificate;
            https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
            https.SslProtocols = SslProtocols.Tls13;
            https.ClientCertificateValidation = (_, _, _) => true;
        })));
        var app = builder.Build();
        app.MapGet("/who", (HttpContext context) =>
            $"{context.Features.Get<Microsoft.AspNetCore.Connections.Features.ITlsHandshakeFeature>()!.Protocol} {context.Connection.ClientCertificate!.GetCertHashString(HashAlgorithmName.SHA256)}");
        await app.StartAsync();
        return app;
    }
}
