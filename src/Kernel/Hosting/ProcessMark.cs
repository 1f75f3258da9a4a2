using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.Kernel.Hosting;

/// <summary>
/// Shows other processes that this one lives: it holds a database lock under a name of its own for as long as it runs, and the server lets go of it the moment the process
/// is gone. What a dead process had begun can then be taken over without waiting for a lease to run out.
/// </summary>
internal sealed class ProcessMark(NpgsqlDataSource db, TimeProvider clock)
{
    private const string Take = "SELECT pg_try_advisory_lock(hashtextextended('trust.process.' || current_schema() || '.' || $1::text, 0))";
    private const string Unlock = "SELECT pg_advisory_unlock_all()";
    private const string Alive = "SELECT 1";
    /// <summary>Between two looks at the connection, and before it is tried anew.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);
    private readonly Guid _id = Guid.CreateVersion7(clock.GetUtcNow());
    private volatile bool _held;

    /// <summary>The mark to leave on what this process begins; null while the lock is not held, and then only a lease protects.</summary>
    public Guid? Current => _held ? _id : null;

    /// <summary>Holds the lock for as long as the connection lasts. Without it, keys are held by their lease alone.</summary>
    public async Task Hold(CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        try
        {
            _held = await connection.Sql(Take).With(_id.ToString("D")).Scalar<bool>(ct);
            while (!ct.IsCancellationRequested)
            {
                await Task.Delay(Pause, clock, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                await connection.Sql(Alive).Execute(CancellationToken.None);
            }
        }
        finally
        {
            _held = false;
            await Release(connection);
        }
    }

    // The session goes back to the pool, and the lock must not go with it.
    private static async Task Release(NpgsqlConnection connection)
    {
        try
        {
            await connection.Sql(Unlock).Execute(CancellationToken.None);
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
        {
            // The session is broken and the server has dropped its locks with it.
            return;
        }
    }
}
