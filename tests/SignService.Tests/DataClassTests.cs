using Trust.TestKit;

namespace Trust.SignService.Tests;

/// <summary>Nothing is stored of which the catalogue of data classes does not say what it is.</summary>
public sealed class DataClassTests
{
    [Fact]
    public async Task Every_column_has_a_class_and_every_personal_table_a_region_that_is_fixed()
    {
        await using var database = await TestDatabase.Create("sign", typeof(Program).Assembly);
        Assert.Empty(await ClassedSchema.Faults(database, typeof(Program).Assembly));
    }
}
