using System.Globalization;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.Idp.Retention;

/// <summary>
/// Deletes sessions and consents whose time is over (docs/RULES.md §5), a portion at a time with an event of the portion in its transaction. What a
/// legal hold lies on is passed over; while the ledger does not say, nothing is deleted.
/// </summary>
public sealed class DiscardExpired(NpgsqlDataSource db, HoldQuestion holds, Outbox outbox, TimeProvider clock)
{
    /// <summary>From the end of one round to the begin of the next.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromHours(1);

    private const string FindSessions = """
        SELECT id::text, expires_at, person, certificate FROM sessions WHERE expires_at < $1 AND (expires_at, id::text) > ($2, $3) ORDER BY expires_at, id::text LIMIT 500
        """;
    private const string DeleteSessions = "DELETE FROM sessions WHERE id = ANY ($1::uuid[])";
    private const string FindConsents = """
        SELECT c.id, c.withdrawn_at, p.subject_key, c.institution FROM consents c JOIN patients p ON p.pseudonym = c.patient
        WHERE c.withdrawn_at < $1 AND (c.withdrawn_at, c.id) > ($2, $3) ORDER BY c.withdrawn_at, c.id LIMIT 500
        """;
    private const string DeleteConsents = "DELETE FROM consents WHERE id = ANY ($1)";

    /// <summary>Deletes what its time is over for.</summary>
    public async Task Round(CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        await Discard(
            "AUTH.discard", "sessions",
            (at, id) => db.Sql(FindSessions).With(DataClasses.Sessions.Kept.Before(now)).With(at).With(id).All(
                r => new Row(r.GetString(0), r.GetFieldValue<DateTimeOffset>(1), [SubjectKey.Practitioner(r.GetString(2)), SubjectKey.Certificate(r.GetString(3))]), ct),
            (tx, ids) => tx.Sql(DeleteSessions).With(ids).Execute(ct), ct);
        await Discard(
            "CONSENT.discard", "consents",
            (at, id) => db.Sql(FindConsents).With(DataClasses.Consents.Kept.Before(now)).With(at).With(id).All(
                r => new Row(r.GetString(0), r.GetFieldValue<DateTimeOffset>(1), [SubjectKey.Patient(r.GetFieldValue<byte[]>(2)), SubjectKey.Institution(r.GetString(3))]), ct),
            (tx, ids) => tx.Sql(DeleteConsents).With(ids).Execute(ct), ct);
    }

    private async Task Discard(
        string action, string what, Func<DateTimeOffset, string, Task<List<Row>>> portion, Func<NpgsqlTransaction, string[], Task<int>> delete, CancellationToken ct)
    {
        for (var rows = await portion(DateTimeOffset.MinValue, ""); rows.Count > 0; rows = await portion(rows[^1].At, rows[^1].Id))
        {
            if (await holds.Among(rows.SelectMany(r => r.Subjects), ct) is not { } held)
            {
                return;
            }

            string[] free = [.. rows.Where(r => !r.Subjects.Any(s => held.Contains(HoldQuestion.Name(s)))).Select(r => r.Id)];
            if (free.Length == 0)
            {
                continue;
            }

            await using var connection = await db.OpenConnectionAsync(ct);
            await using var tx = await connection.BeginTransactionAsync(ct);
            var deleted = await delete(tx, free);
            if (await outbox.Append(tx, EventOf(action, what, deleted), ct) is AppendOutcome.Refused)
            {
                // The outbox takes no more now; the next round goes on.
                return;
            }

            await tx.CommitAsync(CancellationToken.None);
        }
    }

    private static AuditEvent EventOf(string action, string what, int deleted) => new()
    {
        Action = action, Actor = new Actor("idp"), Subjects = [SubjectKey.Of("service", "idp")], Outcome = EventOutcome.Success, Reason = "retention-ended",
        Basis = string.Create(CultureInfo.InvariantCulture, $"{what}:{deleted}"),
    };

    private sealed record Row(string Id, DateTimeOffset At, SubjectKey[] Subjects);
}
