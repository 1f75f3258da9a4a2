using System.Text.Json.Nodes;
using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using Trust.Idp.Authorize;
using Trust.Idp.Clients;
using Trust.TestKit;

namespace Trust.Idp.Tests.Authorize;

/// <summary>Signed request objects (RFC 9101, FAPI 2.0 Message Signing; idp.md 7 row 6).</summary>
public sealed class RequestObjectTests : IDisposable
{
    private readonly Asking _asking = new();
    private readonly RequestObjects _objects = new(new ClientKeys(null!, new ManualClock(Asking.Now), NullLogger<ClientKeys>.Instance), Asking.Options, new ManualClock(Asking.Now));

    [Theory]
    [InlineData("fapi2", "ES256")]
    [InlineData("fapi2", "PS256")]
    [InlineData("oidc-compat", "RS256")]
    public async Task What_the_client_signed_is_what_counts(string profile, string alg)
    {
        var read = Assert.IsType<RequestObjectOutcome.Signed>(await _objects.Read(_asking.Sign(Asking.Claims(), alg, ""","typ":"oauth-authz-req+jwt" """), _asking.Client(profile), CancellationToken.None));
        Assert.Equal(("s-1", Asking.Redirect, null), (read.Parameters.Text("state"), read.Parameters.Text("redirect_uri"), read.Parameters.Text("iss")));
    }

    [Fact]
    public async Task Several_audiences_a_structure_and_ten_seconds_of_skew_are_accepted()
    {
        var claims = Asking.Claims();
        claims["aud"] = new JsonArray("https://other.example", Asking.Issuer);
        claims["nbf"] = Asking.Now.ToUnixTimeSeconds() + 8;
        claims["claims"] = new JsonObject { ["userinfo"] = new JsonObject { ["name"] = null } };
        claims["max_age"] = 60;
        claims["unknown"] = true;
        var read = Assert.IsType<RequestObjectOutcome.Signed>(await _objects.Read(_asking.Sign(claims), _asking.Client(), CancellationToken.None));
        Assert.Equal(("""{"userinfo":{"name":null}}""", "60", null), (read.Parameters.Text("claims"), read.Parameters.Text("max_age"), read.Parameters.Text("unknown")));
    }

    public static TheoryData<string, string?> Faults => new()
    {
        { "iss", null }, { "iss", "\"other\"" }, { "aud", null }, { "aud", "\"https://idp.example/par\"" }, { "aud", "[\"https://other.example\"]" }, { "aud", "[1,\"https://idp.example\"]" },
        { "client_id", "\"other\"" }, { "exp", null }, { "exp", "\"1796025900\"" }, { "exp", "1796025000" }, { "exp", "1e300" }, { "nbf", null }, { "nbf", "-1" },
        { "request", "\"x\"" }, { "request_uri", "\"urn:x\"" }, { "sub", "\"his\"" }, { "scope", "[\"openid\"]" }, { "state", "7" }, { "redirect_uri", "{}" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_member_that_is_missing_foreign_or_of_another_form_is_refused(string member, string? value)
    {
        var claims = Asking.Claims();
        claims.Remove(member);
        if (value is not null)
        {
            claims[member] = JsonNode.Parse(value);
        }

        await Refused(_asking.Sign(claims));
    }

    [Theory]
    [InlineData(-3700, 300)]
    [InlineData(11, 300)]
    [InlineData(0, 3601)]
    [InlineData(-3000, 601 + 3000)]
    [InlineData(0, 0)]
    public async Task A_request_that_is_not_of_this_hour_is_refused(int begins, int life)
    {
        var claims = Asking.Claims();
        claims["nbf"] = Asking.Now.ToUnixTimeSeconds() + begins;
        claims["exp"] = Asking.Now.ToUnixTimeSeconds() + begins + life;
        await Refused(_asking.Sign(claims));
    }

    [Theory]
    [InlineData("RS256")]
    [InlineData("HS256")]
    [InlineData("none")]
    [InlineData("ES512")]
    [InlineData("")]
    public async Task An_algorithm_that_is_not_offered_is_refused(string alg) => await Refused(_asking.Sign(Asking.Claims(), alg));

    [Theory]
    [InlineData(""","typ":"at+jwt" """)]
    [InlineData(""","crit":["exp"]""")]
    [InlineData(""","b64":false""")]
    [InlineData(""","alg":"none" """)]
    [InlineData(""","kid":"k2" """)]
    public async Task A_header_that_is_not_understood_is_refused(string header) => await Refused(_asking.Sign(Asking.Claims(), "ES256", header));

    [Fact]
    public async Task Another_clients_signature_a_member_twice_and_the_one_other_algorithm_are_refused()
    {
        using var other = new Asking();
        await Refused(other.Sign(Asking.Claims()));
        await Refused(_asking.Sign(Asking.Claims().ToJsonString().Replace("\"state\"", "\"state\":\"x\",\"state\"", StringComparison.Ordinal)));
        Assert.IsType<RequestObjectOutcome.Refused>(await _objects.Read(_asking.Sign(Asking.Claims()), _asking.Client(alg: "PS256"), CancellationToken.None));
        var signed = _asking.Sign(Asking.Claims());
        await Refused(signed[..^4] + (signed[^4] == 'A' ? 'B' : 'A') + signed[^3..]);
    }

    // oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported.
    [Fact]
    public async Task Unsigned_objects_are_not_supported_where_signed_ones_are_not_demanded() =>
        Assert.Equal("request_not_supported", Assert.IsType<RequestObjectOutcome.Refused>(await _objects.Read(_asking.Sign(Asking.Claims(), "none"), _asking.Client("oidc-compat"), CancellationToken.None)).Error);

    [Fact]
    public async Task Whatever_is_sent_is_read_or_refused_and_never_a_fault()
    {
        var client = _asking.Client();
        var good = _asking.Sign(Asking.Claims());
        await Gen.OneOf(
                Gen.String,
                Gen.Select(Gen.String, Gen.String, Gen.String, (a, b, c) => a + "." + b + "." + c),
                Gen.Select(Gen.Int[0, good.Length - 1], Gen.Char[' ', '~'], (at, with) => good[..at] + with + good[(at + 1)..]),
                Gen.Select(Gen.Int[0, 600], Gen.String, (at, with) => _asking.Sign(Asking.Claims().ToJsonString().Insert(Math.Min(at, Asking.Claims().ToJsonString().Length), with))))
            .SampleAsync(async text => Assert.NotNull(await _objects.Read(text, client, CancellationToken.None)), iter: 2_000, threads: 1);
    }

    public void Dispose() => _asking.Dispose();

    private async Task Refused(string value) =>
        Assert.Equal("invalid_request_object", Assert.IsType<RequestObjectOutcome.Refused>(await _objects.Read(value, _asking.Client(), CancellationToken.None)).Error);
}
