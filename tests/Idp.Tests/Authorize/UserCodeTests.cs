using Trust.Idp.Decoupled;

namespace Trust.Idp.Tests.Authorize;

/// <summary>What a person types from a device's screen (RFC 8628 6.1).</summary>
public sealed class UserCodeTests
{
    [Fact]
    public void Codes_are_eight_consonants_in_two_groups()
    {
        for (var i = 0; i < 200; i++)
        {
            Assert.Matches("^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$", UserCode.New());
        }
    }

    [Theory]
    [InlineData("WDJB-MJHT", "wdjbmjht")]
    [InlineData("WDJB-MJHT", " wdjb mjht ")]
    [InlineData("WDJB-MJHT", "WDJB–MJHT")]
    public void How_it_is_typed_does_not_matter(string shown, string typed) => Assert.Equal(UserCode.Hash(shown), UserCode.Hash(typed));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("WDJB-MJH")]
    [InlineData("WDJB-MJHTT")]
    [InlineData("AEIO-UAEI")]
    [InlineData("ＷDJB-MJHT")]
    public void What_can_be_no_code_has_no_hash(string? typed) => Assert.Null(UserCode.Hash(typed));
}
