namespace Trust.Idp.Tests;

public sealed class SecretTests
{
    [Fact]
    public void A_value_of_one_kind_never_matches_the_same_value_of_another_kind() =>
        Assert.Equal(10, new[] { "code", "request", "pushed-request", "device-code", "user-code", "auth-req-id", "request-cookie", "session", "card-login", "other" }.Select(p => Convert.ToHexString(Secret.Hash(p, "value"))).Distinct(StringComparer.Ordinal).Count());

    [Fact]
    public void Values_carry_256_bits_and_never_repeat()
    {
        var made = Enumerable.Range(0, 1000).Select(_ => Secret.New()).ToList();
        Assert.All(made, s => Assert.Equal(43, s.Length));
        Assert.Equal(1000, made.Distinct(StringComparer.Ordinal).Count());
    }
}
