using System.Collections.Concurrent;
using System.Globalization;
using Npgsql;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.Kernel.Audit;

/// <summary>
/// Counts refusals of callers nobody has authenticated, per rule and minute, and records one event for each: a flood of strangers
/// costs one row a minute and rule, and never spends the budget of real acts.
/// </summary>
public sealed class RefusalCounter(Outbox outbox, NpgsqlDataSource db, AuditOptions options, TimeProvider clock)
{
    // Rules are names in the program, not caller's text; the bound keeps a mistake from growing memory.
    private const int MaxRules = 256;

    private ConcurrentDictionary<string, long> _counts = new(StringComparer.Ordinal);

    /// <summary>Counts one refusal.</summary>
    /// <param name="rule">Code of the rule that refused.</param>
    public void Count(string rule)
    {
        var counts = _counts;
        counts.AddOrUpdate(counts.Count < MaxRules ? rule : "other", 1, (_, n) => n + 1);
    }

    /// <summary>Records and resets what was counted; called every minute and at shutdown.</summary>
    public async Task Flush(CancellationToken ct)
    {
        var counts = Interlocked.Exchange(ref _counts, new ConcurrentDictionary<string, long>(StringComparer.Ordinal));
        if (counts.IsEmpty)
        {
            return;
        }

        try
        {
            await Record(counts, ct);
        }
        catch
        {
            // The next round records them: they are counts, so adding is enough.
            foreach (var (rule, count) in counts)
            {
                _counts.AddOrUpdate(rule, count, (_, n) => n + count);
            }

            throw;
        }
    }

    private async Task Record(ConcurrentDictionary<string, long> counts, CancellationToken ct)
    {
        var minute = clock.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm'Z'", CultureInfo.InvariantCulture);
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        foreach (var (rule, count) in counts)
        {
            await outbox.AppendAggregate(tx, new AuditEvent
            {
                // Who was not let in because of where they are met residency, and not a lock.
                Action = rule == CommonRefusals.CallerOutside.Name ? "RES.deny" : "AUTH.fail",
                Actor = new Actor("anonymous"),
                Subjects = [],
                Outcome = EventOutcome.Refused,
                Reason = rule,
                Basis = string.Create(CultureInfo.InvariantCulture, $"count:{count}"),
                Correlation = $"{options.Node}:{minute}",
            }, ct);
        }

        await tx.CommitAsync(ct);
    }
}
