using Trust.Idp.Pages;

namespace Trust.Idp.Tests.Pages;

public sealed class TextsTests
{
    [Fact]
    public void Every_text_exists_in_both_languages_and_Chinese_is_the_default()
    {
        Assert.Equal(Texts.Zh.Keys.Order(StringComparer.Ordinal), Texts.En.Keys.Order(StringComparer.Ordinal));
        Assert.Same(Texts.Zh, Texts.Of(null));
        Assert.Same(Texts.Zh, Texts.Of("fr"));
    }

    [Theory]
    [InlineData("suspended")]
    [InlineData("revoked")]
    [InlineData("deregistered")]
    [InlineData("blacklisted")]
    [InlineData("key-lost")]
    [InlineData("pending")]
    [InlineData("no-affiliation")]
    [InlineData("certificate-held")]
    [InlineData("certificate-revoked")]
    [InlineData("certificate-expired")]
    [InlineData("certificate-unknown")]
    [InlineData("institution-closed")]
    [InlineData("wrong-key-usage")]
    [InlineData("status-unknown")]
    [InlineData("clock-skew")]
    [InlineData("head-not-compared")]
    public void Each_refusal_of_the_registry_has_its_own_sentence(string rule) => Assert.NotEqual(Texts.Zh["refused.other"], Texts.Refusal(Texts.Zh, rule));

    [Fact]
    public void An_unknown_rule_is_told_in_general_words() => Assert.Equal(Texts.En["refused.other"], Texts.Refusal(Texts.En, "made-up"));
}
