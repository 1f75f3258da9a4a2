using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Trust.TestKit;

namespace Trust.Conformance.Tests.Suite;

/// <summary>The two clients of a plan's variant; a third where a module needs another way to prove itself.</summary>
internal sealed record Pair(RelyingParty First, RelyingParty Second, RelyingParty? Third = null);

/// <summary>The suite's clients, registered by the operator's verb as any client is.</summary>
internal sealed partial class Registrations(ConformanceRun run)
{
    private readonly ConcurrentDictionary<string, Lazy<Task<Pair>>> _pairs = new(StringComparer.Ordinal);
    private readonly Lazy<Task<string>> _initialToken = new(() => InitialToken(run));
    private int _count;

    /// <summary>Clients of the profile oidc-compat: a secret, RS256, no PKCE.</summary>
    public Task<Pair> Compat(string plan) => Once("compat-" + plan, async () =>
    {
        var (first, second, third) = (Compat(plan, 1), Compat(plan, 2), Compat(plan, 3, "client_secret_post"));
        await Import(first, second, third);
        return new Pair(first, second, third);
    });

    /// <summary>Clients of the profile fapi2.</summary>
    /// <param name="authentication"><c>private_key_jwt</c> or <c>mtls</c>.</param>
    /// <param name="constraint"><c>dpop</c> or <c>mtls</c>.</param>
    /// <param name="signing">True for those that sign requests and want signed answers.</param>
    public Task<Pair> Fapi2(string authentication, string constraint, bool signing) => Once($"fapi2-{authentication}-{constraint}-{(signing ? "signing" : "plain")}", async () =>
    {
        var (first, second) = (Fapi2(authentication, constraint, signing, 1), Fapi2(authentication, constraint, signing, 2));
        await Import(first, second);
        return new Pair(first, second);
    });

    /// <summary>Clients of CIBA: signed requests, tokens bound to certificates.</summary>
    public Task<Pair> Ciba(string mode, string authentication) => Once($"ciba-{mode}-{authentication}", async () =>
    {
        var (first, second) = (Ciba(mode, authentication, 1), Ciba(mode, authentication, 2));
        await Import(first, second);
        return new Pair(first, second);
    });

    /// <summary>A client for mod_auth_openidc: the simplest that the profile oidc-compat allows.</summary>
    public async Task<RelyingParty> Apache(string redirect)
    {
        var client = Compat("apache", Next());
        client.Registration["redirect_uris"] = new JsonArray(redirect);
        await Import(client);
        return client;
    }

    /// <summary>A CIBA client of the profile standard, which need not sign its requests.</summary>
    public async Task<RelyingParty> PlainCiba()
    {
        var client = Ciba("poll", "private_key_jwt", 9);
        client.Registration["profile"] = "standard";
        client.Registration.Remove("tls_client_certificate_bound_access_tokens");
        client.Registration.Remove("backchannel_authentication_request_signing_alg");
        await Import(client);
        return client;
    }

    /// <summary>Registers a client at the provider's own endpoint (RFC 7591).</summary>
    public async Task<Answer> Register(JsonObject metadata, string? token = null)
    {
        using var http = Cli.Local.Connections.Client(run.Provider.RootFile);
        using var request = new HttpRequestMessage(HttpMethod.Post, await run.Provider.Endpoint("registration_endpoint"))
        {
            Content = new StringContent(metadata.ToJsonString(), Encoding.UTF8, "application/json"),
        };
        request.Headers.Authorization = new("Bearer", token ?? await _initialToken.Value);
        using var response = await http.SendAsync(request);
        return await Answer.Of(response);
    }

    /// <summary>Registers, and is the client that came of it.</summary>
    public async Task<RelyingParty> Registered(SigningKey key, JsonObject metadata)
    {
        var answer = (await Register(metadata)).Succeeded(201);
        foreach (var (name, value) in metadata)
        {
            // RFC 7591 3.2.1: all registered metadata comes back.
            Assert.True(answer.Json[name] is not null, $"{name} did not come back: {answer.Body}");
            Assert.Equal(value!.ToJsonString(), answer.Json[name]!.ToJsonString());
        }

        return new RelyingParty(run.Provider, answer.Json, key) { Secret = answer.Text("client_secret") };
    }

    /// <summary>What a client of the dynamic plan registers.</summary>
    public (SigningKey Key, JsonObject Metadata) Dynamic(string name)
    {
        var key = SigningKey.Rsa("dynamic", "RS256");
        return (key, new JsonObject
        {
            ["client_name"] = "Conformance " + name, ["redirect_uris"] = new JsonArray($"{run.Receiver.Address}/{name}/callback"), ["grant_types"] = new JsonArray("authorization_code", "refresh_token"),
            ["response_types"] = new JsonArray("code"), ["token_endpoint_auth_method"] = "private_key_jwt", ["jwks"] = SigningKey.Jwks(key),
        });
    }

    /// <summary>A number that no other client of the run has.</summary>
    public int Next() => Interlocked.Increment(ref _count);

    private Task<Pair> Once(string name, Func<Task<Pair>> make) => _pairs.GetOrAdd(name, _ => new Lazy<Task<Pair>>(make)).Value;

    private RelyingParty Compat(string plan, int number, string method = "client_secret_basic")
    {
        var secret = Jwt.Random(32);
        var key = SigningKey.Rsa("compat", "RS256");
        var client = Registration($"compat-{plan}-{number}", "oidc-compat", plan + number, "authorization_code", "refresh_token");
        client["token_endpoint_auth_method"] = method;
        client["client_secret_sha256"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));
        client["id_token_signed_response_alg"] = "RS256";
        client["jwks"] = SigningKey.Jwks(key);
        if (plan.Contains("backchannel", StringComparison.Ordinal))
        {
            client["backchannel_logout_uri"] = $"{run.Receiver.Address}/{plan}{number}/backchannel";
            client["backchannel_logout_session_required"] = true;
        }

        if (plan.Contains("frontchannel", StringComparison.Ordinal))
        {
            client["frontchannel_logout_uri"] = $"{run.Receiver.Address}/{plan}{number}/frontchannel";
            client["frontchannel_logout_session_required"] = true;
        }

        return new RelyingParty(run.Provider, client, key) { Secret = secret };
    }

    private RelyingParty Fapi2(string authentication, string constraint, bool signing, int number)
    {
        var name = $"fapi2-{authentication.Replace('_', '-')}-{constraint}{(signing ? "-signing" : "")}-{number}";
        // RFC 8725 3.2: the second key lets a module sign by an algorithm that only its name forbids.
        var (key, other) = (SigningKey.Ec("main").WithCertificate(name), SigningKey.Rsa("other"));
        var client = Registration(name, "fapi2", name, "authorization_code", "refresh_token");
        Prove(client, authentication);
        client[constraint == "dpop" ? "dpop_bound_access_tokens" : "tls_client_certificate_bound_access_tokens"] = true;
        client["jwks"] = SigningKey.Jwks(key, other);
        if (signing)
        {
            client["require_signed_request_object"] = true;
            client["authorization_signed_response_alg"] = "ES256";
        }

        return new RelyingParty(run.Provider, client, key) { OtherKey = other };
    }

    private RelyingParty Ciba(string mode, string authentication, int number)
    {
        var name = $"ciba-{mode}-{authentication.Replace('_', '-')}-{number}";
        var (key, other) = (SigningKey.Ec("main").WithCertificate(name), SigningKey.Rsa("other"));
        var client = Registration(name, "fapi2", name, "urn:openid:params:grant-type:ciba", "refresh_token");
        client.Remove("redirect_uris");
        client.Remove("post_logout_redirect_uris");
        Prove(client, authentication);
        client["tls_client_certificate_bound_access_tokens"] = true;
        client["jwks"] = SigningKey.Jwks(key, other);
        client["backchannel_token_delivery_mode"] = mode;
        client["backchannel_authentication_request_signing_alg"] = "ES256";
        if (mode == "ping")
        {
            client["backchannel_client_notification_endpoint"] = $"{run.Receiver.Address}/{name}/notification";
        }

        return new RelyingParty(run.Provider, client, key) { OtherKey = other };
    }

    private static void Prove(JsonObject client, string authentication) =>
        client["token_endpoint_auth_method"] = authentication == "mtls" ? "self_signed_tls_client_auth" : "private_key_jwt";

    private JsonObject Registration(string id, string profile, string path, params string[] grants) => new()
    {
        ["client_id"] = id, ["name_zh"] = "一致性检验", ["name_en"] = "Conformance " + id, ["profile"] = profile, ["grant_types"] = new JsonArray([.. grants.Select(g => (JsonNode)g)]),
        ["redirect_uris"] = new JsonArray($"{run.Receiver.Address}/{path}/callback"), ["post_logout_redirect_uris"] = new JsonArray($"{run.Receiver.Address}/{path}/logged-out"),
        ["scopes"] = new JsonArray("openid", "profile", "email", "address", "phone", "offline_access"), ["resources"] = new JsonArray(run.Installation.Addresses.Sign),
        ["institution"] = run.World.Institutions[0], ["region"] = run.Installation.Region,
    };

    private async Task Import(params RelyingParty[] clients)
    {
        var file = Path.Combine(Scratch.Directory("clients"), "clients.json");
        await File.WriteAllTextAsync(file, new JsonArray([.. clients.Select(c => c.Registration.DeepClone())]).ToJsonString());
        await run.Installation.Services["idp"].Verb("import-clients", ["--file", file], CancellationToken.None);
    }

    private static async Task<string> InitialToken(ConformanceRun run)
    {
        var printed = await run.Installation.Services["idp"].Verb("issue-registration-token", [
            "--hosts", new Uri(run.Receiver.Address).Authority, "--profile", "oidc-compat", "--scopes", "openid,profile,offline_access", "--resources", run.Installation.Addresses.Sign,
            "--expires", "24h"], CancellationToken.None);
        return TokenText().Match(printed) is { Success: true } token ? token.Value : throw new Xunit.Sdk.XunitException("No token was printed: " + printed);
    }

    [GeneratedRegex("[A-Za-z0-9_-]{43}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TokenText();
}
