using System.Text;
using Trust.Crypto.Json;

namespace Trust.Crypto.Tests.Json;

public sealed class StrictJsonTests
{
    private static readonly JsonLimits Limits = new(MaxBytes: 4096, MaxDepth: 8);

    [Theory]
    [InlineData("""{"a":1,"b":[true,false,null,"x",-0.5,1e3]}""")]
    [InlineData("9007199254740991")]
    [InlineData("-9007199254740991")]
    [InlineData("0.1")]
    [InlineData("4.50")]
    [InlineData("\"\\ud83d\\ude00\"")]
    [InlineData(""" "中药" """)]
    public void Plain_documents_are_accepted(string json)
    {
        Assert.True(StrictJson.TryParse(Encoding.UTF8.GetBytes(json), Limits, out _, out _));
        Assert.True(StrictJson.TryParseDocument(Encoding.UTF8.GetBytes(json), Limits, out var document, out _));
        document.Dispose();
    }

    [Theory]
    [InlineData("""{"a":1,"a":2}""", JsonRefusalReason.DuplicateKey)]
    [InlineData("""{"a":1,"\u0061":2}""", JsonRefusalReason.DuplicateKey)]
    [InlineData("""{"x":{"a":1,"b":{"a":0},"a":2}}""", JsonRefusalReason.DuplicateKey)]
    [InlineData("\"\\ud800\"", JsonRefusalReason.LoneSurrogate)]
    [InlineData("\"\\ud800x\"", JsonRefusalReason.LoneSurrogate)]
    [InlineData("\"\\ud800\\n\"", JsonRefusalReason.LoneSurrogate)]
    [InlineData("\"\\ud800\\ud800\"", JsonRefusalReason.LoneSurrogate)]
    [InlineData("\"\\udc00\\ud800\"", JsonRefusalReason.LoneSurrogate)]
    [InlineData("{\"\\udfff\":1}", JsonRefusalReason.LoneSurrogate)]
    [InlineData("9007199254740992", JsonRefusalReason.UnsafeNumber)]
    [InlineData("-9007199254740993", JsonRefusalReason.UnsafeNumber)]
    [InlineData("1e400", JsonRefusalReason.UnsafeNumber)]
    [InlineData("1e-400", JsonRefusalReason.UnsafeNumber)]
    [InlineData("1e99999999999999999999", JsonRefusalReason.UnsafeNumber)]
    [InlineData("0.1000000000000000055", JsonRefusalReason.UnsafeNumber)]
    [InlineData("333333333.33333329", JsonRefusalReason.UnsafeNumber)]
    [InlineData("[[[[[[[[[1]]]]]]]]]", JsonRefusalReason.TooDeep)]
    [InlineData("", JsonRefusalReason.Malformed)]
    [InlineData("{} {}", JsonRefusalReason.Malformed)]
    [InlineData("{}x", JsonRefusalReason.Malformed)]
    [InlineData("[1,]", JsonRefusalReason.Malformed)]
    [InlineData("/*c*/1", JsonRefusalReason.Malformed)]
    [InlineData("{'a':1}", JsonRefusalReason.Malformed)]
    [InlineData("NaN", JsonRefusalReason.Malformed)]
    [InlineData("01", JsonRefusalReason.Malformed)]
    [InlineData("\"\t\"", JsonRefusalReason.Malformed)]
    [InlineData("\uFEFF{}", JsonRefusalReason.InvalidUtf8)]
    public void Ambiguous_or_malformed_documents_are_refused_with_the_rule(string json, JsonRefusalReason reason)
    {
        Assert.False(StrictJson.TryParse(Encoding.UTF8.GetBytes(json), Limits, out _, out var refusal));
        Assert.Equal(reason, refusal.Reason);
    }

    [Theory]
    [InlineData("22C328 22")] // overlong start without continuation
    [InlineData("22EDA08022")] // a surrogate encoded as UTF-8
    [InlineData("22FF22")]
    [InlineData("22C08022")] // overlong NUL
    public void Invalid_UTF8_is_refused(string hex)
    {
        var bytes = Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
        Assert.False(StrictJson.TryParse(bytes, Limits, out _, out var refusal));
        Assert.Equal(JsonRefusalReason.InvalidUtf8, refusal.Reason);
    }

    [Fact]
    public void Oversized_documents_are_refused_before_they_are_read()
    {
        Assert.False(StrictJson.TryParse(new byte[4097], Limits, out _, out var refusal));
        Assert.Equal(JsonRefusalReason.TooLarge, refusal.Reason);
    }

    [Fact]
    public void Ten_thousand_mutations_never_throw_and_what_is_accepted_has_one_canonical_form()
    {
        var seed = Encoding.UTF8.GetBytes("""{"a":[1,2.5,-3e2,"x\u00e9\ud83d\ude00"],"b":{"c":null,"d":true,"中":"药"},"e":"\\\"\n"}""");
        var random = new Random(1);
        for (var i = 0; i < 10_000; i++)
        {
            var mutant = Mutation.Of(seed, random);
            if (StrictJson.TryParse(mutant, Limits, out var element, out _))
            {
                var canonical = CanonicalJson.Encode(element);
                Assert.True(StrictJson.TryParse(canonical, Limits with { MaxBytes = 65536 }, out var again, out _));
                Assert.Equal(canonical, CanonicalJson.Encode(again));
            }
        }
    }
}
