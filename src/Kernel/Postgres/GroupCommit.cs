using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Npgsql;

namespace Trust.Kernel.Postgres;

/// <summary>
/// Commits the writes of requests that arrive together in one transaction and one exchange with the server. Each write is a single statement, whole in itself, and its
/// caller is answered only after the commit. While one group is committed the next gathers: nobody waits for company. One per service.
/// </summary>
/// <remarks>
/// A statement that fails takes its group back; then each is committed by itself, so that only the one at fault fails. Groups follow each other, so a statement must not
/// wait for a lock that is held for long.
/// </remarks>
public sealed class GroupCommit(NpgsqlDataSource db)
{
    private const int Most = 64;
    private readonly ConcurrentQueue<Write> _waiting = new();
    private int _running;

    /// <summary>A statement to hand in; parameters follow by <c>With</c>.</summary>
    public static NpgsqlBatchCommand Sql([ConstantExpected] string text) => new(text);

    /// <summary>Commits a statement; it is committed even when its caller stops waiting.</summary>
    /// <returns>How many rows it touched; a compare-and-swap reads 0 as "lost".</returns>
    /// <exception cref="NpgsqlException">It failed, and had no effect when the server said so (<see cref="PostgresException"/>); otherwise its effect is unknown.</exception>
    public Task<int> Execute(NpgsqlBatchCommand statement)
    {
        var write = new Write(statement);
        _waiting.Enqueue(write);
        if (Interlocked.CompareExchange(ref _running, 1, 0) == 0)
        {
            _ = Task.Run(Run);
        }

        return write.Done.Task;
    }

    private async Task Run()
    {
        do
        {
            while (Take() is { Count: > 0 } group)
            {
                await Commit(group);
            }

            // A full fence: whoever adds a write after the look below must see that nobody runs, or the write would wait for the next one.
            Interlocked.Exchange(ref _running, 0);
        }
        while (!_waiting.IsEmpty && Interlocked.CompareExchange(ref _running, 1, 0) == 0);
    }

    private List<Write> Take()
    {
        var group = new List<Write>();
        while (group.Count < Most && _waiting.TryDequeue(out var write))
        {
            group.Add(write);
        }

        return group;
    }

    private async Task Commit(List<Write> group)
    {
        try
        {
            await using var connection = await db.OpenConnectionAsync();
            try
            {
                await CommitAsOne(connection, group);
            }
            catch (PostgresException e) when (group.Count > 1 && e.Severity is "ERROR")
            {
                // The server has rolled the whole group back and lives on; who was at fault is found by trying each.
                foreach (var write in group)
                {
                    await CommitAlone(connection, write);
                }
            }
        }
#pragma warning disable CA1031 // Whatever it is, those who wait must hear of it.
        catch (Exception e)
#pragma warning restore CA1031
        {
            group.ForEach(write => write.Done.TrySetException(e));
        }
    }

    // Without a transaction of its own a batch is one: the server commits at the end of the exchange.
    private static async Task CommitAsOne(NpgsqlConnection connection, List<Write> group)
    {
        await using var batch = new NpgsqlBatch(connection);
        group.ForEach(write => batch.BatchCommands.Add(write.Statement));
        await batch.ExecuteNonQueryAsync();
        group.ForEach(write => write.Done.TrySetResult(write.Statement.RecordsAffected));
    }

    private static async Task CommitAlone(NpgsqlConnection connection, Write write)
    {
        try
        {
            await CommitAsOne(connection, [write]);
        }
        catch (PostgresException e) when (e.Severity is "ERROR")
        {
            write.Done.TrySetException(e);
        }
    }

    private sealed record Write(NpgsqlBatchCommand Statement)
    {
        public TaskCompletionSource<int> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
