using CsCheck;
using Trust.Idp.Authorize;

namespace Trust.Idp.Tests.Authorize;

/// <summary>The <c>claims</c> parameter (OpenID Connect Core 5.5).</summary>
public sealed class RequestedClaimsTests
{
    private const string Good = """{"userinfo":{"name":{"essential":true},"email":null},"id_token":{"acr":{"essential":true,"values":["a","b"]},"sub":{"value":"urn:mdid:p:1"},"x":{"foo":1}},"other":7}""";

    [Fact]
    public void What_is_asked_for_is_read_and_what_is_not_understood_ignored()
    {
        var claims = RequestedClaims.TryParse(Good)!;
        Assert.True(claims.UserInfo["name"].Essential);
        Assert.False(claims.UserInfo["email"].Essential);
        Assert.Equal(["a", "b"], claims.EssentialAcr);
        Assert.Equal("urn:mdid:p:1", claims.Subject);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("7")]
    [InlineData("{")]
    [InlineData("""{"id_token":[]}""")]
    [InlineData("""{"id_token":{"acr":"a"}}""")]
    [InlineData("""{"id_token":{"acr":{"essential":"yes"}}}""")]
    [InlineData("""{"id_token":{"acr":{"values":"a"}}}""")]
    [InlineData("""{"id_token":{"acr":null},"id_token":{"acr":null}}""")]
    public void What_has_another_form_is_refused(string json) => Assert.Null(RequestedClaims.TryParse(json));

    [Fact]
    public void An_acr_that_is_only_wished_for_binds_nobody() => Assert.Empty(RequestedClaims.TryParse("""{"id_token":{"acr":{"values":["a"]}}}""")!.EssentialAcr);

    [Fact]
    public void Whatever_is_sent_is_read_or_refused_and_never_a_fault() =>
        Gen.OneOf(Gen.String, Gen.Select(Gen.Int[0, Good.Length - 1], Gen.Int[0, 6], Gen.String, (at, length, with) => Good[..at] + with + Good[Math.Min(Good.Length, at + length)..]))
            .Sample(text => { _ = RequestedClaims.TryParse(text)?.EssentialAcr; }, iter: 20_000, threads: 1);
}
