using System.Security.Cryptography;
using Npgsql;
using Trust.AuditLedger.Retention;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.Pkcs11;

namespace Trust.AuditLedger.Shredding;

/// <summary>
/// Carries out approved shreddings: a new master is made, every surviving subject key moves to it, the doomed keys are deleted, and the
/// token destroys the old master. Each step can be repeated, so a crash anywhere is finished at the next start. One process at a time.
/// </summary>
internal sealed class Shredder(
    NpgsqlDataSource db, IToken token, SubjectKeyVault vault, ShreddingElsewhere elsewhere, RetentionSchedule retention, Outbox outbox, LedgerFaults faults,
    TimeProvider clock)
    : IDisposable
{
    private const int Batch = 500;

    private const string TryLock = "SELECT pg_try_advisory_lock(hashtextextended('trust.shredder.' || current_schema(), 0))";
    private const string Unlock = "SELECT pg_advisory_unlock_all()";
    private const string SelectReached = "SELECT id, kind, subject, approved_by FROM shreddings WHERE state = 'reached' AND master = $1";
    private const string AnyReached = "SELECT count(*) FROM shreddings WHERE state = 'reached'";
    private const string Bind = "UPDATE shreddings SET master = $1 WHERE state = 'reached' AND master IS NULL";
    private const string SelectMaster = "SELECT number FROM subject_masters WHERE state = $1";
    private const string Retire = "UPDATE subject_masters SET state = 'retiring' WHERE state = 'active' AND number = $1";
    private const string Activate = "INSERT INTO subject_masters (number, state, created_at) VALUES ($1, 'active', $2)";

    private const string SelectSurvivors =
        "SELECT subject, wrapped FROM subject_keys WHERE master = $1 AND subject <> ALL ($2) ORDER BY subject LIMIT 500";

    private const string Move = "UPDATE subject_keys SET wrapped = $1, master = $2 WHERE subject = $3 AND master = $4";
    private const string LockHolds = "LOCK TABLE legal_holds IN SHARE MODE";

    // Whoever is storing detail under one of them has stored it before the last look, or finds it gone.
    private const string LockDoomed = "SELECT subject FROM subject_keys WHERE master = $1 AND subject = ANY ($2) ORDER BY subject FOR UPDATE";

    private const string MarkRefused = "UPDATE shreddings SET state = 'refused', master = NULL WHERE id = $1 AND state = 'reached'";
    private const string DeleteDoomed = "DELETE FROM subject_keys WHERE master = $1 AND subject = ANY ($2)";
    private const string MarkDestroyed = "UPDATE subject_masters SET state = 'destroyed', destroyed_at = $2 WHERE number = $1 AND state = 'retiring'";
    private const string MarkShredded = "UPDATE shreddings SET state = 'destroyed', destroyed_at = $2 WHERE id = $1 AND state = 'reached'";

    /// <summary>Longest time until approved shreddings are looked for again.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    /// <summary>The same while a service has not answered.</summary>
    public static readonly TimeSpan ShortWait = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _wake = new(0);

    /// <summary>There is something to do.</summary>
    public void Wake() => _wake.Release();

    /// <summary>Carries out what is approved; false when something waits for another service or process.</summary>
    internal async Task<bool> CarryOut(CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        if (!await connection.Sql(TryLock).Scalar<bool>(ct))
        {
            return false;
        }

        try
        {
            var answered = await elsewhere.Round(ct);
            while (await connection.Sql(AnyReached).Scalar<long>(ct) > 0)
            {
                await Shred(connection, ct);
            }

            return answered;
        }
        finally
        {
            await connection.Sql(Unlock).Execute(CancellationToken.None);
        }
    }

    /// <summary>Carries out what is approved, then waits to be woken. Every step can be repeated, so a round that fails is finished by the next.</summary>
    public async Task Round(CancellationToken ct)
    {
        await vault.Provision(ct);
        vault.ForgetOld();
        await _wake.WaitAsync(await CarryOut(ct) ? LongestWait : ShortWait, ct);
    }

    /// <inheritdoc/>
    public void Dispose() => _wake.Dispose();

    private async Task Shred(NpgsqlConnection connection, CancellationToken ct)
    {
        var old = await connection.Sql(SelectMaster).With("retiring").Scalar<int>(ct);
        if (old == 0)
        {
            old = await connection.Sql(SelectMaster).With("active").Scalar<int>(ct);
            await Succeed(connection, old, ct);
        }

        faults.At("shred-after-new-master");
        // Those bound to this change of master, and no later ones: their keys may have moved to the new master already.
        var doomed = await connection.Sql(SelectReached).With(old).All(
            r => new Doomed(r.GetGuid(0), SubjectKey.FromBytes(r.GetString(1), r.GetFieldValue<byte[]>(2)), r.GetString(3)), ct);
        var subjects = doomed.Select(d => d.Subject.Key.ToArray()).ToArray();
        var next = await connection.Sql(SelectMaster).With("active").Scalar<int>(ct);
        while (await MoveSome(connection, old, next, subjects, ct))
        {
            faults.At("shred-between-moves");
        }

        doomed = await Delete(connection, old, doomed, ct);
        doomed.ForEach(d => vault.Forget(d.Subject));
        while (await MoveSome(connection, old, next, [], ct))
        {
            // Whoever was spared survives like the others.
        }

        faults.At("shred-before-destroy");
        // What cannot be undone comes last but one, after every survivor has left the old master.
        if (await token.Find(SubjectKeyVault.Master(old), ct) is not null)
        {
            await token.Destroy(SubjectKeyVault.Master(old), ct);
        }

        faults.At("shred-after-destroy");
        await Record(connection, old, doomed, ct);
    }

    // The last moment at which anything can be spared: a hold may have been placed, or detail come in, since the approval.
    private async Task<List<Doomed>> Delete(NpgsqlConnection connection, int old, List<Doomed> doomed, CancellationToken ct)
    {
        await using var tx = await connection.BeginTransactionAsync(ct);
        await tx.Sql(LockHolds).Execute(ct); // Whoever places one waits until this is decided.
        var keyed = (await tx.Sql(LockDoomed).With(old).With(doomed.Select(d => d.Subject.Key.ToArray()).ToArray()).All(r => Convert.ToHexString(r.GetFieldValue<byte[]>(0)), ct))
            .ToHashSet(StringComparer.Ordinal);
        var gone = new List<Doomed>();
        foreach (var d in doomed)
        {
            // Without a key it went before a crash, or another service has destroyed already: too late for what was placed since.
            if (!keyed.Contains(Convert.ToHexString(d.Subject.Key))
                || (await ShreddingElsewhere.Steps(tx, d.Id, ct)).Count > 0
                || await ShreddingRules.Forbid(tx, d.Subject, retention, clock.GetUtcNow(), ct) is not { } forbidden)
            {
                gone.Add(d);
                continue;
            }

            await tx.Sql(MarkRefused).With(d.Id).Execute(ct);
            await Append(tx, d, EventOutcome.Refused, forbidden.Name, ct);
        }

        await tx.Sql(DeleteDoomed).With(old).With(gone.Select(d => d.Subject.Key.ToArray()).ToArray()).Execute(ct);
        await tx.CommitAsync(ct);
        return gone;
    }

    private async Task Succeed(NpgsqlConnection connection, int old, CancellationToken ct)
    {
        _ = await token.FindOrGenerate(SubjectKeyVault.Master(old + 1), KeyAlgorithm.Aes256, ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await tx.Sql(Retire).With(old).Execute(ct) != 1)
        {
            throw new InvalidOperationException($"Master {old} is no longer active.");
        }

        await tx.Sql(Bind).With(old).Execute(ct);
        await tx.Sql(Activate).With(old + 1).With(clock.GetUtcNow()).Execute(ct);
        await tx.CommitAsync(ct);
    }

    private async Task<bool> MoveSome(NpgsqlConnection connection, int old, int next, byte[][] doomed, CancellationToken ct)
    {
        var some = await connection.Sql(SelectSurvivors).With(old).With(doomed).All(r => (Subject: r.GetFieldValue<byte[]>(0), Wrapped: r.GetFieldValue<byte[]>(1)), ct);
        foreach (var (subject, wrapped) in some)
        {
            var key = await token.Decrypt(SubjectKeyVault.Master(old), wrapped, subject, ct);
            try
            {
                await connection.Sql(Move).With(await token.Encrypt(SubjectKeyVault.Master(next), key, subject, ct)).With(next).With(subject).With(old).Execute(ct);
            }
            finally
            {
                CryptographicOperations.ZeroMemory(key);
            }
        }

        return some.Count == Batch;
    }

    private async Task Record(NpgsqlConnection connection, int old, List<Doomed> doomed, CancellationToken ct)
    {
        await using var tx = await connection.BeginTransactionAsync(ct);
        await tx.Sql(MarkDestroyed).With(old).With(clock.GetUtcNow()).Execute(ct);
        foreach (var d in doomed)
        {
            if (await tx.Sql(MarkShredded).With(d.Id).With(clock.GetUtcNow()).Execute(ct) == 1)
            {
                await Append(tx, d, EventOutcome.Success, "shredded", ct);
            }
        }

        await tx.CommitAsync(ct);
    }

    // What cannot be recorded is not done yet: the next round takes it up again.
    private async Task Append(NpgsqlTransaction tx, Doomed d, string outcome, string reason, CancellationToken ct)
    {
        await outbox.AppendUnrefused(tx, new AuditEvent
        {
            Action = "KEY.destroy", Actor = new Actor(d.ApprovedBy), Subjects = [d.Subject], Outcome = outcome, Reason = reason, Correlation = d.Id.ToString(),
        }, ct);
    }

    private sealed record Doomed(Guid Id, SubjectKey Subject, string ApprovedBy);
}
