using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Postgres;

public sealed class SqlTextTests
{
    [Fact]
    public async Task A_value_of_another_type_than_asked_for_is_a_fault_and_not_nothing()
    {
        await using var db = await TestDatabase.Create("ca");
        await Assert.ThrowsAsync<InvalidCastException>(() => db.Runtime.Sql("SELECT count(*) FROM generate_series(1, 3)").Scalar<int>(default));
        Assert.Equal(3, await db.Runtime.Sql("SELECT count(*) FROM generate_series(1, 3)").Scalar<long>(default));
        Assert.Equal(0, await db.Runtime.Sql("SELECT 1 WHERE false").Scalar<int>(default));
        Assert.Null(await db.Runtime.Sql("SELECT NULL::text").Scalar<string>(default));
        Assert.Equal(7, await db.Runtime.Sql("SELECT 7::bigint").Scalar<long?>(default));
    }
}
