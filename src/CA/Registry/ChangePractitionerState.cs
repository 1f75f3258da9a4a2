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

/// <summary>A wished state.</summary>
/// <param name="State"><c>suspended</c>, <c>active</c>, <c>revoked</c>, <c>deregistered</c> or <c>blacklisted</c>.</param>
/// <param name="Reason">A code, 1 to 60 characters.</param>
/// <param name="Basis">Order, decision or file number: text that an event can carry (<see cref="EventText"/>).</param>
public sealed record StateRequest(string State, string Reason, string? Basis = null);

/// <summary>What became of it.</summary>
/// <param name="State">The state now.</param>
/// <param name="Confirmation">Where a second officer confirms, when the wish waits for one.</param>
/// <param name="Certificates">How many certificates changed with it.</param>
public sealed record StateResponse(string State, Guid? Confirmation = null, int Certificates = 0);

/// <summary>
/// <c>POST /practitioners/{urn}/state</c>: one officer takes rights away, at once and whether or not the ledger answers; two give them
/// back (<c>…/state/{id}/confirmations</c>).
/// </summary>
public static class ChangePractitionerState
{
    private const string Known = "SELECT urn FROM practitioners WHERE urn = $1 FOR UPDATE";
    private const string Current = """
        SELECT state FROM practitioner_states WHERE practitioner = $1 AND effective_from <= $2 ORDER BY effective_from DESC, id DESC LIMIT 1
        """;
    private const string Insert = """
        INSERT INTO practitioner_states (practitioner, state, effective_from, recorded_at, recorded_by, confirmed_by, reason, basis)
        VALUES ($1, $2, $3, $3, $4, $5, $6, $7)
        """;
    private const string Wish = "INSERT INTO reinstatements (id, practitioner, reason, basis, wished_by, wished_at) VALUES ($1, $2, $3, $4, $5, $6)";
    private const string Confirm = """
        UPDATE reinstatements SET confirmed_by = $3, confirmed_at = $4 WHERE id = $1 AND practitioner = $2 AND confirmed_by IS NULL AND wished_by <> $3
        RETURNING wished_by, reason, basis
        """;
    private const string WishedBy = "SELECT wished_by FROM reinstatements WHERE id = $1 AND practitioner = $2 AND confirmed_by IS NULL";

    /// <summary>Maps both endpoints.</summary>
    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapPost("/practitioners/{urn}/state", Handle).RequireOfficer().Idempotent();
        app.MapPost("/practitioners/{urn}/state/{id:guid}/confirmations", HandleConfirmation).RequireOfficer().Idempotent();
    }

    private static async Task<Results<Ok<StateResponse>, Accepted<StateResponse>, ProblemHttpResult>> Handle(
        HttpContext context, string urn, StateRequest request, NpgsqlDataSource db, Outbox outbox, FeedHub feed, TimeProvider clock, ProblemSet problems)
    {
        if (request.Reason.Length is 0 or > 60 || !EventText.TryParse(request.Reason, out _) || (request.Basis is not null && !EventText.TryParse(request.Basis, out _))
            || request.State is not ("suspended" or "active" or "revoked" or "deregistered" or "blacklisted"))
        {
            return problems.Of("malformed-state", 400, "Name a state (suspended, active, revoked, deregistered, blacklisted) and a reason of 1 to 60 characters.");
        }

        var ct = context.RequestAborted;
        var officer = OfficerDirectory.Of(context);
        var now = Microseconds.Truncate(clock.GetUtcNow());
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await tx.Sql(Known).With(urn).Scalar<string>(ct) is null)
        {
            return problems.Of("unknown-person", 404, "No practitioner has this identifier.");
        }

        var current = await tx.Sql(Current).With(urn).With(now).Scalar<string>(ct) ?? "pending";
        if (current is "revoked" or "deregistered")
        {
            // Re-registration is a new licence, not a change of this one (医师法 16).
            return problems.Of("final-state", 409, $"The licence is {current}; only a new registration follows.");
        }

        if (string.Equals(current, request.State, StringComparison.Ordinal))
        {
            return TypedResults.Ok(new StateResponse(current));
        }

        if (request.State is "active")
        {
            var id = Guid.CreateVersion7(now);
            await tx.Sql(Wish).With(id).With(urn).With(request.Reason).With(request.Basis).With(officer.Person).With(now).Execute(ct);
            await tx.CommitAsync(CancellationToken.None);
            return TypedResults.Accepted($"/practitioners/{urn}/state/{id}/confirmations", new StateResponse(current, id));
        }

        await tx.Sql(Insert).With(urn).With(request.State).With(now).With(officer.Person).With((string?)null).With(request.Reason).With(request.Basis).Execute(ct);
        List<FeedChange> certificates = request.State is "revoked" or "deregistered"
            ? await CertificateConsequences.RevokeAll(tx, urn, RevocationReason.PrivilegeWithdrawn, now, officer.Person, ct)
            : await CertificateConsequences.HoldAll(tx, urn, now, officer.Person, ct);
        var action = request.State is "blacklisted" ? "BL.add" : "ID.suspend";
        await Trace(outbox, tx, action, officer, urn, certificates, request.State, request.Basis, ct);
        await feed.Commit(tx, [new FeedChange("practitioner", urn, urn, request.State), .. certificates], now, ct);
        return TypedResults.Ok(new StateResponse(request.State, Certificates: certificates.Count));
    }

    private static async Task<Results<Ok<StateResponse>, ProblemHttpResult>> HandleConfirmation(
        HttpContext context, string urn, Guid id, NpgsqlDataSource db, Outbox outbox, FeedHub feed, TimeProvider clock, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        var officer = OfficerDirectory.Of(context);
        var now = Microseconds.Truncate(clock.GetUtcNow());
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        _ = await tx.Sql(Known).With(urn).Scalar<string>(ct);
        var wish = await tx.Sql(Confirm).With(id).With(urn).With(officer.Person).With(now)
            .One(r => new Reinstatement(r.GetString(0), r.GetString(1), r.Nullable<string>(2)), ct);
        if (wish is null)
        {
            return await tx.Sql(WishedBy).With(id).With(urn).Scalar<string>(ct) is null
                ? problems.Of("unknown-reinstatement", 404, "Nothing waits for confirmation under this identifier.")
                : problems.Of("own-request", 403, "Another officer must confirm what you asked for.");
        }

        var current = await tx.Sql(Current).With(urn).With(now).Scalar<string>(ct);
        if (current is "revoked" or "deregistered")
        {
            return problems.Of("final-state", 409, "The licence was ended meanwhile; only a new registration follows.");
        }

        await tx.Sql(Insert).With(urn).With("active").With(now).With(wish.WishedBy).With(officer.Person).With(wish.Reason).With(wish.Basis).Execute(ct);
        var certificates = await CertificateConsequences.ResumeAll(tx, urn, now, officer.Person, ct);
        if (await Trace(outbox, tx, current is "blacklisted" ? "BL.remove" : "ID.state", officer, urn, certificates, "active", wish.Basis, ct) is { } refused)
        {
            return problems.Of(refused.Code, 503, "The audit ledger is away for too long; nothing was changed. Try again later.");
        }

        await feed.Commit(tx, [new FeedChange("practitioner", urn, urn, "active"), .. certificates], now, ct);
        return TypedResults.Ok(new StateResponse("active", Certificates: certificates.Count));
    }

    private static async Task<AppendRefusal?> Trace(
        Outbox outbox, NpgsqlTransaction tx, string action, Officer officer, string urn, List<FeedChange> certificates, string state, string? basis, CancellationToken ct)
    {
        var outcome = await outbox.Append(tx, new AuditEvent
        {
            Action = action,
            Actor = officer.Actor,
            Subjects = [SubjectKey.Of("practitioner", urn), .. certificates.Take(60).Select(c => SubjectKey.Certificate(c.Id))],
            Outcome = EventOutcome.Success,
            Reason = state,
            Basis = basis,
        }, ct);
        return outcome is AppendOutcome.Refused refused ? refused.Reason : null;
    }

    private sealed record Reinstatement(string WishedBy, string Reason, string? Basis);
}
