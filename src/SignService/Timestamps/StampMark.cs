using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.SignService.Timestamps;

/// <summary>
/// Up to which instant stamps may have been given, kept in the database, so that no process and no restart gives an earlier one. The mark is moved
/// a second ahead, and so at most once a second.
/// </summary>
public sealed class StampMark(NpgsqlDataSource db) : IDisposable
{
    /// <summary>How far ahead of the stamps the mark may stand.</summary>
    public static readonly TimeSpan Ahead = TimeSpan.FromSeconds(1);

    private const string Move = "UPDATE time_stamp_mark SET until = greatest(until, $1) RETURNING (until > $1)";

    private readonly SemaphoreSlim moving = new(1);
    private long until;

    /// <summary>True when an instant is not before any stamp given, within how far ahead the mark stands; false when it is.</summary>
    public async ValueTask<bool> Admits(DateTimeOffset now, CancellationToken ct)
    {
        // Covered: this process has moved the mark past it, and keeps its own stamps in order itself.
        if (now.UtcTicks <= Interlocked.Read(ref until))
        {
            return true;
        }

        await moving.WaitAsync(ct);
        try
        {
            if (now.UtcTicks <= Interlocked.Read(ref until))
            {
                return true;
            }

            var ahead = now + Ahead;
            if (await db.Sql(Move).With(ahead).Scalar<bool>(ct))
            {
                return false;
            }

            Interlocked.Exchange(ref until, ahead.UtcTicks);
            return true;
        }
        finally
        {
            moving.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => moving.Dispose();
}
