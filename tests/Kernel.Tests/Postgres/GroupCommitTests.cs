using System.Globalization;
using Npgsql;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Postgres;

public sealed class GroupCommitTests
{
    private const string Insert = "INSERT INTO idempotency (caller, endpoint, key, request_hash, lease_until, created_at, region) VALUES ($1, 'e', $2, $3, now(), now(), '510000')";

    // The transaction that wrote the row: xmin of every row of one group is the same.
    private const string Transactions = "SELECT count(DISTINCT xmin::text) FROM idempotency";

    [Fact]
    public async Task Writes_that_arrive_together_share_commits_and_each_is_answered_for_itself()
    {
        await using var db = await TestDatabase.Create("ca");
        var commits = new GroupCommit(db.Runtime);
        var touched = await Task.WhenAll(Enumerable.Range(0, 500).Select(i => commits.Execute(Row("c", i))));
        Assert.All(touched, rows => Assert.Equal(1, rows));
        Assert.Equal(500, await db.Owner.Sql("SELECT count(*) FROM idempotency").Scalar<long>(CancellationToken.None));
        Assert.InRange(await db.Owner.Sql(Transactions).Scalar<long>(CancellationToken.None), 1, 250);
    }

    [Fact]
    public async Task A_statement_that_fails_fails_alone()
    {
        await using var db = await TestDatabase.Create("ca");
        var commits = new GroupCommit(db.Runtime);
        await commits.Execute(Row("c", 20));
        var writes = Enumerable.Range(0, 40).Select(i => commits.Execute(Row("c", i))).ToList();
        var refused = await Assert.ThrowsAsync<PostgresException>(() => writes[20]);
        Assert.Equal(PostgresErrorCodes.UniqueViolation, refused.SqlState);
        writes.RemoveAt(20);
        Assert.All(await Task.WhenAll(writes), rows => Assert.Equal(1, rows));
        Assert.Equal(40, await db.Owner.Sql("SELECT count(*) FROM idempotency").Scalar<long>(CancellationToken.None));
    }

    [Fact]
    public async Task Of_rivals_in_one_group_one_wins_the_swap_and_the_others_read_zero()
    {
        await using var db = await TestDatabase.Create("ca");
        var commits = new GroupCommit(db.Runtime);
        await commits.Execute(Row("c", 1));
        var swaps = await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => commits.Execute(GroupCommit.Sql("UPDATE idempotency SET status = 200 WHERE key = $1 AND status IS NULL").With("1"))));
        Assert.Equal(1, swaps.Sum());
    }

    [Fact]
    public async Task A_null_keeps_its_type_beside_values_of_the_same_statement()
    {
        await using var db = await TestDatabase.Create("ca");
        var commits = new GroupCommit(db.Runtime);
        await commits.Execute(Row("c", 1));
        const string update = "UPDATE idempotency SET location = $1, body = $2, status = $3";
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(1, await commits.Execute(GroupCommit.Sql(update).With<string?>(null).With<byte[]?>(null).With<int?>(null)));
            Assert.Equal(1, await commits.Execute(GroupCommit.Sql(update).With<string?>("here").With<byte[]?>([1]).With<int?>(200)));
        }

        Assert.Equal("here", await db.Owner.Sql("SELECT location FROM idempotency").Scalar<string>(CancellationToken.None));
    }

    [Fact]
    public async Task Everyone_in_a_group_hears_that_the_server_is_gone_and_the_next_group_finds_it_again()
    {
        await using var db = await TestDatabase.OnOwnServer("ca");
        var commits = new GroupCommit(db.Runtime);
        await commits.Execute(Row("c", 0));
        await db.Server.Stop(immediate: true, CancellationToken.None);
        foreach (var write in Enumerable.Range(1, 10).Select(i => commits.Execute(Row("c", i))).ToList())
        {
            await Assert.ThrowsAnyAsync<NpgsqlException>(() => write);
        }

        await db.Server.Restart(CancellationToken.None);
        await Eventually.Holds(async () =>
        {
            try
            {
                return await commits.Execute(Row("d", 1)) == 1;
            }
            catch (NpgsqlException)
            {
                return false;
            }
        }, "the next write is committed");
    }

    private static NpgsqlBatchCommand Row(string caller, int key) =>
        GroupCommit.Sql(Insert).With(caller).With(key.ToString(CultureInfo.InvariantCulture)).With(new byte[] { 1 });
}
