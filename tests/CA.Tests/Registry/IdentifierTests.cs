using Trust.Kernel.Identifiers;
using System.Text.Json;
using Trust.CA.Registry;

namespace Trust.CA.Tests.Registry;

public sealed class IdentifierTests
{
    private static readonly JsonElement Vectors = JsonElement.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Vectors", "identifiers.json")));

    [Fact]
    public void Credit_codes_follow_GB_32100()
    {
        var codes = Vectors.GetProperty("unifiedSocialCreditCode");
        Assert.All(codes.GetProperty("valid").EnumerateArray(), v => Assert.True(UnifiedSocialCreditCode.TryParse(v.GetString(), out _)));
        Assert.All(codes.GetProperty("invalid").EnumerateArray(), v => Assert.False(UnifiedSocialCreditCode.TryParse(v.GetString(), out _)));
    }

    [Fact]
    public void Identity_numbers_follow_GB_11643()
    {
        var numbers = Vectors.GetProperty("residentIdentityNumber");
        Assert.All(numbers.GetProperty("valid").EnumerateArray(), v => Assert.True(ResidentIdentityNumber.TryParse(v.GetString(), out _)));
        Assert.All(numbers.GetProperty("invalid").EnumerateArray(), v => Assert.False(ResidentIdentityNumber.TryParse(v.GetString(), out _)));
    }

    [Fact]
    public void Every_single_wrong_digit_of_a_credit_code_is_noticed()
    {
        const string alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY";
        var code = Samples.CreditCode(4711);
        for (var i = 0; i < code.Length; i++)
        {
            foreach (var c in alphabet.Where(c => c != code[i]))
            {
                Assert.False(UnifiedSocialCreditCode.TryParse(code[..i] + c + code[(i + 1)..], out _));
            }
        }
    }

    [Fact]
    public void A_lower_case_x_is_kept_as_X_and_a_number_never_shows_itself()
    {
        Assert.True(ResidentIdentityNumber.TryParse("11010519491231002x", out var number));
        Assert.Equal("11010519491231002X", number.Value.Value);
        Assert.Equal("**************002X", number.Value.ToString());
    }

    [Theory]
    [InlineData("110105194902310021")]
    [InlineData("11010519491231002")]
    [InlineData("１１０１０５19491231002X")]
    public void Impossible_dates_lengths_and_digits_are_refused(string number) => Assert.False(ResidentIdentityNumber.TryParse(number, out _));

    [Fact]
    public void Internal_identifiers_are_ULIDs_in_time_order()
    {
        var now = DateTimeOffset.UtcNow;
        var first = PersonId.New(now);
        var second = PersonId.New(now.AddMilliseconds(1));
        Assert.True(PersonId.TryParse(first.Value, out _));
        Assert.False(InstitutionId.TryParse(first.Value, out _));
        Assert.True(string.CompareOrdinal(first.Value, second.Value) < 0);
    }
}
