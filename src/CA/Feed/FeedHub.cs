using System.Collections.Concurrent;
using System.Threading.Channels;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;

namespace Trust.CA.Feed;

/// <summary>A numbered change, or with no kind a heartbeat: everything up to <paramref name="Seq"/> has been sent.</summary>
public sealed record FeedLine(long Seq, string? Kind, string? Id, string? Person, string? State, DateTimeOffset At);

/// <summary>
/// Reads new changes once for all followers of this instance, whichever instance wrote them, and beats every second.
/// A beat follows only a successful read, so silence means that the CA does not know either: followers void their permits after three seconds.
/// </summary>
public sealed class FeedHub(NpgsqlDataSource db, OutboxState head, TimeProvider clock) : IDisposable
{
    private const string Next = "SELECT seq, kind, id, person, state, at FROM feed WHERE seq > $1 ORDER BY seq LIMIT 1000";
    private const string Last = "SELECT coalesce(max(seq), 0) FROM feed";
    private const int Backlog = 10_000;
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<Channel<FeedLine>, bool> _followers = new();
    private readonly List<Action<FeedLine>> _listeners = [];
    private readonly SemaphoreSlim _written = new(0);
    private long _seq = -1;
    private DateTimeOffset _beaten = DateTimeOffset.MinValue;

    /// <summary>Called for each change inside this process, for caches; register before the start.</summary>
    public void Listen(Action<FeedLine> listener) => _listeners.Add(listener);

    /// <summary>Numbers the changes, commits the transaction that made them, and tells the followers now instead of at the next round.</summary>
    public async Task Commit(NpgsqlTransaction tx, IReadOnlyCollection<FeedChange> changes, DateTimeOffset at, CancellationToken ct)
    {
        await FeedWriter.Append(tx, changes, at, ct);
        await tx.CommitAsync(CancellationToken.None);
        if (_written.CurrentCount == 0)
        {
            _ = _written.Release();
        }
    }

    /// <summary>Follows from now on; lines carry rising numbers. A follower that cannot keep up is cut off and starts over.</summary>
    public Channel<FeedLine> Follow()
    {
        var channel = Channel.CreateBounded<FeedLine>(Backlog);
        _followers[channel] = true;
        return channel;
    }

    /// <summary>Stops following.</summary>
    public void Leave(Channel<FeedLine> channel) => _followers.TryRemove(channel, out _);

    /// <summary>Changes after a number, oldest first, at most 1,000.</summary>
    public Task<List<FeedLine>> After(long seq, CancellationToken ct) => db.Sql(Next).With(seq).All(
        r => new FeedLine(r.GetInt64(0), r.GetString(1), r.GetString(2), r.Nullable<string>(3), r.GetString(4), r.GetFieldValue<DateTimeOffset>(5)), ct);

    /// <summary>The last number given out.</summary>
    public Task<long> LastSeq(CancellationToken ct) => db.Sql(Last).Scalar<long>(ct);

    /// <summary>Waits a tenth of a second or until something was written, sends what is new, and beats when it is time.</summary>
    public async Task Round(CancellationToken ct)
    {
        _ = await _written.WaitAsync(Poll, ct);
        await Advance(ct);
        var now = clock.GetUtcNow();
        // Nor does it know whether nothing has changed before its database's head was held against the ledger's.
        if (now - _beaten >= Beat && head.HeadCompared)
        {
            _beaten = now;
            Send(new FeedLine(_seq, null, null, null, null, now));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _written.Dispose();

    private async Task Advance(CancellationToken ct)
    {
        if (_seq < 0)
        {
            _seq = await LastSeq(ct);
        }

        foreach (var line in await After(_seq, ct))
        {
            foreach (var listener in _listeners)
            {
                listener(line);
            }

            Send(line);
            _seq = line.Seq;
        }
    }

    private void Send(FeedLine line)
    {
        foreach (var follower in _followers.Keys)
        {
            if (!follower.Writer.TryWrite(line))
            {
                _ = follower.Writer.TryComplete();
                Leave(follower);
            }
        }
    }
}
