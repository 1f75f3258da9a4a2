using CsCheck;
using Trust.Kernel.Identifiers;

namespace Trust.Kernel.Tests;

/// <summary>Identifiers that say who keeps a record (RFC 9562 5.8).</summary>
public sealed class RecordIdTests
{
    [Fact]
    public void An_identifier_says_its_keeper_is_of_version_8_and_sorts_by_time() =>
        Gen.Select(Gen.Int[0, 999_999], Gen.Long[0, 4_000_000_000_000], Gen.Long[1, 1_000_000]).Sample((code, at, later) =>
        {
            var keeper = code.ToString("D6", System.Globalization.CultureInfo.InvariantCulture);
            var id = RecordId.New(DateTimeOffset.FromUnixTimeMilliseconds(at), keeper);
            var next = RecordId.New(DateTimeOffset.FromUnixTimeMilliseconds(at + later), "000000");
            Assert.Equal(keeper, RecordId.KeeperOf(id));
            Assert.Equal((8, 8), (id.Version, id.Variant & 0xC));
            Assert.True(string.CompareOrdinal(id.ToString("D"), next.ToString("D")) < 0);
            Assert.NotEqual(id, RecordId.New(DateTimeOffset.FromUnixTimeMilliseconds(at), keeper));
        });

    [Fact]
    public void Identifiers_of_other_versions_and_numbers_that_are_no_code_say_no_keeper()
    {
        Assert.Null(RecordId.KeeperOf(Guid.Empty));
        Assert.Null(RecordId.KeeperOf(Guid.CreateVersion7()));
        Assert.Null(RecordId.KeeperOf(Guid.Parse("00000000-0000-8fff-bfff-000000000000")));
        Assert.Equal("510000", RecordId.KeeperOf(Guid.Parse("00000000-0000-87c8-8c00-000000000000")));
        Assert.Throws<ArgumentOutOfRangeException>(() => RecordId.New(DateTimeOffset.UnixEpoch, "1000000"));
    }
}
