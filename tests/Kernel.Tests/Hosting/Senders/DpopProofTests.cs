using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Trust.Kernel.Hosting.Senders;

namespace Trust.Kernel.Tests.Hosting.Senders;

/// <summary>DPoP proofs (RFC 9449 4.2, 4.3): what is read, what is refused, and for which request a proof counts.</summary>
public sealed class DpopProofTests
{
    // RFC 9449 figure 2 and 4: proof, and the thumbprint of its key in figure 10.
    private const string OfTheRfc =
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

    private static readonly ECDsa Key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private static readonly RSA Rsa = RSA.Create(2048);
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeSeconds(1_780_000_000);
    private static readonly Uri Target = new("https://idp.example/token");

    public static TheoryData<string, Action<JsonObject, JsonObject>> Broken => new()
    {
        { "no typ", (h, _) => h.Remove("typ") }, { "typ JWT", (h, _) => h["typ"] = "JWT" }, { "typ in capitals", (h, _) => h["typ"] = "DPOP+JWT" },
        { "no alg", (h, _) => h.Remove("alg") }, { "alg none", (h, _) => h["alg"] = "none" }, { "alg HS256", (h, _) => h["alg"] = "HS256" }, { "alg RS256", (h, _) => h["alg"] = "RS256" },
        { "alg PS256 with an EC key", (h, _) => h["alg"] = "PS256" }, { "alg a number", (h, _) => h["alg"] = 256 },
        { "no jwk", (h, _) => h.Remove("jwk") }, { "jwk a string", (h, _) => h["jwk"] = "x" }, { "jwk with d", (h, _) => h["jwk"]!["d"] = "AAAA" },
        { "jwk of another key", (h, _) => h["jwk"] = Jwk(ECDsa.Create(ECCurve.NamedCurves.nistP256)) }, { "jwk off the curve", (h, _) => h["jwk"]!["x"] = new string('A', 43) },
        { "jwk on P-384", (h, _) => h["jwk"]!["crv"] = "P-384" }, { "jwk symmetric", (h, _) => h["jwk"] = new JsonObject { ["kty"] = "oct", ["k"] = "AAAA" } }, { "crit", (h, _) => h["crit"] = new JsonArray("b64") },
        { "no jti", (_, p) => p.Remove("jti") }, { "jti empty", (_, p) => p["jti"] = "" }, { "jti long", (_, p) => p["jti"] = new string('j', 257) }, { "jti a number", (_, p) => p["jti"] = 1 },
        { "no htm", (_, p) => p.Remove("htm") }, { "no htu", (_, p) => p.Remove("htu") }, { "no iat", (_, p) => p.Remove("iat") }, { "iat a string", (_, p) => p["iat"] = "1780000000" },
        { "iat beyond all dates", (_, p) => p["iat"] = 1e300 }, { "exp a string", (_, p) => p["exp"] = "never" }, { "nbf null", (_, p) => p["nbf"] = null }, { "ath a number", (_, p) => p["ath"] = 5 },
    };

    public static TheoryData<string, Action<JsonObject, JsonObject>> Elsewhere => new()
    {
        { "another method", (_, p) => p["htm"] = "GET" }, { "the method in small letters", (_, p) => p["htm"] = "post" }, { "another path", (_, p) => p["htu"] = "https://idp.example/par" },
        { "another case of the path", (_, p) => p["htu"] = "https://idp.example/Token" }, { "another host", (_, p) => p["htu"] = "https://idp.example.org/token" }, { "another port", (_, p) => p["htu"] = "https://idp.example:8443/token" },
        { "http", (_, p) => p["htu"] = "http://idp.example/token" }, { "a user in it", (_, p) => p["htu"] = "https://idp@idp.example/token" }, { "relative", (_, p) => p["htu"] = "/token" },
        { "an hour ago", (_, p) => p["iat"] = Now.ToUnixTimeSeconds() - 3600 }, { "61 s ago", (_, p) => p["iat"] = Now.ToUnixTimeSeconds() - 61 }, { "in an hour", (_, p) => p["iat"] = Now.ToUnixTimeSeconds() + 3600 },
        { "16 s ahead", (_, p) => p["iat"] = Now.ToUnixTimeSeconds() + 16 }, { "expired", (_, p) => p["exp"] = Now.ToUnixTimeSeconds() }, { "not yet", (_, p) => p["nbf"] = Now.ToUnixTimeSeconds() + 16 },
    };

    public static TheoryData<string, Action<JsonObject, JsonObject>> Good => new()
    {
        { "as it is", (_, _) => { } }, { "10 s ahead", (_, p) => p["iat"] = Now.ToUnixTimeSeconds() + 10 }, { "10 s ago", (_, p) => p["iat"] = Now.ToUnixTimeSeconds() - 10 },
        { "query and fragment, which do not count", (_, p) => p["htu"] = "https://idp.example/token?a=1#b" }, { "scheme and host in capitals", (_, p) => p["htu"] = "HTTPS://IDP.example/token" },
        { "the scheme's own port", (_, p) => p["htu"] = "https://idp.example:443/token" }, { "claims nobody knows", (_, p) => p["more"] = new JsonArray(1) }, { "a fraction of a second", (_, p) => p["iat"] = Now.ToUnixTimeSeconds() + 0.5 },
        { "exp ahead and nbf behind", (_, p) => (p["exp"], p["nbf"]) = (Now.ToUnixTimeSeconds() + 60, Now.ToUnixTimeSeconds() - 1) },
    };

    [Fact]
    public void The_proof_of_the_RFC_is_read_and_its_key_has_the_RFCs_thumbprint()
    {
        Assert.True(DpopProof.TryRead(OfTheRfc, out var proof));
        Assert.Equal("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", proof.Thumbprint);
        Assert.True(proof.IsFor("POST", new Uri("https://server.example.com/token"), DateTimeOffset.FromUnixTimeSeconds(1562262616)));
    }

    [Theory]
    [MemberData(nameof(Broken))]
    public void What_breaks_a_rule_is_no_proof(string name, Action<JsonObject, JsonObject> change)
    {
        _ = name;
        Assert.False(DpopProof.TryRead(Signed(change), out _));
    }

    [Theory]
    [MemberData(nameof(Elsewhere))]
    public void A_proof_counts_for_its_own_request_only(string name, Action<JsonObject, JsonObject> change)
    {
        _ = name;
        Assert.True(DpopProof.TryRead(Signed(change), out var proof));
        Assert.False(proof.IsFor("POST", Target, Now));
    }

    [Theory]
    [MemberData(nameof(Good))]
    public void A_proof_counts_however_it_may_be_written(string name, Action<JsonObject, JsonObject> change)
    {
        _ = name;
        Assert.True(DpopProof.TryRead(Signed(change), out var proof));
        Assert.True(proof.IsFor("POST", Target, Now));
    }

    [Fact]
    public void A_proof_by_PS256_is_read_and_one_by_a_short_RSA_key_is_not()
    {
        Assert.True(DpopProof.TryRead(ByRsa(Rsa, "PS256", RSASignaturePadding.Pss), out _));
        Assert.False(DpopProof.TryRead(ByRsa(Rsa, "RS256", RSASignaturePadding.Pkcs1), out _));
        Assert.False(DpopProof.TryRead(ByRsa(Rsa, "PS256", RSASignaturePadding.Pkcs1), out _));
        using var small = RSA.Create(1024);
        Assert.False(DpopProof.TryRead(ByRsa(small, "PS256", RSASignaturePadding.Pss), out _));
    }

    [Fact]
    public void A_member_that_stands_twice_is_read_by_nobody()
    {
        var header = $$"""{"typ":"dpop+jwt","alg":"ES256","jwk":{{Jwk(Key).ToJsonString()}}}""";
        var payload = $$"""{"jti":"a","jti":"b","htm":"POST","htu":"{{Target}}","iat":{{Now.ToUnixTimeSeconds()}}}""";
        Assert.False(DpopProof.TryRead(Sign(header, payload), out _));
    }

    [Fact]
    public void A_proof_is_bound_to_one_token()
    {
        Assert.True(DpopProof.TryRead(Signed((_, p) => p["ath"] = Base64Url.EncodeToString(SHA256.HashData("token"u8))), out var proof));
        Assert.True(proof.IsForToken("token"));
        Assert.False(proof.IsForToken("tokens"));
        Assert.True(DpopProof.TryRead(Signed((_, _) => { }), out var without));
        Assert.False(without.IsForToken("token"));
    }

    [Fact]
    public void Whatever_a_stranger_sends_is_read_without_an_exception()
    {
        var good = Signed((_, _) => { });
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Char['a', 'z'], Gen.Int[0, 40]).Sample((at, with, cut) =>
        {
            var changed = good[..at] + with + good[Math.Min(good.Length, at + cut)..];
            return !DpopProof.TryRead(changed, out var proof) || proof.Thumbprint.Length == 43;
        });
        Gen.String[0, 200].Sample(text => !DpopProof.TryRead(text, out _));
        Gen.String[0, 200].Sample(json => !DpopProof.TryRead(Sign(json, json), out _));
    }

    private static string Signed(Action<JsonObject, JsonObject> change)
    {
        var header = new JsonObject { ["typ"] = "dpop+jwt", ["alg"] = "ES256", ["jwk"] = Jwk(Key) };
        var payload = new JsonObject { ["jti"] = "e1j3V_bKic8-LAEB", ["htm"] = "POST", ["htu"] = Target.ToString(), ["iat"] = Now.ToUnixTimeSeconds() };
        change(header, payload);
        return Sign(header.ToJsonString(), payload.ToJsonString());
    }

    private static string Sign(string header, string payload)
    {
        var input = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header)) + "." + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(payload));
        return input + "." + Base64Url.EncodeToString(Key.SignData(Encoding.ASCII.GetBytes(input), HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation));
    }

    private static string ByRsa(RSA key, string algorithm, RSASignaturePadding padding)
    {
        var shown = key.ExportParameters(includePrivateParameters: false);
        var header = new JsonObject
        {
            ["typ"] = "dpop+jwt", ["alg"] = algorithm,
            ["jwk"] = new JsonObject { ["kty"] = "RSA", ["n"] = Base64Url.EncodeToString(shown.Modulus), ["e"] = Base64Url.EncodeToString(shown.Exponent) },
        };
        var payload = new JsonObject { ["jti"] = "r", ["htm"] = "POST", ["htu"] = Target.ToString(), ["iat"] = Now.ToUnixTimeSeconds() };
        var input = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header.ToJsonString())) + "." + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(payload.ToJsonString()));
        return input + "." + Base64Url.EncodeToString(key.SignData(Encoding.ASCII.GetBytes(input), HashAlgorithmName.SHA256, padding));
    }

    private static JsonObject Jwk(ECDsa key)
    {
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        return new JsonObject { ["kty"] = "EC", ["crv"] = "P-256", ["x"] = Base64Url.EncodeToString(point.X), ["y"] = Base64Url.EncodeToString(point.Y) };
    }
}
