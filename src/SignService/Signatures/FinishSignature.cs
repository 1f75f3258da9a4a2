using Npgsql;
using Trust.Kernel.Audit;
using Trust.LogFormat;
using Trust.SignService.Timestamps;

namespace Trust.SignService.Signatures;

/// <summary>What finishing a signature came to.</summary>
public abstract record FinishOutcome
{
    private FinishOutcome()
    {
    }

    /// <summary>Released: stored with its time-stamp, the prescription advanced, the events written.</summary>
    public sealed record Done(string Signature, byte[] TimeStamp) : FinishOutcome;

    /// <summary>Not released. A retry with the same key goes on where this stopped.</summary>
    public sealed record Refused(Refusal Why) : FinishOutcome;
}

/// <summary>
/// Takes a prepared signature to release: intent stored and confirmed by the ledger, then the act (a key of the service's own signs,
/// the time-stamp is made), then result, state and events in one transaction. Each step can be resumed; only one caller gets through.
/// </summary>
public sealed class FinishSignature(
    NpgsqlDataSource db, Outbox outbox, SignatureStore store, TimeStampAuthority authority, CommitPoints points, TimeProvider clock)
{
    /// <summary>Finishes.</summary>
    /// <param name="row">As loaded: prepared or intended.</param>
    /// <param name="given">The value the signer gave, verified; null when <paramref name="sign"/> makes it.</param>
    /// <param name="sign">Signs with a key of the service's own, after the intent is confirmed.</param>
    /// <param name="key">Idempotency key of this completion.</param>
    /// <param name="intent">The event that announces the act.</param>
    /// <param name="advance">Changes the prescription and appends its events in the result's transaction; a refusal rolls back.</param>
    /// <param name="ct">Cancels waiting; what was signed is stored all the same.</param>
    public async Task<FinishOutcome> Run(
        SignatureRow row,
        string? given,
        Func<CancellationToken, Task<string>>? sign,
        string key,
        AuditEvent intent,
        Func<NpgsqlTransaction, Task<Refusal?>> advance,
        CancellationToken ct)
    {
        points.Pass(CommitPoints.BeforeIntent);
        var (announced, refusal) = row.Status == "prepared" ? await Intend(row, given, key, intent, ct) : await Resume(row, intent, ct);
        if (refusal is not null)
        {
            return new FinishOutcome.Refused(refusal);
        }

        points.Pass(CommitPoints.AfterIntent);
        var signature = given ?? await sign!(ct);
        if (await authority.Stamp(Jades.TimeStampInput(signature), CancellationToken.None) is not StampOutcome.Stamped stamp)
        {
            return new FinishOutcome.Refused(Refusal.Unavailable("time-not-available", "No time-stamp can be given now; try again with the same key."));
        }

        points.Pass(CommitPoints.AfterAct);
        // Signed: a caller hanging up must not lose it.
        if (await Record(row, signature, stamp.Token, announced, advance) is { } lost)
        {
            return new FinishOutcome.Refused(lost);
        }

        points.Pass(CommitPoints.AfterResult);
        return new FinishOutcome.Done(signature, stamp.Token);
    }

    private async Task<(Guid Intent, Refusal? Why)> Intend(SignatureRow row, string? given, string key, AuditEvent intent, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        try
        {
            if (!await SignatureStore.Intend(tx, row.Id, given, key, clock.GetUtcNow(), ct))
            {
                return (default, Refusal.Conflict("not-prepared", "The prepared signature has expired or was completed; prepare again."));
            }
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return (default, Refusal.Conflict("already-signed", "Another signature of this kind is complete or on its way."));
        }

        return await Confirm(tx, row, intent, ct);
    }

    private async Task<(Guid Intent, Refusal? Why)> Resume(SignatureRow row, AuditEvent intent, CancellationToken ct)
    {
        if (row.Intent is { } announced)
        {
            return await outbox.FindReceipt(new Trust.LogFormat.EventId(announced), ct) is not null ? (announced, null) : (default, Unconfirmed);
        }

        // Stopped between commit and note: the ledger may hold the first announcement too; announcing twice is harmless.
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        return await Confirm(tx, row, intent, ct);
    }

    private async Task<(Guid Intent, Refusal? Why)> Confirm(NpgsqlTransaction tx, SignatureRow row, AuditEvent intent, CancellationToken ct)
    {
        switch (await outbox.AppendConfirmed(tx, intent, ct))
        {
            case ConfirmOutcome.Confirmed confirmed:
                return (confirmed.Id.Value, null);
            case ConfirmOutcome.Refused refused:
                return (default, Refusal.From(refused.Reason));
            case ConfirmOutcome.Unknown unknown:
                await store.Announce(row.Id, unknown.Id.Value, CancellationToken.None);
                return (default, Unconfirmed);
            default:
                throw new InvalidOperationException("A closed set.");
        }
    }

    private async Task<Refusal?> Record(
        SignatureRow row, string signature, byte[] token, Guid announced, Func<NpgsqlTransaction, Task<Refusal?>> advance)
    {
        await using var connection = await db.OpenConnectionAsync(CancellationToken.None);
        await using var tx = await connection.BeginTransactionAsync(CancellationToken.None);
        if (!await SignatureStore.Complete(tx, row.Id, signature, token, announced, clock.GetUtcNow(), CancellationToken.None))
        {
            return Refusal.Conflict("already-completed", "This signature was completed by another request.");
        }

        if (await advance(tx) is { } refusal)
        {
            return refusal;
        }

        await tx.CommitAsync(CancellationToken.None);
        return null;
    }

    private static Refusal Unconfirmed => Refusal.Unavailable(
        "ledger-unconfirmed", "The audit ledger has not confirmed the act yet; ask again with the same key.");
}
