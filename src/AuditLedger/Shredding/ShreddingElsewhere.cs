using System.Net.Http.Json;
using System.Text.Json;
using Npgsql;
using Trust.AuditLedger.Evidence;
using Trust.AuditLedger.Retention;
using Trust.Kernel.Audit;
using Trust.Kernel.Keys;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.AuditLedger.Shredding;

/// <summary>
/// Takes the shredding of a patient to the services that keep records of patients, one after the other: the signing service first, because it alone
/// may have to keep them; then the identity provider, without which no record is found again. That a service is asked is stored before it is, under
/// the rules of <see cref="ShreddingRules"/>, and it is asked again until it has answered: it knows the shredding by its identifier and does it once.
/// </summary>
internal sealed class ShreddingElsewhere(
    NpgsqlDataSource db, Outbound outbound, RetentionSchedule retention, Outbox outbox, AuditLedgerOptions options, LedgerFaults faults, TimeProvider clock,
    ILogger<ShreddingElsewhere> log)
{
    // In this order: who may have to keep something comes first.
    private static readonly string[] Services = ["sign", "idp"];

    private const string SelectApproved = "SELECT id, kind, subject, approved_by FROM shreddings WHERE state = 'approved' ORDER BY approved_at, id";
    private const string SelectSteps = "SELECT service, state, kept_until FROM shredding_steps WHERE shredding = $1 ORDER BY asked_at, service";
    private const string LockHolds = "LOCK TABLE legal_holds IN SHARE MODE";
    private const string InsertStep = "INSERT INTO shredding_steps (shredding, service, state, asked_at) VALUES ($1, $2, 'asked', $3)";
    private const string AnswerStep = """
        UPDATE shredding_steps SET state = $3, answered_at = $4, kept_until = $5 WHERE shredding = $1 AND service = $2 AND state = 'asked'
        """;
    private const string MarkRefused = "UPDATE shreddings SET state = 'refused' WHERE id = $1 AND state = 'approved'";
    private const string MarkReached = "UPDATE shreddings SET state = 'reached' WHERE id = $1 AND state = 'approved'";

    /// <summary>Where a shredding stands elsewhere.</summary>
    public static Task<List<ShreddingStep>> Steps(NpgsqlTransaction tx, Guid id, CancellationToken ct) => tx.Sql(SelectSteps).With(id)
        .All(r => new ShreddingStep(r.GetString(0), r.GetString(1), r.Nullable<DateTimeOffset?>(2)), ct);

    /// <summary>Takes every approved shredding as far as it goes now; true when none is left that waits for a service.</summary>
    public async Task<bool> Round(CancellationToken ct)
    {
        var all = true;
        foreach (var approved in await db.Sql(SelectApproved).All(
            r => new Approved(r.GetGuid(0), SubjectKey.FromBytes(r.GetString(1), r.GetFieldValue<byte[]>(2)), r.GetString(3)), ct))
        {
            all &= await Advance(approved, ct);
        }

        return all;
    }

    private async Task<bool> Advance(Approved approved, CancellationToken ct)
    {
        foreach (var service in options.ShredElsewhere && approved.Subject.Kind is "patient" ? Services : [])
        {
            switch (await Begin(approved, service, ct))
            {
                case "destroyed":
                    continue;
                case "refused":
                    return true;
                case "held":
                    return false;
            }

            faults.At("shred-asked-" + service);
            if (await Ask(approved, service, ct) is not { State: "destroyed" or "kept" } answer)
            {
                return false;
            }

            faults.At("shred-told-" + service);
            if (await Answered(approved, service, answer, ct) is "kept")
            {
                return true;
            }
        }

        await db.Sql(MarkReached).With(approved.Id).Execute(ct);
        return true;
    }

    // "asked" to go on and ask. Once a service has destroyed, nothing can spare the others.
    private async Task<string> Begin(Approved approved, string service, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var steps = await Steps(tx, approved.Id, ct);
        var known = steps.Find(s => string.Equals(s.Service, service, StringComparison.Ordinal));
        if (known is { State: not "asked" })
        {
            return known.State;
        }

        if (!steps.Exists(s => s.State is "destroyed"))
        {
            await tx.Sql(LockHolds).Execute(ct); // Whoever places one waits until this is decided.
            if (await ShreddingRules.Forbid(tx, approved.Subject, retention, clock.GetUtcNow(), ct) is { } forbidden)
            {
                // Asked before the hold, and not known whether it was heard: not asked again, and not called refused, while the hold lasts.
                return known is not null ? "held" : await Refuse(tx, approved, forbidden.Name, ct);
            }
        }

        if (known is null)
        {
            await tx.Sql(InsertStep).With(approved.Id).With(service).With(clock.GetUtcNow()).Execute(ct);
            await tx.CommitAsync(ct);
        }

        return "asked";
    }

    private async Task<PersonShreddingAnswer?> Ask(Approved approved, string service, CancellationToken ct)
    {
        try
        {
            using var answer = await outbound.Client(service).PutAsJsonAsync(
                $"shreddings/{approved.Id:D}", new PersonShreddingRequest(Convert.ToHexStringLower(approved.Subject.Key)), LedgerJson.Default.PersonShreddingRequest, ct);
            answer.EnsureSuccessStatusCode();
            return await answer.Content.ReadFromJsonAsync(LedgerJson.Default.PersonShreddingAnswer, ct);
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or UndeclaredPeerException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            LedgerLog.ShreddingWaits(log, approved.Id, service, e.GetType().Name);
            return null;
        }
    }

    private async Task<string> Answered(Approved approved, string service, PersonShreddingAnswer answer, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await tx.Sql(AnswerStep).With(approved.Id).With(service).With(answer.State).With(clock.GetUtcNow()).With(answer.KeptUntil).Execute(ct);
        if (answer.State is "kept")
        {
            await Refuse(tx, approved, LedgerRefusals.Retention.Name, ct);
            return answer.State;
        }

        await tx.CommitAsync(ct);
        return answer.State;
    }

    private async Task<string> Refuse(NpgsqlTransaction tx, Approved approved, string reason, CancellationToken ct)
    {
        await tx.Sql(MarkRefused).With(approved.Id).Execute(ct);
        await outbox.AppendUnrefused(tx, new AuditEvent
        {
            Action = "KEY.destroy", Actor = new Actor(approved.ApprovedBy), Subjects = [approved.Subject], Outcome = EventOutcome.Refused, Reason = reason,
            Correlation = approved.Id.ToString(),
        }, ct);
        await tx.CommitAsync(ct);
        return "refused";
    }

    private sealed record Approved(Guid Id, SubjectKey Subject, string ApprovedBy);
}

/// <summary>Where a shredding stands at another service.</summary>
/// <param name="Service">The service.</param>
/// <param name="State"><c>asked</c> and not heard of since, <c>destroyed</c>, or <c>kept</c>.</param>
/// <param name="KeptUntil">First instant at which its records need not be kept.</param>
public sealed record ShreddingStep(string Service, string State, DateTimeOffset? KeptUntil);
