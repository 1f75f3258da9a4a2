using System.Buffers.Text;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Hosting;

/// <summary>An issuer and a service that trusts it, shared by the tests of one class.</summary>
public sealed class TokenRig : IAsyncLifetime
{
    internal ManualClock Clock { get; } = new(DateTimeOffset.UtcNow);

    internal TestIssuer Issuer { get; private set; } = null!;

    internal TestService Service { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Issuer = await TestIssuer.Start();
        Service = await Start();
    }

    public async ValueTask DisposeAsync()
    {
        await Service.DisposeAsync();
        await Issuer.DisposeAsync();
    }

    private Task<TestService> Start() => TestService.Start(new TestService.Wish
    {
        Clock = Clock,
        Sections = Issuer.Sections,
        Listen = new JsonObject
        {
            ["A"] = new JsonObject { ["Url"] = "http://127.0.0.1:0" },
            ["B"] = new JsonObject { ["Url"] = "https://127.0.0.1:0", ["ClientCertificate"] = "Card" },
        },
        Routes = () => new RouteTable()
            .Get("/caller", Who.Token("read"), Limit.None, (HttpContext c) => Results.Text($"{c.Caller().Subject} {c.Caller().ClientId} {c.Caller().Role}"), "Who calls.")
            .Protocol("/caller", Who.Token("read"), Limit.None, () => Results.Text("posted"), "Who calls.")
            .Get("/other", Who.Token("other"), Limit.None, () => Results.Text("other"), "Another scope."),
    });
}

public sealed class TokenValidationTests(TokenRig rig) : IClassFixture<TokenRig>
{
    private readonly ManualClock _clock = rig.Clock;
    private readonly TestIssuer _issuer = rig.Issuer;
    private readonly TestService _service = rig.Service;

    public static TheoryData<string> Malformed()
    {
        string[] more =
        [
            "", ".", "..", "a..", ".b.c", "a.b", "a.b.c.d", "null.null.null", "e30.e30.", "e30.e30.AA", "bnVsbA.bnVsbA.AA", new string('a', 17 * 1024),
            new string('a', 5000) + "." + new string('b', 5000) + ".c", "AA==.AA==.AA==", "eyJhbGciOiJub25lIn0.e30.", "\u00ff\u00fe.b.c", "a.b.c,a.b.c", "a b c",
            Base64Url.EncodeToString("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"u8) + "." + Base64Url.EncodeToString("{\"sub\":\"\0\"}\0"u8) + ".AA",
            Base64Url.EncodeToString("{\"alg\":5,\"typ\":[],\"kid\":{}}"u8) + ".e30.AA",
        ];
        return [.. File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "Hosting", "Vectors", "jwt-malformed.txt")).Concat(more)];
    }

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task A_malformed_token_is_refused_by_401_and_a_challenge(string token)
    {
        using var answer = await Call("Bearer " + token);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Contains(answer.Headers.WwwAuthenticate, c => c.Scheme == "Bearer");
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
    }

    [Theory]
    [InlineData("Basic eDp5")]
    [InlineData("Bearer")]
    [InlineData("Bearer:")]
    [InlineData("BearerX")]
    [InlineData("\"Bearer\" x")]
    public async Task A_header_without_a_bearer_token_is_refused_by_401(string header)
    {
        using var answer = await Call(header);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Contains(answer.Headers.WwwAuthenticate, c => c.Scheme == "Bearer");
    }

    [Fact]
    public async Task Without_a_header_the_challenge_names_no_error()
    {
        using var answer = await _service.Client().GetAsync("caller");
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Equal(["Bearer", "DPoP algs=\"ES256 PS256\""], answer.Headers.WwwAuthenticate.Select(challenge => challenge.ToString()));
    }

    [Theory]
    [InlineData("Bearer ")]
    [InlineData("bearer ")]
    [InlineData("BEARER   ")]
    public async Task A_good_token_names_its_caller_in_whatever_case_the_scheme_is_written(string scheme)
    {
        using var answer = await Call(scheme + _issuer.Token(TestIssuer.Claims(_clock.GetUtcNow())));
        Assert.Equal("urn:mdid:p:01H console physician", await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Two_headers_are_refused_though_each_is_good()
    {
        var token = _issuer.Token(TestIssuer.Claims(_clock.GetUtcNow()));
        using var request = new HttpRequestMessage(HttpMethod.Get, "caller");
        request.Headers.TryAddWithoutValidation("Authorization", ["Bearer " + token, "Bearer " + token]);
        using var answer = await _service.Client().SendAsync(request);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
    }

    [Fact]
    public async Task A_token_in_query_or_form_is_not_looked_at()
    {
        using var query = await _service.Client().GetAsync("caller?access_token=" + _issuer.Token(TestIssuer.Claims(_clock.GetUtcNow())));
        Assert.Equal(HttpStatusCode.Unauthorized, query.StatusCode);
        using var form = await _service.Client().PostAsync("caller", new FormUrlEncodedContent([new("access_token", _issuer.Token(TestIssuer.Claims(_clock.GetUtcNow())))]));
        Assert.Equal(HttpStatusCode.Unauthorized, form.StatusCode);
    }

    [Theory]
    [InlineData("example:999999")]
    [InlineData("-")]
    [InlineData("a..b")]
    [InlineData("[::1")]
    public async Task A_host_header_that_is_no_address_is_no_fault(string host)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "caller") { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", _issuer.Token(TestIssuer.Claims(_clock.GetUtcNow()))) } };
        Assert.True(request.Headers.TryAddWithoutValidation("Host", host));
        using var answer = await _service.Client().SendAsync(request);
        Assert.InRange((int)answer.StatusCode, 200, 499);
    }

    public static TheoryData<string, string?> Claimed() => new()
    {
        { "sub", null }, { "sub", "\"\"" }, { "sub", "5" }, { "sub", "[\"a\",\"b\"]" }, { "sub", "{}" }, { "client_id", null }, { "client_id", "[\"console\"]" }, { "client_id", "true" },
        { "jti", null }, { "jti", "7" }, { "jti", "\"\"" }, { "iss", null }, { "iss", "\"https://idp.example/\"" }, { "iss", "\"https://other.example\"" }, { "iss", "[\"https://idp.example\"]" },
        { "aud", "[[\"https://test.example\"]]" }, { "sub", "\"a\",\"sub\":\"b\"" }, { "scope", "\"read\",\"client_id\":\"another\"" }, { "aud", null }, { "aud", "\"https://other.example\"" }, { "aud", "[]" }, { "aud", "{\"a\":\"https://test.example\"}" },
        { "exp", null }, { "exp", "1e30" }, { "exp", "-1" }, { "exp", "\"2999999999\"" }, { "exp", "1" }, { "exp", "2999999999" }, { "exp", "[]" }, { "exp", "null" },
        { "iat", null }, { "iat", "2999999999" }, { "iat", "1e300" }, { "iat", "\"x\"" }, { "nbf", "2999999999" }, { "nbf", "\"x\"" }, { "nbf", "1e30" },
        { "cnf", "{}" }, { "cnf", "null" }, { "cnf", "\"x\"" }, { "cnf", "5" }, { "cnf", "[]" }, { "cnf", "{\"jkt\":\"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I\"}" },
        { "cnf", "{\"x5t#S256\":\"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I\"}" }, { "cnf", "{\"x5t#S256\":5}" }, { "cnf", "{\"jwk\":{}}" }, { "cnf", "[{\"jkt\":\"x\"}]" },
        { "cnf", "{\"x5t#S256\":\"a\",\"jkt\":\"b\"}" }, { "cnf", "{\"kid\":null}" },
    };

    [Theory]
    [MemberData(nameof(Claimed))]
    public async Task A_signed_token_with_a_claim_that_is_not_as_it_must_be_is_refused_each_time(string claim, string? value)
    {
        var claims = TestIssuer.Claims(_clock.GetUtcNow());
        claims.Remove(claim);
        var payload = value is null ? claims.ToJsonString() : claims.ToJsonString()[..^1] + $",\"{claim}\":{value}}}";
        var token = _issuer.Raw("""{"alg":"ES256","typ":"at+jwt","kid":"k1"}""", payload);
        for (var i = 0; i < 2; i++)
        {
            using var answer = await Call("Bearer " + token);
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
            Assert.Equal("Bearer error=\"invalid_token\"", answer.Headers.WwwAuthenticate.ToString());
        }
    }

    [Theory]
    [InlineData("""{"alg":"ES256","typ":"JWT","kid":"k1"}""")]
    [InlineData("""{"alg":"ES256","kid":"k1"}""")]
    [InlineData("""{"alg":"ES256","typ":"at+jwt"}""")]
    [InlineData("""{"alg":"ES256","typ":"at+jwt","kid":"unknown"}""")]
    [InlineData("""{"alg":"ES384","typ":"at+jwt","kid":"k1"}""")]
    [InlineData("""{"alg":"HS256","typ":"at+jwt","kid":"k1"}""")]
    [InlineData("""{"alg":"none","typ":"at+jwt","kid":"k1"}""")]
    [InlineData("""{"alg":"ES256","typ":"at+jwt","kid":"k1","crit":["exp"],"exp":1}""")]
    public async Task A_header_that_promises_something_else_is_refused(string header)
    {
        using var answer = await Call("Bearer " + _issuer.Token(TestIssuer.Claims(_clock.GetUtcNow()), header));
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
    }

    [Fact]
    public async Task Two_algorithms_are_accepted_and_no_third()
    {
        using var pss = await Call("Bearer " + _issuer.RsaToken(_clock.GetUtcNow(), "PS256", RSASignaturePadding.Pss));
        Assert.Equal(HttpStatusCode.OK, pss.StatusCode);
        using var pkcs1 = await Call("Bearer " + _issuer.RsaToken(_clock.GetUtcNow(), "RS256", RSASignaturePadding.Pkcs1));
        Assert.Equal(HttpStatusCode.Unauthorized, pkcs1.StatusCode);
    }

    [Fact]
    public async Task A_token_that_was_good_ends_with_its_time_and_needs_its_scope_each_time()
    {
        var token = _issuer.Token(TestIssuer.Claims(_clock.GetUtcNow()));
        using var good = await Call("Bearer " + token);
        using var again = await Call("Bearer " + token);
        using var other = await Call("Bearer " + token, "other");
        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.Forbidden], [good.StatusCode, again.StatusCode, other.StatusCode]);
        Assert.Contains("insufficient_scope", other.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        _clock.Advance(TimeSpan.FromSeconds(301));
        using var late = await Call("Bearer " + token);
        Assert.Equal(HttpStatusCode.Unauthorized, late.StatusCode);
    }

    [Fact]
    public async Task A_known_token_is_taken_again_and_a_changed_one_is_another()
    {
        var token = _issuer.Token(TestIssuer.Claims(_clock.GetUtcNow()));
        using var good = await Call("Bearer " + token);
        Assert.Equal(HttpStatusCode.OK, good.StatusCode);
        var forged = token[..^8] + (token[^8] == 'A' ? "B" : "A") + token[^7..];
        using var bad = await Call("Bearer " + forged);
        Assert.Equal(HttpStatusCode.Unauthorized, bad.StatusCode);
    }

    [Fact]
    public async Task A_token_bound_to_a_certificate_is_good_on_its_connection_only()
    {
        using var own = TestService.Certificate("own");
        using var stranger = TestService.Certificate("stranger");
        var claims = TestIssuer.Claims(_clock.GetUtcNow());
        claims["cnf"] = new JsonObject { ["x5t#S256"] = Base64Url.EncodeToString(SHA256.HashData(own.RawData)) };
        var token = _issuer.Token(claims);
        foreach (var (certificate, wanted) in new[] { (own, HttpStatusCode.OK), (stranger, HttpStatusCode.Unauthorized), (null, HttpStatusCode.Unauthorized), (own, HttpStatusCode.OK) })
        {
            using var client = _service.Client(1, certificate);
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
            using var answer = await client.GetAsync("caller");
            Assert.Equal(wanted, answer.StatusCode);
        }
    }

    [Fact]
    public async Task The_scheme_DPoP_without_a_proof_is_refused_by_401_bound_or_not()
    {
        var claims = TestIssuer.Claims(_clock.GetUtcNow());
        using var unbound = await Call("DPoP " + _issuer.Token(claims));
        claims["cnf"] = new JsonObject { ["jkt"] = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" };
        using var bound = await Call("DPoP " + _issuer.Token(claims));
        Assert.Equal([HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized], [unbound.StatusCode, bound.StatusCode]);
    }

    private async Task<HttpResponseMessage> Call(string authorization, string path = "caller")
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        Assert.True(request.Headers.TryAddWithoutValidation("Authorization", authorization));
        using var client = new HttpClient(new SocketsHttpHandler { RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8 }) { BaseAddress = _service.Addresses[0] };
        return await client.SendAsync(request);
    }
}
