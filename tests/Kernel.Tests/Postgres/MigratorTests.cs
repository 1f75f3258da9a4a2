using Npgsql;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Postgres;

public sealed class MigratorTests
{
    [Fact]
    public async Task Migrations_apply_once_and_the_second_run_finds_nothing_to_do()
    {
        await using var db = await TestDatabase.Create("ca");
        Assert.Equal(0, await Migrator.Apply(db.Owner, "ca_runtime", "510000", [typeof(Migrator).Assembly], null, CancellationToken.None));
    }

    [Fact]
    public async Task A_migration_changed_after_it_was_applied_stops_the_start()
    {
        await using var db = await TestDatabase.Create("ca");
        await db.Owner.Sql("UPDATE migrations SET sha256 = '\\x00'::bytea").Execute(CancellationToken.None);
        await Assert.ThrowsAsync<MigrationException>(() => Migrator.Apply(db.Owner, "ca_runtime", "510000", [typeof(Migrator).Assembly], null, CancellationToken.None));
    }

    [Fact]
    public async Task The_runtime_role_reads_and_writes_rows_but_cannot_change_the_schema()
    {
        await using var db = await TestDatabase.Create("ca");
        await db.Runtime.Sql("DELETE FROM idempotency").Execute(CancellationToken.None);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => db.Runtime.Sql("CREATE TABLE mine (a int)").Execute(CancellationToken.None));
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
    }

    [Fact]
    public async Task Ten_services_starting_at_once_migrate_one_after_the_other()
    {
        await using var db = await TestDatabase.Create("ca");
        await db.Owner.Sql("DROP TABLE idempotency; DELETE FROM migrations WHERE part LIKE '%Hosting' AND number <= 2").Execute(CancellationToken.None);
        var applied = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Migrator.Apply(db.Owner, "ca_runtime", "510000", [typeof(Migrator).Assembly], null, CancellationToken.None)));
        Assert.Equal(2, applied.Sum());
    }

    [Fact]
    public async Task A_null_parameter_is_sent_as_null()
    {
        await using var db = await TestDatabase.Create("ca");
        Assert.True(await db.Runtime.Sql("SELECT $1::text IS NULL AND $2::bytea IS NULL").With<string?>(null).With<byte[]?>(null).Scalar<bool>(CancellationToken.None));
    }
}
