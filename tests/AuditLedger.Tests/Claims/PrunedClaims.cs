using Trust.AuditLedger.Evidence;
using Trust.AuditLedger.Tests.Index;

namespace Trust.AuditLedger.Tests.Claims;

/// <summary>What a pruned log does today where a review says that it should do otherwise.</summary>
public sealed class PrunedClaims
{
    // A question that reaches before the first kept entry should be answered from it; today it is a fault (500) when that entry is a commit entry.
    [Fact]
    public async Task S10_A_question_from_before_a_kept_commit_entry_is_a_fault()
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

        await Assert.ThrowsAsync<InvalidDataException>(() => store.LowerBound(0, log.Heads[^1].Size, default));
    }
}
