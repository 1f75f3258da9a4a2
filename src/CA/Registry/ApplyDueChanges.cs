using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Feed;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Registry;

/// <summary>
/// Acts when an instant comes that was recorded before: a licence, institution, affiliation or filing begins or ends. The entitlement of
/// that instant is right by itself, since facts are dated; here followers and the ledger hear of it and certificates follow.
/// </summary>
internal sealed class ApplyDueChanges(NpgsqlDataSource db, Outbox outbox, FeedHub feed, TimeProvider clock)
{
    /// <summary>Time between rounds: an end acts within it.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private const int MostOfARound = 500;
    private const string Due = "SELECT id FROM due_changes WHERE applied_at IS NULL AND due_at <= $1 ORDER BY due_at, id LIMIT $2";
    private const string Take = """
        UPDATE due_changes SET applied_at = $2 WHERE id = $1 AND applied_at IS NULL RETURNING kind, practitioner, institution, ends, recorded_by
        """;
    private const string LockPerson = "SELECT urn FROM practitioners WHERE urn = $1 FOR UPDATE";
    private const string PersonState = "SELECT state FROM practitioner_states WHERE practitioner = $1 AND effective_from <= $2 ORDER BY id DESC LIMIT 1";
    private const string InstitutionState = "SELECT state FROM institution_states WHERE institution = $1 AND effective_from <= $2 ORDER BY id DESC LIMIT 1";
    private const string Affiliated = """
        SELECT count(*) FROM affiliations_known('infinity') WHERE practitioner = $1 AND institution = $2
          AND valid_from <= $3 AND (valid_to IS NULL OR valid_to > $3)
        """;
    private const string Filed = """
        SELECT count(*) FROM filings_known('infinity') WHERE practitioner = $1 AND institution = $2
          AND valid_from <= $3 AND (valid_to IS NULL OR valid_to > $3)
        """;
    private const string Expire = """
        UPDATE import_proposals SET state = 'expired', closed_at = $1
        WHERE id = (SELECT id FROM import_proposals WHERE state = 'proposed' AND expires_at <= $1 ORDER BY expires_at LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING id, sha256, proposed_by
        """;

    /// <summary>The service as actor: time brought the change, and no officer.</summary>
    private static Actor Service => new("ca");

    /// <summary>Applies what is due, each in a transaction of its own, so that one that cannot be applied stops no other.</summary>
    public async Task Round(CancellationToken ct)
    {
        var due = await db.Sql(Due).With(clock.GetUtcNow()).With(MostOfARound).All(r => r.GetInt64(0), ct);
        List<Exception> failures = [];
        foreach (var id in due)
        {
            try
            {
                await Apply(id, ct);
            }
            catch (PostgresException e)
            {
                failures.Add(e);
            }
        }

        while (await ExpireOne(ct))
        {
        }

        if (failures.Count > 0)
        {
            throw new AggregateException(failures);
        }
    }

    /// <summary>The event of a proposal that ends without giving anything.</summary>
    public static AuditEvent Closed(Actor actor, ProposalMark mark, string reason) => new()
    {
        Action = "ID.file",
        Actor = actor,
        Subjects = [SubjectKey.Practitioner(mark.ProposedBy)],
        Outcome = EventOutcome.Success,
        Reason = reason,
        Basis = mark.Basis,
        Correlation = mark.Correlation,
    };

    private async Task Apply(long id, CancellationToken ct)
    {
        var now = Microseconds.Truncate(clock.GetUtcNow());
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var change = await tx.Sql(Take).With(id).With(now).One(
            r => new DueChange(r.GetString(0), r.Nullable<string>(1), r.Nullable<string>(2), r.GetBoolean(3), r.GetString(4)), ct);
        if (change is null)
        {
            return;
        }

        if (change.Practitioner is not null)
        {
            await tx.Sql(LockPerson).With(change.Practitioner).Execute(ct);
        }

        var (state, certificates) = await Judge(tx, change, now, ct);
        if (state is not null)
        {
            var recorded = await outbox.Append(tx, Event(change, certificates), ct);
            if (recorded is AppendOutcome.Refused)
            {
                // A begin waits for the ledger, and stays due.
                await tx.RollbackAsync(CancellationToken.None);
                return;
            }

            var kind = change.Kind is "filing" ? "affiliation" : change.Kind;
            await feed.Commit(tx, [new FeedChange(kind, change.Institution ?? change.Practitioner!, change.Practitioner, state), .. certificates], now, ct);
            return;
        }

        await tx.CommitAsync(CancellationToken.None);
    }

    // What the registry says now decides, and not what it said when the instant was noted: null when that came to nothing.
    private static async Task<(string? State, List<FeedChange> Certificates)> Judge(NpgsqlTransaction tx, DueChange change, DateTimeOffset now, CancellationToken ct)
    {
        switch (change)
        {
            case { Kind: "practitioner", Practitioner: { } person }:
                return (await tx.Sql(PersonState).With(person).With(now).Scalar<string>(ct) is "active" ? "active" : null, []);
            case { Kind: "institution", Institution: { } institution }:
                return (await tx.Sql(InstitutionState).With(institution).With(now).Scalar<string>(ct) is "active" ? "active" : null, []);
            case { Kind: "filing" }:
                var filed = await tx.Sql(Filed).With(change.Practitioner).With(change.Institution).With(now).Scalar<long>(ct) > 0;
                return (filed == change.Ends ? null : filed ? "filed" : "filing-ended", []);
            default:
                var affiliated = await tx.Sql(Affiliated).With(change.Practitioner).With(change.Institution).With(now).Scalar<long>(ct) > 0;
                return affiliated == change.Ends ? (null, [])
                    : affiliated ? ("active", [])
                    : ("ended", await CertificateConsequences.RevokeUnder(
                        tx, change.Practitioner!, change.Institution!, RevocationReason.AffiliationChanged, now, change.RecordedBy, ct));
        }
    }

    private static AuditEvent Event(DueChange change, List<FeedChange> certificates) => new()
    {
        Action = change.Ends ? "ID.suspend" : change.Kind is "practitioner" or "institution" ? "ID.state" : "ID.file",
        Actor = Service,
        OnBehalfOf = change.RecordedBy,
        Subjects =
        [
            .. change.Practitioner is { } person ? new[] { SubjectKey.Practitioner(person) } : [],
            .. change.Institution is { } institution ? new[] { SubjectKey.Institution(institution) } : [],
            .. certificates.Take(60).Select(c => SubjectKey.Certificate(c.Id)),
        ],
        Outcome = EventOutcome.Success,
        Reason = change.Kind + "-" + (change.Ends ? "ended" : "begun"),
    };

    private async Task<bool> ExpireOne(CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var mark = await tx.Sql(Expire).With(Microseconds.Truncate(clock.GetUtcNow())).One(r => new ProposalMark(r.GetGuid(0), r.GetString(1), r.GetString(2)), ct);
        if (mark is null || await outbox.Append(tx, Closed(Service, mark, "import-expired"), ct) is AppendOutcome.Refused)
        {
            return false;
        }

        await tx.CommitAsync(CancellationToken.None);
        return true;
    }

    private sealed record DueChange(string Kind, string? Practitioner, string? Institution, bool Ends, string RecordedBy);
}
