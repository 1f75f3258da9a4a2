using Microsoft.Extensions.Logging;
using Npgsql;
using Trust.LogFormat;

namespace Trust.Kernel.Audit;

/// <summary>
/// Follows the ledger's checkpoints: each must be signed and must extend the last one this service verified, so a ledger that
/// forgets or forks is noticed by every producer, and must hold the newest of its events that the ledger acknowledged. Answered events are deleted only
/// below a verified size.
/// </summary>
public sealed class CheckpointWatch(NpgsqlDataSource db, AuditOptions options, LedgerLink link, TimeProvider clock, ILogger<CheckpointWatch> log)
{
    /// <summary>Between two looks. By time, not when the relay is idle: a busy one never is.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private const int Portion = 5_000;

    private readonly List<NoteVerifier> _keys = [.. options.LedgerKeys.Select(k =>
        NoteVerifier.TryParse(k) ?? throw new InvalidOperationException($"'{k}' is no verifier key"))];

    private (long Epoch, long Seq, long Size) _proved;
    private long _uncovered = -1;

    /// <summary>Fetches and verifies the latest checkpoint, then deletes what may go.</summary>
    /// <exception cref="HttpRequestException">The ledger does not answer.</exception>
    public async Task Look(CancellationToken ct)
    {
        var note = await link.Checkpoint(ct);
        if (_keys.Count == 0)
        {
            return;
        }

        if (SignedNote.TryOpen(note, _keys, 1) is not { } text || Checkpoint.TryParse(text) is not { } latest)
        {
            log.CheckpointRefused(-1, -1, "no known key signed it");
            return;
        }

        await using var connection = await db.OpenConnectionAsync(ct);
        var view = await RelayStore.ReadView(connection, ct);
        if (latest.Size != view.VerifiedSize && await Extends(view, latest, ct) is { } why)
        {
            log.CheckpointRefused(latest.Size, view.VerifiedSize, why);
            return;
        }

        if (!await Holds(connection, latest, ct) || latest.Size == view.VerifiedSize)
        {
            return;
        }

        await CheckpointStore.WriteVerified(connection, latest.Size, text, ct);
        await Delete(connection, latest.Size, ct);
    }

    // Receipts are words. The newest event they place under this checkpoint is made again from the outbox and must stand there; its envelope names the
    // one before, so that it speaks for all that may be deleted. Asked of a checkpoint that does not grow too: nothing may have been logged at all.
    private async Task<bool> Holds(NpgsqlConnection connection, Checkpoint latest, CancellationToken ct)
    {
        var head = await CheckpointStore.ReadNewestBelow(connection, latest.Size, ct);
        var (epoch, seq) = head is null ? (0, 0) : (head.Sent.Epoch, head.Sent.Seq);
        await NameUncovered(connection, epoch, seq, latest.Size, ct);
        if (head is null || _proved == (epoch, seq, latest.Size))
        {
            return true;
        }

        var proof = await link.Inclusion(head.Index, latest.Size, ct);
        if (head.Sent.Leaves(options.Source).Any(leaf => MerkleProof.VerifyInclusion(head.Index, latest.Size, MerkleProof.LeafHash(leaf), proof, latest.Root)))
        {
            _proved = (epoch, seq, latest.Size);
            return true;
        }

        log.EventMissing(latest.Size, epoch, seq, head.Index);
        return false;
    }

    private async Task NameUncovered(NpgsqlConnection connection, long epoch, long seq, long size, CancellationToken ct)
    {
        var first = await CheckpointStore.ReadFirstBeyond(connection, epoch, seq, size, ct);
        if (first is { } beyond && clock.GetUtcNow() - beyond.CreatedAt > options.CoveredWithin && _uncovered != beyond.Index)
        {
            log.EventUncovered(beyond.Index, beyond.CreatedAt, size);
            _uncovered = beyond.Index;
        }
    }

    // In portions: after weeks in which nothing could be verified, one statement over all of it would outlast its time, and never succeed.
    private async Task Delete(NpgsqlConnection connection, long size, CancellationToken ct)
    {
        var before = clock.GetUtcNow() - options.Retention;
        var count = 0;
        for (var portion = Portion; portion == Portion; count += portion)
        {
            portion = await CheckpointStore.DeleteOlder(connection, before, Portion, ct);
        }

        if (count > 0)
        {
            log.Deleted(count, size);
        }
    }

    private async Task<string?> Extends(RelayView view, Checkpoint latest, CancellationToken ct)
    {
        if (view.VerifiedSize == 0)
        {
            return null;
        }

        if (latest.Size < view.VerifiedSize)
        {
            return "it is smaller";
        }

        var verified = Checkpoint.TryParse(view.Checkpoint)!;
        if (!string.Equals(verified.Origin, latest.Origin, StringComparison.Ordinal))
        {
            return "its origin changed";
        }

        var proof = await link.Consistency(verified.Size, latest.Size, ct);
        return MerkleProof.VerifyConsistency(verified.Size, verified.Root, latest.Size, latest.Root, proof) ? null : "the consistency proof is wrong";
    }
}
