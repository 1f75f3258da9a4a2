using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Hosting;

public sealed class IdempotencyStoreTests
{
    private static readonly ServiceOptions Options = new() { Region = "510000", Node = "n-1", PublicDirectory = "/", DataDirectory = "/", IdempotencyRetention = TimeSpan.FromDays(7) };
    private static readonly IdempotencyRow Row = new("token:c:s", "/seals", "k", [1, 2, 3]);
    private readonly ManualClock _clock = new(new DateTimeOffset(2026, 11, 20, 8, 0, 0, TimeSpan.Zero));

    [Fact]
    public async Task A_key_whose_process_lives_is_not_taken_over_and_one_whose_process_ended_is_at_once()
    {
        await using var db = await TestDatabase.Create("ca");
        var (first, ours) = await Store(db);
        var (second, theirs) = await Store(db);
        Assert.True(await first.Claim(Row));
        Assert.False(await second.Claim(Row));
        var holder = (await second.Find(Row, CancellationToken.None))!.Holder;
        Assert.Equal(ours.Mark.Current, holder);
        Assert.False(await second.TakeOver(Row, holder!.Value));
        await ours.DisposeAsync();
        // No time has passed: the lease has not run out.
        Assert.False(await second.Claim(Row));
        Assert.True(await second.TakeOver(Row, holder.Value));
        Assert.False(await first.TakeOver(Row, holder.Value));
        await theirs.DisposeAsync();
    }

    [Fact]
    public async Task A_key_of_a_process_without_a_mark_is_free_when_its_lease_ran_out_and_for_the_same_body_only()
    {
        await using var db = await TestDatabase.Create("ca");
        var store = Unmarked(db);
        Assert.True(await store.Claim(Row));
        _clock.Advance(TimeSpan.FromSeconds(9));
        Assert.False(await store.Claim(Row));
        _clock.Advance(TimeSpan.FromSeconds(2));
        Assert.False(await store.Claim(Row with { Hash = [9] }));
        Assert.True(await store.Claim(Row));
    }

    [Fact]
    public async Task Keys_and_answers_older_than_the_retention_are_deleted_and_younger_ones_still_answer()
    {
        await using var db = await TestDatabase.Create("ca");
        var store = Unmarked(db);
        for (var i = 0; i < 2100; i++)
        {
            Assert.True(await store.Claim(Row with { Key = "old-" + i.ToString(System.Globalization.CultureInfo.InvariantCulture) }));
        }

        await store.Keep(Row with { Key = "old-0" }, 200, "application/json", "", [1]);
        _clock.Advance(TimeSpan.FromDays(1));
        Assert.True(await store.Claim(Row));
        await store.Keep(Row, 201, "application/json", "/here", [7]);
        _clock.Advance(TimeSpan.FromDays(6) - TimeSpan.FromSeconds(1));
        Assert.Equal(0, await store.DeleteExpired(CancellationToken.None));
        _clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(2100, await store.DeleteExpired(CancellationToken.None));
        Assert.Null(await store.Find(Row with { Key = "old-0" }, CancellationToken.None));
        var kept = await store.Find(Row, CancellationToken.None);
        Assert.Equal((201, "/here"), (kept!.Status, kept.Location));
        Assert.Equal([7], kept.Body);
    }

    // An import may take minutes.
    [Fact]
    public async Task A_request_that_still_runs_keeps_its_key_however_long_it_takes()
    {
        await using var db = await TestDatabase.Create("ca");
        var (running, other) = (Unmarked(db), Unmarked(db));
        Assert.True(await running.Claim(Row));
        for (var i = 0; i < 10; i++)
        {
            _clock.Advance(TimeSpan.FromSeconds(5));
            await running.Renew();
            Assert.False(await other.Claim(Another()));
        }

        await running.Keep(Row, 200, null, "", [1]);
        _clock.Advance(TimeSpan.FromSeconds(11));
        Assert.False(await other.Claim(Another()));
        Assert.Equal(200, (await other.Find(Row, CancellationToken.None))!.Status);
    }

    [Fact]
    public async Task A_request_whose_key_was_taken_over_neither_keeps_nor_frees_it()
    {
        await using var db = await TestDatabase.Create("ca");
        var (stalled, second) = (Unmarked(db), Unmarked(db));
        Assert.True(await stalled.Claim(Row));
        _clock.Advance(TimeSpan.FromSeconds(11));
        var taken = Another();
        Assert.True(await second.Claim(taken));
        await stalled.Free(Row);
        await stalled.Keep(Row, 500, null, "", [1]);
        Assert.Null((await second.Find(Row, CancellationToken.None))!.Status);
        await second.Keep(taken, 201, null, "", [2]);
        Assert.Equal([2], (await stalled.Find(Row, CancellationToken.None))!.Body);
    }

    [Fact]
    public async Task A_key_whose_answer_could_not_be_kept_is_free_when_its_lease_ran_out()
    {
        await using var db = await TestDatabase.Create("ca");
        var (store, other) = (Unmarked(db), Unmarked(db));
        Assert.True(await store.Claim(Row));
        // PostgreSQL takes no NUL in text: it stands for any fault of the database.
        await Assert.ThrowsAsync<Npgsql.PostgresException>(() => store.Keep(Row, 200, "\0", "", [1]));
        _clock.Advance(TimeSpan.FromSeconds(11));
        await store.Renew();
        Assert.True(await other.Claim(Another()));
    }

    private static IdempotencyRow Another() => new(Row.Caller, Row.Endpoint, Row.Key, Row.Hash);

    private IdempotencyStore Unmarked(TestDatabase db) =>
        new(db.Runtime, new GroupCommit(db.Runtime), new ProcessMark(db.Runtime, _clock), Options, _clock);

    private async Task<(IdempotencyStore Store, RunningProcess Process)> Store(TestDatabase db)
    {
        var mark = new ProcessMark(db.Runtime, _clock);
        var process = new RunningProcess(mark);
        await Eventually.Holds(() => mark.Current is not null, "the process shows that it lives");
        return (new IdempotencyStore(db.Runtime, new GroupCommit(db.Runtime), mark, Options, _clock), process);
    }

    private sealed class RunningProcess : IAsyncDisposable
    {
        private readonly CancellationTokenSource _end = new();
        private readonly Task _holding;

        public RunningProcess(ProcessMark mark) => (Mark, _holding) = (mark, mark.Hold(_end.Token));

        public ProcessMark Mark { get; }

        public async ValueTask DisposeAsync()
        {
            await _end.CancelAsync();
            await _holding;
            _end.Dispose();
        }
    }
}
