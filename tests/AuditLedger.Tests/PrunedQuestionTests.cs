using Trust.AuditLedger.Evidence;
using Trust.AuditLedger.Tests.Index;

namespace Trust.AuditLedger.Tests;

/// <summary>Questions to a log whose beginning has been pruned.</summary>
public sealed class PrunedQuestionTests
{
    [Fact]
    public async Task A_question_from_before_the_first_kept_entry_is_answered_from_there_also_when_that_is_a_commit_entry()
    {
        await using var log = await DirectLog.Create(1 << 20);
        // Ten events and their commit entry, twice: entry 10 is a commit entry.
        for (var group = 0; group < 2; group++)
        {
            await log.Append([.. Enumerable.Repeat(Array.Empty<byte>(), 10)]);
        }

        var store = new EvidenceStore(log.Database.Runtime);
        Assert.Equal(0, await store.LowerBound(0, log.Heads[^1].Size, default));
        await using (var prune = log.Database.Owner.CreateCommand("WITH d AS (DELETE FROM entries WHERE idx < 10) UPDATE entries_layout SET minimum = 10"))
        {
            await prune.ExecuteNonQueryAsync();
        }

        Assert.Equal(10, await store.LowerBound(0, log.Heads[^1].Size, default));
        Assert.Equal(log.Heads[^1].Size, await store.LowerBound(long.MaxValue - 1, log.Heads[^1].Size, default));
    }
}
