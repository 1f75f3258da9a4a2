using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Login;

/// <summary>Which cards log in, and how fast a lost right bites.</summary>
public sealed class CardStatusTests(RunningTrust trust)
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_suspended_doctors_token_and_session_die_within_five_seconds_and_login_is_refused()
    {
        var (urn, card) = await trust.NewPhysician(None);
        var granted = Assert.IsType<LoginResult.Granted>(await trust.Login(card, "openid profile rx.sign", None));
        var hospital = trust.World.Client("his-shuan");
        Assert.True(await hospital.IsActive(granted.AccessToken, None));
        var watch = Stopwatch.StartNew();
        await trust.World.Officers[1].Api.Post($"/practitioners/{urn}/state", new JsonObject { ["state"] = "suspended", ["reason"] = "regulator-order" }, None);
        await Eventually.Holds(async () => !await hospital.IsActive(granted.AccessToken, None), "the token is dead", TimeSpan.FromSeconds(5));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"it took {watch.Elapsed}");
        Assert.Equal("suspended", Assert.IsType<LoginResult.Refused>(await trust.Login(card, "openid", None)).Rule);
        Assert.Equal(401, await UserInfo(granted.AccessToken));
    }

    [Fact]
    public async Task A_held_card_is_refused_and_logs_in_again_after_two_officers_resume_it()
    {
        var (_, card) = await trust.NewPhysician(None);
        var sha = card.Authentication.Sha256Hex;
        await trust.World.Officers[1].Api.Post($"/certificates/{sha}/hold", new JsonObject { ["reason"] = "certificateHold" }, None);
        Assert.Equal("certificate-held", Assert.IsType<LoginResult.Refused>(await trust.Login(card, "openid", None)).Rule);
        await trust.World.Officers[1].Api.Send(HttpMethod.Post, $"/certificates/{sha}/resume", new JsonObject { ["reason"] = "found" }, null, None);
        Assert.IsType<LoginResult.Refused>(await trust.Login(card, "openid", None));
        await trust.World.Officers[2].Api.Send(HttpMethod.Post, $"/certificates/{sha}/resume", new JsonObject { ["reason"] = "found" }, null, None);
        await Eventually.Holds(async () => await trust.Login(card, "openid", None) is LoginResult.Granted, "the resumed card logs in");
    }

    [Fact]
    public async Task A_revoked_card_is_refused()
    {
        var (_, card) = await trust.NewPhysician(None);
        await trust.World.Officers[1].Api.Post($"/certificates/{card.Authentication.Sha256Hex}/revoke", new JsonObject { ["reason"] = "superseded" }, None);
        Assert.Equal("certificate-revoked", Assert.IsType<LoginResult.Refused>(await trust.Login(card, "openid", None)).Rule);
    }

    [Fact]
    public async Task A_signature_key_does_not_log_in()
    {
        var certificate = await trust.World.Physician.ForTls(Card.SignatureKey, None);
        var result = await trust.World.Client("his-shuan").Login(certificate, RunningTrust.Redirect, "openid", trust.World.Institutions[0], trust.Sign, None);
        Assert.Equal("wrong-key-usage", Assert.IsType<LoginResult.Refused>(result).Rule);
    }

    [Fact]
    public async Task An_officers_card_is_no_doctors_card()
    {
        await using var officer = await Card.Open(trust.World.Reader, trust.Installation.CardDirectory, trust.Installation.Officers[2], None);
        Assert.IsType<LoginResult.Refused>(await trust.Login(officer, "openid", None));
    }

    [Fact]
    public async Task A_foreign_card_is_refused_and_no_address_inside_it_is_ever_contacted()
    {
        using var trap = new TcpListener(IPAddress.Parse("127.0.0.66"), 0);
        trap.Start();
        var url = $"http://127.0.0.66:{((IPEndPoint)trap.LocalEndpoint).Port}";
        using var certificate = Foreign(url);
        var result = await trust.World.Client("his-shuan").Login(certificate, RunningTrust.Redirect, "openid", trust.World.Institutions[0], trust.Sign, None);
        Assert.Equal("certificate-foreign", Assert.IsType<LoginResult.Refused>(result).Rule);
        Assert.False(trap.Pending(), "something followed an address inside a stranger's certificate");
    }

    private async Task<int> UserInfo(string token)
    {
        using var http = Connections.Client(trust.Installation.RootFile);
        return (await new Api(http, trust.Installation.Addresses.Idp, token).Send(HttpMethod.Get, "/userinfo", null, null, None)).Status;
    }

    private static X509Certificate2 Foreign(string url)
    {
        using var caKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var now = TimeProvider.System.GetUtcNow();
        var ca = new CertificateRequest("CN=Foreign CA", caKey, HashAlgorithmName.SHA256);
        ca.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var issuer = ca.CreateSelfSigned(now.AddDays(-1), now.AddDays(10));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=张示范, C=CN", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.2")], false));
        request.CertificateExtensions.Add(new X509AuthorityInformationAccessExtension([url + "/ocsp"], [url + "/ca.cer"]));
        request.CertificateExtensions.Add(CertificateRevocationListBuilder.BuildCrlDistributionPointExtension([url + "/foreign.crl"]));
        using var leaf = request.Create(issuer, now.AddDays(-1), now.AddDays(5), [1, 2, 3, 4, 5, 6, 7, 8]);
        using var withKey = leaf.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pkcs12), null);
    }
}
