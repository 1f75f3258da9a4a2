using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Enrolment;
using Trust.CA.Feed;
using Trust.CA.Officers;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Registry;

/// <summary>
/// <c>POST /practitioners/{urn}/state/{id}/confirmations</c>: a second officer gives rights back that the first asked for, from the very
/// state that it was asked for.
/// </summary>
internal sealed class ConfirmReinstatement(NpgsqlDataSource db, Outbox outbox, FeedHub feed, RefusedRequests refused, TimeProvider clock)
{
    private const string Select = """
        SELECT wished_by, reason, basis, wished_at, coalesce(state_id, -1), coalesce(officer_counts(wished_by, login_sha256, $3), false)
        FROM reinstatements WHERE id = $1 AND practitioner = $2 AND confirmed_by IS NULL
        """;
    private const string Confirm = "UPDATE reinstatements SET confirmed_by = $2, confirmed_at = $3 WHERE id = $1 AND confirmed_by IS NULL";

    /// <summary>Confirms.</summary>
    public async Task<Results<Ok<StateResponse>, Refusal>> Handle(HttpContext context, PersonId urn, Guid id)
    {
        var ct = context.RequestAborted;
        var officer = context.Officer();
        var outcome = await Confirmed(urn, id, officer, ct);
        return outcome switch
        {
            Outcome.Given(var response) => TypedResults.Ok(response),
            Outcome.NotRecorded(var why) => why,
            Outcome.Refused(var why) => await refused.Record(Refusal(officer, urn, id, why), why, ct),
            _ => throw new InvalidOperationException("Unknown outcome of a confirmation."),
        };
    }

    private async Task<Outcome> Confirmed(PersonId urn, Guid id, Officer officer, CancellationToken ct)
    {
        var now = Microseconds.Truncate(clock.GetUtcNow());
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        _ = await PractitionerStates.Lock(tx, urn, ct);
        var wish = await tx.Sql(Select).With(id).With(urn.Value).With(now).One(
            r => new Reinstatement(r.GetString(0), r.GetString(1), r.Nullable<string>(2), r.GetFieldValue<DateTimeOffset>(3), r.GetInt64(4), r.GetBoolean(5)), ct);
        if (wish is null)
        {
            return new Outcome.Refused(CaRefusals.UnknownReinstatement);
        }

        var current = await PractitionerStates.At(tx, urn, now, ct);
        return Judge(wish, current, officer, now) is { } why
            ? new Outcome.Refused(why)
            : await GiveBack(tx, urn, id, wish, current, officer, now, ct);
    }

    private static Refusal? Judge(Reinstatement wish, PractitionerState current, Officer officer, DateTimeOffset now) =>
        string.Equals(wish.By, officer.Person, StringComparison.Ordinal) ? CaRefusals.OwnReinstatement
        : current.Ended ? CaRefusals.LicenceEnded.With("state", current.State)
        : wish.StateId != current.Id ? CaRefusals.ReinstatementSuperseded.With("state", current.State)
        : wish.At + WishLife.Longest <= now ? CaRefusals.ReinstatementExpired
        : !wish.AskerCounts ? CaRefusals.AskingOfficerGone
        : null;

    private async Task<Outcome> GiveBack(
        NpgsqlTransaction tx, PersonId urn, Guid id, Reinstatement wish, PractitionerState current, Officer officer, DateTimeOffset now, CancellationToken ct)
    {
        await tx.Sql(Confirm).With(id).With(officer.Person).With(now).Execute(ct);

        // Nothing is given back that something else still withholds: behind a blacklisting a suspension goes on.
        var below = current.State is "blacklisted" && await PractitionerStates.Below(tx, urn, now, ct) is { State: "suspended" } suspended ? suspended : null;
        var state = below?.State ?? "active";
        await PractitionerStates.Add(tx, urn, state, now, wish.By, officer.Person, below?.Reason ?? wish.Reason, below is null ? wish.Basis : below.Basis, ct);
        List<FeedChange> certificates = below is null ? await CertificateConsequences.ResumeAll(tx, urn.Value, now, officer.Person, ct) : [];
        var given = PractitionerStates.Event(Action(current), officer, urn, state, wish.Reason, wish.Basis) with { OnBehalfOf = wish.By, Correlation = id.ToString() };
        if (await ConsequenceEvents.Append(tx, outbox, given, certificates, ct) is AppendOutcome.Refused notRecorded)
        {
            return new Outcome.NotRecorded(CommonRefusals.From(notRecorded.Reason));
        }

        await feed.Commit(tx, [new FeedChange("practitioner", urn.Value, urn.Value, state), .. certificates], now, ct);
        return new Outcome.Given(new StateResponse(state, Certificates: certificates.Count));
    }

    private static string Action(PractitionerState current) => current.State is "blacklisted" ? "BL.remove" : "ID.state";

    private static AuditEvent Refusal(Officer officer, PersonId urn, Guid id, Refusal why) => new()
    {
        Action = "ID.state",
        Actor = officer.Actor,
        Subjects = [SubjectKey.Practitioner(urn.Value)],
        Outcome = EventOutcome.Refused,
        Reason = why.Name,
        Correlation = id.ToString(),
    };

    private sealed record Reinstatement(string By, string Reason, string? Basis, DateTimeOffset At, long StateId, bool AskerCounts);

    private abstract record Outcome
    {
        public sealed record Given(StateResponse Response) : Outcome;

        // A rule refuses; the refusal is an event too.
        public sealed record Refused(Refusal Why) : Outcome;

        // The ledger's rules refuse the event, so nothing changed.
        public sealed record NotRecorded(Refusal Why) : Outcome;
    }
}
