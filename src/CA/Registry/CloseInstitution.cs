using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Feed;
using Trust.CA.Officers;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Registry;

/// <summary>
/// <c>POST /institutions/{urn}/state</c> with <c>closed</c>: ends the institution's own certificates and those its people hold under
/// it, at once. A closed institution does not open again under its old identifier.
/// </summary>
internal sealed class CloseInstitution(NpgsqlDataSource db, Outbox outbox, FeedHub feed, TimeProvider clock)
{
    // Certificates that are being recorded under the institution wait, and begin revoked.
    private const string Lock = "SELECT urn FROM institutions WHERE urn = $1 FOR UPDATE";
    private const string Insert = """
        INSERT INTO institution_states (institution, state, effective_from, recorded_at, recorded_by, reason, basis)
        SELECT urn, 'closed', $2, $2, $3, $4, $5 FROM institutions WHERE urn = $1
        """;

    /// <summary>Closes.</summary>
    public async Task<Results<Ok<StateResponse>, Refusal>> Handle(HttpContext context, InstitutionId urn, StateRequest request)
    {
        if (request.State is not "closed" || !request.HasReason())
        {
            return CaRefusals.MalformedInstitutionState;
        }

        var ct = context.RequestAborted;
        var officer = context.Officer();
        var now = Microseconds.Truncate(clock.GetUtcNow());
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await tx.Sql(Lock).With(urn.Value).Execute(ct);
        if (await tx.Sql(Insert).With(urn.Value).With(now).With(officer.Person).With(request.Reason).With(request.Basis).Execute(ct) == 0)
        {
            return CaRefusals.UnknownInstitution;
        }

        List<FeedChange> certificates =
        [
            .. await CertificateConsequences.RevokeAll(tx, urn.Value, RevocationReason.CessationOfOperation, now, officer.Person, ct),
            .. await CertificateConsequences.RevokeDependants(tx, urn.Value, RevocationReason.CessationOfOperation, now, officer.Person, ct),
        ];
        var closed = new AuditEvent
        {
            Action = "ID.suspend",
            Actor = officer.Actor,
            Subjects = [SubjectKey.Institution(urn.Value)],
            Outcome = EventOutcome.Success,
            Reason = "closed: " + request.Reason,
            Basis = request.Basis,
        };
        (await ConsequenceEvents.Append(tx, outbox, closed, certificates, ct)).IsNeverRefused();
        await feed.Commit(tx, [new FeedChange("institution", urn.Value, null, "closed"), .. certificates], now, ct);
        return TypedResults.Ok(new StateResponse("closed", Certificates: certificates.Count));
    }
}
