using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Feed;
using Trust.CA.Officers;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Registry;

/// <summary>
/// <c>POST /institutions/{urn}/state</c> with <c>closed</c>: ends the institution's own certificates and those its people hold under
/// it, at once. A closed institution does not open again under its old identifier.
/// </summary>
public static class CloseInstitution
{
    private const string Insert = """
        INSERT INTO institution_states (institution, state, effective_from, recorded_at, recorded_by, reason, basis)
        SELECT urn, 'closed', $2, $2, $3, $4, $5 FROM institutions WHERE urn = $1
        """;

    /// <summary>Maps the endpoint.</summary>
    public static void Map(IEndpointRouteBuilder app) =>
        app.MapPost("/institutions/{urn}/state", Handle).RequireOfficer().Idempotent();

    private static async Task<Results<Ok<StateResponse>, ProblemHttpResult>> Handle(
        HttpContext context, string urn, StateRequest request, NpgsqlDataSource db, Outbox outbox, FeedHub feed, TimeProvider clock, ProblemSet problems)
    {
        if (request.State is not "closed" || request.Reason.Length is 0 or > 60 || !EventText.TryParse(request.Reason, out _) || (request.Basis is not null && !EventText.TryParse(request.Basis, out _)))
        {
            return problems.Of("malformed-state", 400, "The state can only become closed, with a reason of 1 to 60 characters; reason and basis are at most 256 bytes, without quotation marks, backslashes and control characters.");
        }

        var ct = context.RequestAborted;
        var officer = OfficerDirectory.Of(context);
        var now = Microseconds.Truncate(clock.GetUtcNow());
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await tx.Sql(Insert).With(urn).With(now).With(officer.Person).With(request.Reason).With(request.Basis).Execute(ct) == 0)
        {
            return problems.Of("unknown-institution", 404, "No institution has this identifier.");
        }

        List<FeedChange> certificates =
        [
            .. await CertificateConsequences.RevokeAll(tx, urn, RevocationReason.CessationOfOperation, now, officer.Person, ct),
            .. await CertificateConsequences.RevokeDependants(tx, urn, RevocationReason.CessationOfOperation, now, officer.Person, ct),
        ];
        _ = await outbox.Append(tx, new AuditEvent
        {
            Action = "ID.suspend",
            Actor = officer.Actor,
            Subjects = [SubjectKey.Of("institution", urn), .. certificates.Take(60).Select(c => SubjectKey.Certificate(c.Id))],
            Outcome = EventOutcome.Success,
            Reason = "closed",
            Basis = request.Basis,
        }, ct);
        await feed.Commit(tx, [new FeedChange("institution", urn, null, "closed"), .. certificates], now, ct);
        return TypedResults.Ok(new StateResponse("closed", Certificates: certificates.Count));
    }
}
