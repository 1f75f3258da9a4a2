using System.IdentityModel.Tokens.Jwt;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.EndToEnd.Tests.Browser;
using Trust.EndToEnd.Tests.StockClient;

namespace Trust.EndToEnd.Tests.Login;

/// <summary>A client library that knows nothing of us: metadata, keys and ID token are read and judged by Microsoft.IdentityModel, unchanged.</summary>
public sealed class StockClientTests(RunningTrust trust)
{
    [Fact]
    public async Task A_stock_OpenID_client_library_completes_the_login()
    {
        using var http = Connections.Client(trust.Installation.RootFile);
        var configuration = await OpenIdConnectConfigurationRetriever.GetAsync(
            trust.Installation.Addresses.Idp + "/.well-known/openid-configuration", new HttpDocumentRetriever(http), CancellationToken.None);
        Assert.Equal(trust.Installation.Addresses.Idp, configuration.Issuer);
        Assert.Contains("S256", configuration.CodeChallengeMethodsSupported);
        var granted = Assert.IsType<LoginResult.Granted>(await trust.Login(trust.World.Pharmacist, "openid profile rx.review", CancellationToken.None));
        var handler = new JwtSecurityTokenHandler { MapInboundClaims = false };
        handler.ValidateToken(granted.IdToken, new TokenValidationParameters
        {
            ValidIssuer = configuration.Issuer, ValidAudience = "his-shuan", IssuerSigningKeys = configuration.SigningKeys,
        }, out var validated);
        var idToken = (JwtSecurityToken)validated;
        new OpenIdConnectProtocolValidator { RequireNonce = true, RequireTimeStampInNonce = false, RequireStateValidation = false }.ValidateTokenResponse(new OpenIdConnectProtocolValidationContext
        {
            ClientId = "his-shuan", Nonce = idToken.Payload.Nonce, ValidatedIdToken = idToken,
            ProtocolMessage = new OpenIdConnectMessage { IdToken = granted.IdToken, AccessToken = granted.AccessToken },
        });
        Assert.Equal(trust.World.Practitioners[1], idToken.Subject);
        Assert.Equal("pharmacist", idToken.Payload["role"]);
    }

    [Fact]
    public async Task The_npm_package_openid_client_completes_a_card_login_in_a_real_browser()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await using var client = await NodeClient.Start(trust, key, CancellationToken.None);
        var (urn, card) = await trust.NewPhysician(CancellationToken.None);
        await using var browser = await CardBrowser.Start(trust.Installation, card.Label, CancellationToken.None);
        var page = await browser.Context.NewPageAsync();
        await page.GotoAsync(await client.Address());
        await page.Locator("#card-login").ClickAsync();
        await page.WaitForURLAsync("**/consent**");
        var answered = page.WaitForRequestAsync(r => r.Url.StartsWith(RunningTrust.Redirect, StringComparison.Ordinal));
        await page.Locator("button[value=accept]").ClickAsync();
        var got = await client.Redeem((await answered).Url);
        Assert.Equal(urn, got.GetProperty("claims").GetProperty("sub").GetString());
        Assert.Equal(NodeClient.Id, got.GetProperty("claims").GetProperty("aud").GetString());
        Assert.Equal(urn, got.GetProperty("user").GetProperty("sub").GetString());
        Assert.Equal("physician", got.GetProperty("user").GetProperty("role").GetString());
        Assert.True(got.GetProperty("live").GetProperty("active").GetBoolean());
        // RFC 7662 2.2: the claims of the token, not only that it lives.
        Assert.Equal(urn, got.GetProperty("live").GetProperty("sub").GetString());
        Assert.Equal(NodeClient.Id, got.GetProperty("live").GetProperty("client_id").GetString());
        Assert.Equal(trust.Sign, got.GetProperty("live").GetProperty("aud").GetString());
        Assert.Equal("openid profile rx.sign", got.GetProperty("scope").GetString());
    }

    [Fact]
    public async Task An_access_token_is_an_RFC_9068_token_that_any_validator_accepts()
    {
        using var http = Connections.Client(trust.Installation.RootFile);
        var keys = new JsonWebKeySet(await http.GetStringAsync(trust.Installation.Addresses.Idp + "/jwks"));
        Assert.All(keys.Keys, k => Assert.False(k.HasPrivateKey));
        var granted = Assert.IsType<LoginResult.Granted>(await trust.Login(trust.World.Physician, "openid profile rx.sign", CancellationToken.None));
        var result = await new JsonWebTokenHandler().ValidateTokenAsync(granted.AccessToken, new TokenValidationParameters
        {
            ValidTypes = ["at+jwt"], ValidIssuer = trust.Installation.Addresses.Idp, ValidAudience = trust.Sign, IssuerSigningKeys = keys.GetSigningKeys(),
        });
        Assert.True(result.IsValid, result.Exception?.Message);
        var token = (JsonWebToken)result.SecurityToken;
        Assert.True(token.ValidTo - token.IssuedAt <= TimeSpan.FromMinutes(5));
        var licence = token.GetPayloadValue<JsonElement>("licence");
        Assert.Equal("active", licence.GetProperty("status").GetString());
        Assert.True(licence.TryGetProperty("verified_at", out _));
        // Rule §6 of the design: a national number appears in no token.
        Assert.DoesNotContain("510104198003", Base64UrlEncoder.Decode(granted.AccessToken.Split('.')[1]), StringComparison.Ordinal);
        Assert.Equal(trust.World.Physician.Authentication.Sha256Hex, token.GetPayloadValue<string>("login_certificate"));
    }
}
