using Trust.Kernel.Identifiers;

namespace Trust.Kernel.Tests;

public sealed class UlidTests
{
    [Fact]
    public void Identifiers_are_valid_sorted_by_time_and_never_the_same()
    {
        var start = new DateTimeOffset(2026, 11, 21, 0, 0, 0, TimeSpan.Zero);
        var made = Enumerable.Range(0, 1000).Select(i => Ulid.New(start.AddMilliseconds(i))).ToList();
        Assert.All(made, u => Assert.True(Ulid.IsValid(u)));
        Assert.Equal(made.Order(StringComparer.Ordinal), made);
        Assert.Equal(1000, made.Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public void The_time_is_the_first_ten_characters()
    {
        // 1469918176385 ms is the specification's example: 01ARYZ6S41.
        Assert.StartsWith("01ARYZ6S41", Ulid.New(DateTimeOffset.FromUnixTimeMilliseconds(1469918176385)), StringComparison.Ordinal);
    }
}
