using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Trust.Cli.Local;

namespace Trust.Conformance.Tests.Suite;

/// <summary>How one call differs from the right one.</summary>
internal sealed record Call
{
    public static Call Right { get; } = new();

    /// <summary>Changes the claims of the client's assertion.</summary>
    public Action<JsonObject>? Assertion { get; init; }

    /// <summary>Signs the assertion with this key instead.</summary>
    public SigningKey? AssertionKey { get; init; }

    /// <summary>Does not prove who calls; <c>client_id</c> alone stands there.</summary>
    public bool Unauthenticated { get; init; }

    /// <summary>The proof: null for the right one, empty for none.</summary>
    public string? Proof { get; init; }

    /// <summary>Key that proofs are signed with instead of the client's.</summary>
    public Dpop? ProofKey { get; init; }

    /// <summary>Changes the proof before it is signed.</summary>
    public Action<JsonObject, JsonObject>? ProofChange { get; init; }

    /// <summary>Shows no certificate.</summary>
    public bool WithoutCertificate { get; init; }
}

/// <summary>A registered client of the suite: its keys, its certificate, and the calls that it makes itself.</summary>
internal sealed class RelyingParty(Provider provider, JsonObject registration, SigningKey key)
{
    private const string AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    private string? _nonce;

    public string Id => registration["client_id"]!.GetValue<string>();

    /// <summary>What was registered, by RFC 7591 names.</summary>
    public JsonObject Registration => registration;

    public SigningKey Key => key;

    /// <summary>A second registered key, RSA, of the fapi2 clients.</summary>
    public SigningKey? OtherKey { get; init; }

    public string? Secret { get; init; }

    public Dpop Dpop { get; } = new();

    public Provider Provider => provider;

    public string Redirect => registration["redirect_uris"]![0]!.GetValue<string>();

    public string Method => registration["token_endpoint_auth_method"]?.GetValue<string>() ?? "client_secret_basic";

    public bool IsDpop => Flag("dpop_bound_access_tokens");

    public bool IsCertificateBound => Flag("tls_client_certificate_bound_access_tokens");

    public bool UsesCertificate => IsCertificateBound || Method.EndsWith("tls_client_auth", StringComparison.Ordinal);

    public string Text(string member, string otherwise) => registration[member]?.GetValue<string>() ?? otherwise;

    /// <summary>A client assertion (RFC 7523): audience the issuer, one minute.</summary>
    public string Assertion(Action<JsonObject>? change = null, SigningKey? by = null)
    {
        var now = Jwt.Now;
        var claims = new JsonObject { ["iss"] = Id, ["sub"] = Id, ["aud"] = provider.Issuer, ["iat"] = now, ["exp"] = now + 60, ["jti"] = Jwt.Random() };
        change?.Invoke(claims);
        var signer = by ?? key;
        return Jwt.Sign(new JsonObject { ["alg"] = signer.Alg, ["kid"] = signer.Kid }, claims, signer);
    }

    /// <summary>Posts a form to an endpoint, as the client that it is.</summary>
    public async Task<Answer> Post(string endpoint, IEnumerable<KeyValuePair<string, string>> fields, Call? call = null)
    {
        call ??= Call.Right;
        var url = await provider.Endpoint(endpoint, UsesCertificate);
        var answer = await Send(url, endpoint, fields, call);
        if (answer.Error == "use_dpop_nonce" && answer.Headers.TryGetValues("DPoP-Nonce", out var nonces))
        {
            _nonce = nonces.First();
            answer = await Send(url, endpoint, fields, call);
        }

        return answer;
    }

    public Task<Answer> Token(string grant, IEnumerable<KeyValuePair<string, string>> fields, Call? call = null) =>
        Post("token_endpoint", [new("grant_type", grant), .. fields], call);

    public Task<Answer> Refresh(string token, Call? call = null) => Token("refresh_token", [new("refresh_token", token)], call);

    /// <summary>Calls <c>/userinfo</c> with a token, as the client's tokens must be shown.</summary>
    public async Task<Answer> UserInfo(string token, Call? call = null, HttpMethod? method = null, string? scheme = null, bool inBody = false, Action<HttpRequestMessage>? change = null)
    {
        call ??= Call.Right;
        var url = await provider.Endpoint("userinfo_endpoint", UsesCertificate);
        using var http = Http(call);
        using var request = new HttpRequestMessage(method ?? HttpMethod.Get, url);
        if (inBody)
        {
            request.Content = new FormUrlEncodedContent([new("access_token", token)]);
        }
        else
        {
            request.Headers.TryAddWithoutValidation("Authorization", (scheme ?? (IsDpop ? "DPoP" : "Bearer")) + " " + token);
        }

        if (IsDpop && call.Proof is not "")
        {
            request.Headers.TryAddWithoutValidation("DPoP", call.Proof ?? (call.ProofKey ?? Dpop).Proof(request.Method.Method, url, token, _nonce, call.ProofChange));
        }

        change?.Invoke(request);
        using var response = await http.SendAsync(request);
        return await Answer.Of(response);
    }

    /// <summary>A connection, with the certificate where the client has to do with one.</summary>
    public HttpClient Http(Call? call = null) => Connections.Client(provider.RootFile, UsesCertificate && call is not { WithoutCertificate: true } ? key.Certificate : null);

    private async Task<Answer> Send(string url, string endpoint, IEnumerable<KeyValuePair<string, string>> fields, Call call)
    {
        var form = fields.ToList();
        using var request = new HttpRequestMessage(HttpMethod.Post, url);
        Authenticate(request, form, call);
        if (IsDpop && (call.Proof ?? Proof(endpoint, url, call)) is { Length: > 0 } proof)
        {
            request.Headers.TryAddWithoutValidation("DPoP", proof);
        }

        request.Content = new FormUrlEncodedContent(form);
        using var http = Http(call);
        using var response = await http.SendAsync(request);
        return await Answer.Of(response);
    }

    // At other endpoints than the token endpoint a proof is a choice of the module.
    private string? Proof(string endpoint, string url, Call call) =>
        endpoint is "token_endpoint" || call.ProofKey is not null || call.ProofChange is not null ? (call.ProofKey ?? Dpop).Proof("POST", url, null, _nonce, call.ProofChange) : null;

    private void Authenticate(HttpRequestMessage request, List<KeyValuePair<string, string>> form, Call call)
    {
        bool Missing(string name) => form.TrueForAll(f => f.Key != name);
        switch (call.Unauthenticated ? "none" : Method)
        {
            case "client_secret_basic":
                request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(Uri.EscapeDataString(Id) + ":" + Uri.EscapeDataString(Secret!))));
                break;
            case "client_secret_post":
                form.Add(new("client_id", Id));
                form.Add(new("client_secret", Secret!));
                break;
            case "private_key_jwt":
                form.Add(new("client_assertion_type", AssertionType));
                form.Add(new("client_assertion", Assertion(call.Assertion, call.AssertionKey)));
                break;
            default:
                if (Missing("client_id"))
                {
                    form.Add(new("client_id", Id));
                }

                break;
        }
    }

    private bool Flag(string member) => registration[member] is JsonValue value && value.GetValue<bool>();
}
