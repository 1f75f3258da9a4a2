using Microsoft.Extensions.Logging;
using Npgsql;
using Trust.LogFormat;

namespace Trust.Kernel.Audit;

/// <summary>
/// Follows the ledger's checkpoints: each must be signed and must extend the last one this service verified, so a ledger that
/// forgets or forks is noticed by every producer. Answered events are deleted only below a verified size.
/// </summary>
public sealed class CheckpointWatch(NpgsqlDataSource db, AuditOptions options, LedgerLink link, TimeProvider clock, ILogger<CheckpointWatch> log)
{
    /// <summary>Between two looks. By time, not when the relay is idle: a busy one never is.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private const int Portion = 5_000;

    private readonly List<NoteVerifier> _keys = [.. options.LedgerKeys.Select(k =>
        NoteVerifier.TryParse(k) ?? throw new InvalidOperationException($"'{k}' is no verifier key"))];

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
        if (latest.Size == view.VerifiedSize)
        {
            return;
        }

        if (await Extends(view, latest, ct) is { } why)
        {
            log.CheckpointRefused(latest.Size, view.VerifiedSize, why);
            return;
        }

        await RelayStore.WriteVerified(connection, latest.Size, text, ct);
        await Delete(connection, latest.Size, ct);
    }

    // In portions: after weeks in which nothing could be verified, one statement over all of it would outlast its time, and never succeed.
    private async Task Delete(NpgsqlConnection connection, long size, CancellationToken ct)
    {
        var before = clock.GetUtcNow() - options.Retention;
        var count = 0;
        for (var portion = Portion; portion == Portion; count += portion)
        {
            portion = await RelayStore.DeleteOlder(connection, before, Portion, ct);
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
