using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.CA.Feed;

/// <summary>One change that followers must hear of.</summary>
/// <param name="Kind"><c>practitioner</c>, <c>institution</c>, <c>affiliation</c> or <c>certificate</c>.</param>
/// <param name="Id">URN, or SHA-256 hex of a certificate.</param>
/// <param name="Person">Practitioner concerned, if any.</param>
/// <param name="State">The new state.</param>
public sealed record FeedChange(string Kind, string Id, string? Person, string State);

/// <summary>Numbers changes inside the transaction that makes them.</summary>
public static class FeedWriter
{
    // Held to commit: numbers become visible in order and without gaps, so a follower that saw n has seen all before it.
    private const string Lock = "SELECT pg_advisory_xact_lock(hashtextextended('ca.feed.' || current_schema(), 0))";
    private const string Insert = """
        INSERT INTO feed (seq, kind, id, person, state, at)
        SELECT coalesce(max(seq), 0) + 1, $1, $2, $3, $4, $5 FROM feed
        """;

    /// <summary>Appends changes. Call it last before the commit: the lock is held from here on.</summary>
    public static async Task Append(NpgsqlTransaction tx, IReadOnlyCollection<FeedChange> changes, DateTimeOffset at, CancellationToken ct)
    {
        if (changes.Count == 0)
        {
            return;
        }

        await using var batch = new NpgsqlBatch(tx.Connection, tx) { BatchCommands = { new NpgsqlBatchCommand(Lock) } };
        foreach (var change in changes)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(Insert).With(change.Kind).With(change.Id).With(change.Person).With(change.State).With(at));
        }

        await batch.ExecuteNonQueryAsync(ct);
    }
}
