using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Feed;
using Trust.CA.Officers;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Registry;

/// <summary><c>POST /practitioners/{urn}/state/{id}/confirmations</c>: a second officer gives rights back that the first asked for.</summary>
internal sealed class ConfirmReinstatement(NpgsqlDataSource db, Outbox outbox, FeedHub feed, TimeProvider clock)
{
    private const string Confirm = """
        UPDATE reinstatements SET confirmed_by = $3, confirmed_at = $4 WHERE id = $1 AND practitioner = $2 AND confirmed_by IS NULL AND wished_by <> $3
        RETURNING wished_by, reason, basis
        """;
    private const string WishedBy = "SELECT wished_by FROM reinstatements WHERE id = $1 AND practitioner = $2 AND confirmed_by IS NULL";

    /// <summary>Confirms.</summary>
    public async Task<Results<Ok<StateResponse>, Refusal>> Handle(HttpContext context, PersonId urn, Guid id)
    {
        var ct = context.RequestAborted;
        var officer = context.Officer();
        var now = Microseconds.Truncate(clock.GetUtcNow());
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        _ = await PractitionerStates.Lock(tx, urn, ct);
        var wish = await tx.Sql(Confirm).With(id).With(urn.Value).With(officer.Person).With(now)
            .One(r => new Reinstatement(r.GetString(0), r.GetString(1), r.Nullable<string>(2)), ct);
        if (wish is null)
        {
            return await tx.Sql(WishedBy).With(id).With(urn.Value).Scalar<string>(ct) is null ? CaRefusals.UnknownReinstatement : CaRefusals.OwnReinstatement;
        }

        var current = await PractitionerStates.At(tx, urn, now, ct);
        if (current is "revoked" or "deregistered")
        {
            return CaRefusals.LicenceEnded.With("state", current);
        }

        await PractitionerStates.Add(tx, urn, "active", now, wish.WishedBy, officer.Person, wish.Reason, wish.Basis, ct);
        var certificates = await CertificateConsequences.ResumeAll(tx, urn.Value, now, officer.Person, ct);
        var action = current is "blacklisted" ? "BL.remove" : "ID.state";
        if (await outbox.Append(tx, PractitionerStates.Event(action, officer, urn, certificates, "active", wish.Basis), ct) is AppendOutcome.Refused refused)
        {
            return CommonRefusals.From(refused.Reason);
        }

        await feed.Commit(tx, [new FeedChange("practitioner", urn.Value, urn.Value, "active"), .. certificates], now, ct);
        return TypedResults.Ok(new StateResponse("active", Certificates: certificates.Count));
    }

    private sealed record Reinstatement(string WishedBy, string Reason, string? Basis);
}
