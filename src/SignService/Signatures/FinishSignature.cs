using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
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
    /// <param name="Signature">base64url r‖s.</param>
    /// <param name="TimeStamp">RFC 3161 token.</param>
    public sealed record Done(string Signature, byte[] TimeStamp) : FinishOutcome;

    /// <summary>Not released. A retry with the same key goes on where this stopped.</summary>
    /// <param name="Why">The rule.</param>
    public sealed record Refused(Refusal Why) : FinishOutcome;
}

/// <summary>Who makes the signature's value.</summary>
public abstract record SignatureSource
{
    private SignatureSource()
    {
    }

    /// <summary>The signer's card made it.</summary>
    /// <param name="Value">base64url r‖s, verified.</param>
    public sealed record Given(string Value) : SignatureSource;

    /// <summary>A key of the service's own makes it, after the intent is confirmed.</summary>
    /// <param name="Sign">Signs; answers base64url r‖s.</param>
    public sealed record OwnKey(Func<CancellationToken, Task<string>> Sign) : SignatureSource;
}

/// <summary>
/// Takes a prepared signature to release: intent stored and confirmed by the ledger, then the act (a key of the service's own signs,
/// the time-stamp is made), then result, state and events in one transaction. Each step can be resumed; only one caller gets through.
/// </summary>
public sealed class FinishSignature(
    NpgsqlDataSource db, Outbox outbox, SignatureStore store, TimeStampAuthority authority, CommitPoints points, TimeProvider clock)
{
    /// <summary>Takes the signature to release.</summary>
    /// <param name="row">As loaded: prepared or intended.</param>
    /// <param name="source">Who makes the value.</param>
    /// <param name="key">Idempotency key of this completion.</param>
    /// <param name="intent">The event that announces the act.</param>
    /// <param name="still">Whether it may be made still, asked after the receipt and once more before the result is committed; a refusal leaves it announced and not released.</param>
    /// <param name="advance">Changes the prescription and appends its events in the result's transaction; a refusal rolls back.</param>
    /// <param name="ct">Cancels waiting; what was signed is stored all the same.</param>
    public async Task<FinishOutcome> Release(
        SignatureRow row,
        SignatureSource source,
        string key,
        AuditEvent intent,
        Func<CancellationToken, Task<Refusal?>> still,
        Func<NpgsqlTransaction, Task<Refusal?>> advance,
        CancellationToken ct)
    {
        points.Pass(CommitPoints.BeforeIntent);
        switch (row.Status == "prepared" ? await Intend(row, source, key, intent, ct) : await ResumeIntent(row, intent, ct))
        {
            case IntentOutcome.Refused refused:
                return new FinishOutcome.Refused(refused.Why);
            // The ledger may have taken seconds, in which a right was taken away.
            case IntentOutcome.Confirmed when await still(ct) is { } fallen:
                return new FinishOutcome.Refused(fallen);
            case IntentOutcome.Confirmed confirmed:
                return await Act(row, source, confirmed.Intent, still, advance, ct);
            default:
                throw new InvalidOperationException("A closed set.");
        }
    }

    private async Task<FinishOutcome> Act(
        SignatureRow row, SignatureSource source, Guid announced, Func<CancellationToken, Task<Refusal?>> still, Func<NpgsqlTransaction, Task<Refusal?>> advance,
        CancellationToken ct)
    {
        points.Pass(CommitPoints.AfterIntent);
        var signature = source switch
        {
            SignatureSource.Given given => given.Value,
            SignatureSource.OwnKey own => await own.Sign(ct),
            _ => throw new InvalidOperationException("A closed set."),
        };
        if (await authority.Stamp(Jades.TimeStampInput(signature), CancellationToken.None) is not StampOutcome.Stamped stamp)
        {
            return new FinishOutcome.Refused(SignRefusals.TimeNotAvailable);
        }

        points.Pass(CommitPoints.AfterAct);
        // Token and authority took their time as well; what was signed without the right is never released.
        if (await still(CancellationToken.None) is { } fallen)
        {
            return new FinishOutcome.Refused(fallen);
        }

        // Signed: a caller hanging up must not lose it.
        if (await RecordResult(row, signature, stamp.Token, announced, advance) is { } lost)
        {
            return new FinishOutcome.Refused(lost);
        }

        points.Pass(CommitPoints.AfterResult);
        return new FinishOutcome.Done(signature, stamp.Token);
    }

    private async Task<IntentOutcome> Intend(SignatureRow row, SignatureSource source, string key, AuditEvent intent, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        try
        {
            if (!await SignatureStore.Intend(tx, row.Id, (source as SignatureSource.Given)?.Value, key, clock.GetUtcNow(), ct))
            {
                return new IntentOutcome.Refused(SignRefusals.NotPrepared);
            }
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return new IntentOutcome.Refused(SignRefusals.AlreadySigned);
        }

        return await ConfirmIntent(tx, row, intent, ct);
    }

    private async Task<IntentOutcome> ResumeIntent(SignatureRow row, AuditEvent intent, CancellationToken ct)
    {
        if (row.Intent is { } announced)
        {
            if (await outbox.FindReceipt(new Trust.LogFormat.EventId(announced), ct) is not null)
            {
                return new IntentOutcome.Confirmed(announced);
            }

            if (await store.IsOnItsWay(announced, ct))
            {
                return new IntentOutcome.Refused(SignRefusals.LedgerUnconfirmed);
            }
        }

        // Stopped between commit and note, or the announcement is quarantined or older than what the outbox keeps: the ledger may hold the first one
        // too; announcing twice is harmless.
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        return await ConfirmIntent(tx, row, intent, ct);
    }

    private async Task<IntentOutcome> ConfirmIntent(NpgsqlTransaction tx, SignatureRow row, AuditEvent intent, CancellationToken ct)
    {
        switch (await outbox.AppendConfirmed(tx, intent, ct))
        {
            case ConfirmOutcome.Confirmed confirmed:
                return new IntentOutcome.Confirmed(confirmed.Id.Value);
            case ConfirmOutcome.Refused refused:
                return new IntentOutcome.Refused(CommonRefusals.From(refused.Reason));
            case ConfirmOutcome.Unknown unknown:
                await store.Announce(row.Id, unknown.Id.Value, CancellationToken.None);
                return new IntentOutcome.Refused(SignRefusals.LedgerUnconfirmed);
            default:
                throw new InvalidOperationException("A closed set.");
        }
    }

    private async Task<Refusal?> RecordResult(
        SignatureRow row, string signature, byte[] token, Guid announced, Func<NpgsqlTransaction, Task<Refusal?>> advance)
    {
        await using var connection = await db.OpenConnectionAsync(CancellationToken.None);
        await using var tx = await connection.BeginTransactionAsync(CancellationToken.None);
        if (!await SignatureStore.Complete(tx, row.Id, signature, token, announced, clock.GetUtcNow(), CancellationToken.None))
        {
            return SignRefusals.AlreadyCompleted;
        }

        if (await advance(tx) is { } refusal)
        {
            return refusal;
        }

        await tx.CommitAsync(CancellationToken.None);
        return null;
    }

    private abstract record IntentOutcome
    {
        public sealed record Confirmed(Guid Intent) : IntentOutcome;

        public sealed record Refused(Refusal Why) : IntentOutcome;
    }
}
