using CsCheck;
using Trust.Idp.Authorize;
using Trust.Idp.Clients;
using Trust.TestKit;

namespace Trust.Idp.Tests.Authorize;

/// <summary>One reading of a request, judged by the client's profile.</summary>
public sealed class AuthorizationParametersTests : IDisposable
{
    private readonly Asking _asking = new();
    private readonly AuthorizationParameters _parameters = new(null!, new ManualClock(Asking.Now));

    [Theory]
    [InlineData("fapi2", false, false)]
    [InlineData("standard", false, false)]
    [InlineData("oidc-compat", false, true)]
    [InlineData("oidc-compat", true, false)]
    public async Task PKCE_is_left_out_by_confidential_clients_of_older_libraries_only(string profile, bool isPublic, bool may)
    {
        var judged = await Judge(_asking.Client(profile) with { IsPublic = isPublic }, ("code_challenge", null), ("code_challenge_method", null));
        Assert.Equal(may, judged is AuthorizationOutcome.Accepted);
        // Half of it, or another method, is taken by nobody.
        Assert.IsType<AuthorizationOutcome.Refused>(await Judge(_asking.Client(profile), ("code_challenge", null)));
        Assert.IsType<AuthorizationOutcome.Refused>(await Judge(_asking.Client(profile), ("code_challenge_method", null)));
    }

    [Theory]
    [InlineData("https://his.example@@evil.example/cb")]
    [InlineData("https://hisXexample/cb")]
    [InlineData("https://HIS.example/cb")]
    [InlineData("https://his.example:443/cb")]
    [InlineData("https://his.example/cb#")]
    [InlineData("https://his.example/cb?")]
    [InlineData("https://his.example/cb/..")]
    [InlineData("https://his.example/%63b")]
    public async Task Only_the_registered_address_is_told_anything(string redirect) =>
        Assert.Null(Assert.IsType<AuthorizationOutcome.Refused>(await Judge(_asking.Client(), ("redirect_uri", redirect))).To);

    [Fact]
    public async Task What_is_asked_for_is_kept_for_the_answer_and_the_tokens()
    {
        var client = _asking.Client(types: "record_access");
        client = client with { Metadata = client.Metadata with { DefaultMaxAge = 60 } };
        const string claims = """{"id_token":{"sub":{"value":"urn:mdid:p:1"},"acr":{"essential":true,"value":"urn:trust:acr:card"}}}""";
        var request = Assert.IsType<AuthorizationOutcome.Accepted>(
            await Judge(client, ("claims", claims), ("response_mode", "form_post.jwt"), ("dpop_jkt", new string('j', 43)), ("resource", null))).Request;
        Assert.Equal((claims, "form_post.jwt", new string('j', 43), "urn:mdid:p:1", 60, "https://sign.example"),
            (request.Claims, request.ResponseMode, request.DpopJkt, request.HintSubject, request.MaxAge, request.Resource));
        Assert.True(request.IsMetBy("urn:trust:acr:card"));
        Assert.False(request.IsMetBy("urn:trust:acr:card-degraded"));
    }

    [Theory]
    [InlineData("claims", """{"id_token":{"acr":{"essential":true,"values":["urn:other"]}}}""", "unmet_authentication_requirements")]
    [InlineData("claims", "7", "invalid_request")]
    [InlineData("response_mode", "fragment", "invalid_request")]
    [InlineData("prompt", "none login", "invalid_request")]
    [InlineData("max_age", "1.5", "invalid_request")]
    [InlineData("authorization_details", "[{}]", "invalid_authorization_details")]
    public async Task A_rule_that_is_broken_is_told_at_the_registered_address(string name, string value, string error)
    {
        var refused = Assert.IsType<AuthorizationOutcome.Refused>(await Judge(_asking.Client(), (name, value)));
        Assert.Equal((error, Asking.Redirect, "s-1"), (refused.Error, refused.To!.RedirectUri, refused.To.State));
    }

    [Fact]
    public async Task An_essential_acr_that_the_login_does_not_meet_and_a_wish_that_it_does_not_are_told_apart() =>
        Assert.IsType<AuthorizationOutcome.Accepted>(await Judge(_asking.Client(), ("acr_values", "urn:other"), ("claims", """{"id_token":{"acr":{"values":["urn:other"]}}}""")));

    [Fact]
    public async Task Whatever_is_sent_is_judged_and_never_a_fault()
    {
        string[] profiles = ["fapi2", "standard", "oidc-compat"];
        var names = AuthorizationParameters.Known.Where(n => n != "id_token_hint").ToArray();
        await Gen.Select(Gen.Int[0, 2], Gen.Int[0, names.Length - 1], Gen.String, Gen.Int[0, names.Length - 1], Gen.String)
            .SampleAsync(async x => Assert.NotNull(await Judge(_asking.Client(profiles[x.Item1]), (names[x.Item2], x.Item3.Replace("\0", "", StringComparison.Ordinal)), (names[x.Item4], x.Item5.Replace("\0", "", StringComparison.Ordinal)))), iter: 1_000, threads: 1);
    }

    public void Dispose() => _asking.Dispose();

    private async Task<AuthorizationOutcome> Judge(Client client, params (string Name, string? Value)[] more)
    {
        var values = Asking.Claims().Where(c => c.Key is not ("iss" or "aud" or "nbf" or "exp")).ToDictionary(c => c.Key, c => c.Value!.GetValue<string>(), StringComparer.Ordinal);
        foreach (var (name, value) in more)
        {
            values[name] = value ?? "";
        }

        return FormFields.OfValues(values) is { } fields ? await _parameters.Judge(fields, client) : new AuthorizationOutcome.Refused("invalid_request", "too long", null);
    }
}
