using System.Text.Json.Nodes;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Trust.Conformance.Tests.Suite;

/// <summary>How a relying party of a plan asks: plainly, pushed, pushed and signed.</summary>
internal sealed record Manner
{
    /// <summary>RFC 9126.</summary>
    public bool Pushes { get; init; }

    /// <summary>RFC 9101.</summary>
    public bool Signs { get; init; }

    /// <summary>RFC 7636 with S256.</summary>
    public bool Proves { get; init; }

    /// <summary>The response mode asked for, or null.</summary>
    public string? ResponseMode { get; init; }
}

/// <summary>One authorization: the request, the way through the browser, the code for tokens. A module changes what it wants to try before each step.</summary>
internal sealed class Authorization
{
    private readonly Manner _manner;

    public Authorization(RelyingParty client, Manner manner, string scope)
    {
        (Client, _manner) = (client, manner);
        Fields = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["response_type"] = "code", ["client_id"] = client.Id, ["redirect_uri"] = client.Redirect, ["scope"] = scope, ["state"] = Jwt.Random(), ["nonce"] = Jwt.Random(),
        };
        if (manner.Proves)
        {
            Fields["code_challenge"] = Jwt.S256(Verifier);
            Fields["code_challenge_method"] = "S256";
        }

        if (manner.ResponseMode is { } mode)
        {
            Fields["response_mode"] = mode;
        }
    }

    public RelyingParty Client { get; }

    public Provider Provider => Client.Provider;

    /// <summary>The parameters of the request.</summary>
    public Dictionary<string, string> Fields { get; }

    public string Verifier { get; } = Jwt.Random(32);

    /// <summary>Sends no verifier at the token endpoint.</summary>
    public bool HidesVerifier { get; set; }

    /// <summary>Changes the claims of the request object.</summary>
    public Action<JsonObject>? RequestObject { get; set; }

    /// <summary>Changes the finished request object.</summary>
    public Func<string, string>? Signed { get; set; }

    /// <summary>Signs the request object instead of the client's key.</summary>
    public SigningKey? RequestKey { get; set; }

    /// <summary>Sends the parameters beside the request object instead of inside.</summary>
    public bool LeavesUnsigned { get; set; }

    /// <summary>The request object over <see cref="Fields"/>.</summary>
    public string SignedRequest()
    {
        var now = Jwt.Now;
        var claims = new JsonObject { ["iss"] = Client.Id, ["aud"] = Provider.Issuer, ["iat"] = now, ["nbf"] = now, ["exp"] = now + 300, ["jti"] = Jwt.Random() };
        foreach (var (name, value) in Fields)
        {
            claims[name] = name is "claims" or "authorization_details" ? JsonNode.Parse(value) : name is "max_age" ? int.Parse(value, System.Globalization.CultureInfo.InvariantCulture) : value;
        }

        RequestObject?.Invoke(claims);
        var key = RequestKey ?? Client.Key;
        var jwt = Jwt.Sign(new JsonObject { ["alg"] = key.Alg, ["kid"] = key.Kid, ["typ"] = "oauth-authz-req+jwt" }, claims, key);
        return Signed?.Invoke(jwt) ?? jwt;
    }

    /// <summary>Pushes the request (RFC 9126).</summary>
    public Task<Answer> Push(Call? call = null, params IEnumerable<KeyValuePair<string, string>> more) => Client.Post(
        "pushed_authorization_request_endpoint",
        _manner.Signs && !LeavesUnsigned ? [new("client_id", Client.Id), new("request", SignedRequest()), .. more] : [.. Fields, .. more], call);

    /// <summary>Pushes and holds the answer to be right.</summary>
    public async Task<string> Pushed(Call? call = null)
    {
        var answer = (await Push(call)).Succeeded(201);
        Assert.InRange(answer.Json["expires_in"]!.GetValue<int>(), 5, 599);
        return answer.Text("request_uri")!;
    }

    /// <summary>The address that a browser opens.</summary>
    public async Task<string> Address(string? requestUri = null, params IEnumerable<KeyValuePair<string, string>> more)
    {
        IEnumerable<KeyValuePair<string, string>> fields = requestUri is null ? Fields : [new("client_id", Client.Id), new("request_uri", requestUri)];
        return await Provider.Endpoint("authorization_endpoint") + "?" + Query([.. fields, .. more]);
    }

    public static string Query(params IEnumerable<KeyValuePair<string, string>> fields) => string.Join('&', fields.Select(f => Uri.EscapeDataString(f.Key) + "=" + Uri.EscapeDataString(f.Value)));

    /// <summary>The whole way of the browser, as the plan asks.</summary>
    public async Task<Outcome> Ask(Browser browser, Person? person = null, Call? call = null, params IEnumerable<KeyValuePair<string, string>> more) =>
        await Judge(await browser.Open(await Address(_manner.Pushes ? await Pushed(call) : null, more), person));

    /// <summary>Holds an answer to be of the mode asked for; a JARM answer is verified and opened, and <c>iss</c> and <c>state</c> must be ours.</summary>
    public async Task<Outcome> Judge(Outcome outcome)
    {
        if (outcome is not Outcome.Answered answered)
        {
            return outcome;
        }

        Assert.StartsWith(Fields.GetValueOrDefault("redirect_uri", Client.Redirect), answered.At.ToString(), StringComparison.Ordinal);
        if (_manner.ResponseMode is { } asked)
        {
            Assert.Equal(asked.StartsWith("form_post", StringComparison.Ordinal) ? "form_post" : "query", answered.Mode);
        }

        if (_manner.ResponseMode?.EndsWith("jwt", StringComparison.Ordinal) == true)
        {
            answered = answered with { Parameters = await Opened(answered["response"] ?? throw new Xunit.Sdk.XunitException("no response: " + answered)) };
        }

        // RFC 9207.
        Assert.Equal(Provider.Issuer, answered["iss"]);
        Assert.Equal(Fields.GetValueOrDefault("state"), answered["state"]);
        return answered;
    }

    /// <summary>The code for tokens.</summary>
    public Task<Answer> Redeem(string code, Call? call = null, params IEnumerable<KeyValuePair<string, string>> more)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal) { ["code"] = code, ["redirect_uri"] = Fields["redirect_uri"] };
        if (_manner.Proves && !HidesVerifier)
        {
            fields["code_verifier"] = Verifier;
        }

        foreach (var (name, value) in more)
        {
            fields[name] = value;
        }

        return Client.Token("authorization_code", fields, call);
    }

    /// <summary>A whole run: ask, redeem, judge the tokens.</summary>
    public async Task<Granted> Complete(Browser browser, Call? call = null)
    {
        var answered = (await Ask(browser)).Granted();
        return await Tokens(await Redeem(answered.Code, call));
    }

    /// <summary>Judges a token answer (RFC 6749 5.1, OpenID Connect Core 3.1.3.3 and 3.1.3.7).</summary>
    public Task<Granted> Tokens(Answer answer) => Granted.Of(Client, answer, Fields.GetValueOrDefault("nonce"));

    // JARM 2.4: the claims are parameters; iss and aud say from whom and to whom.
    private async Task<Dictionary<string, string>> Opened(string response)
    {
        var keys = await Provider.Keys();
        var result = await new JsonWebTokenHandler { MapInboundClaims = false }.ValidateTokenAsync(response, new TokenValidationParameters
        {
            ValidIssuer = Provider.Issuer, ValidAudience = Client.Id, IssuerSigningKeys = keys.GetSigningKeys(), ValidAlgorithms = [Client.Text("authorization_signed_response_alg", "ES256")],
        });
        Assert.True(result.IsValid, "the answer's signature or claims: " + result.Exception?.Message);
        return Jwt.Payload(response).Where(c => c.Value is JsonValue).ToDictionary(c => c.Key, c => c.Value!.ToString(), StringComparer.Ordinal);
    }
}
