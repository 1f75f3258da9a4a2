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

/// <summary>A wished state.</summary>
/// <param name="State"><c>suspended</c>, <c>active</c>, <c>revoked</c>, <c>deregistered</c> or <c>blacklisted</c>.</param>
/// <param name="Reason">A code, 1 to 60 characters.</param>
/// <param name="Basis">Order, decision or file number: text that an event can carry (<see cref="EventText"/>).</param>
public sealed record StateRequest(string State, string Reason, string? Basis = null)
{
    /// <summary>Whether reason and basis are texts that an event can carry.</summary>
    internal bool HasReason() => Reason.Length <= 60 && EventText.TryParse(Reason, out _) && (Basis is null || EventText.TryParse(Basis, out _));
}

/// <summary>What became of it.</summary>
/// <param name="State">The state now.</param>
/// <param name="Confirmation">Where a second officer confirms, when the wish waits for one.</param>
/// <param name="Certificates">How many certificates changed with it.</param>
public sealed record StateResponse(string State, Guid? Confirmation = null, int Certificates = 0);

/// <summary>
/// <c>POST /practitioners/{urn}/state</c>: one officer takes rights away, at once and whether or not the ledger answers; two give them
/// back (<see cref="ConfirmReinstatement"/>).
/// </summary>
internal sealed class ChangePractitionerState(NpgsqlDataSource db, Outbox outbox, FeedHub feed, TimeProvider clock)
{
    private const string Wish = """
        INSERT INTO reinstatements (id, practitioner, reason, basis, wished_by, wished_at, state_id, login_sha256) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """;

    /// <summary>Changes the state, or records the wish to reinstate.</summary>
    public async Task<Results<Ok<StateResponse>, Accepted<StateResponse>, Refusal>> Handle(HttpContext context, PersonId urn, StateRequest request)
    {
        if (!request.HasReason() || request.State is not ("suspended" or "active" or "revoked" or "deregistered" or "blacklisted"))
        {
            return CaRefusals.MalformedPractitionerState;
        }

        var ct = context.RequestAborted;
        var officer = context.Officer();
        var now = Microseconds.Truncate(clock.GetUtcNow());
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (!await PractitionerStates.Lock(tx, urn, ct))
        {
            return CaRefusals.UnknownPerson;
        }

        var current = await PractitionerStates.At(tx, urn, now, ct);
        if (current.Ended)
        {
            return CaRefusals.LicenceEnded.With("state", current.State);
        }

        if (request.State is "active")
        {
            return current.State is "active" ? TypedResults.Ok(new StateResponse(current.State)) : await Ask(tx, urn, request, current, officer, now, ct);
        }

        return current.IsAlready(request)
            ? TypedResults.Ok(new StateResponse(current.State))
            : TypedResults.Ok(await TakeAway(tx, urn, request, current, officer, now, ct));
    }

    // The wish names the state that it is to end: one that comes after it stays.
    private async Task<Results<Ok<StateResponse>, Accepted<StateResponse>, Refusal>> Ask(
        NpgsqlTransaction tx, PersonId person, StateRequest request, PractitionerState current, Officer officer, DateTimeOffset now, CancellationToken ct)
    {
        var id = Guid.CreateVersion7(now);
        await tx.Sql(Wish).With(id).With(person.Value).With(request.Reason).With(request.Basis).With(officer.Person).With(now).With(current.Id)
            .With(officer.CertificateSha256).Execute(ct);
        var asked = PractitionerStates.Event("ID.state", officer, person, "asked", request.Reason, request.Basis) with { Correlation = id.ToString() };
        if (await outbox.Append(tx, asked, ct) is AppendOutcome.Refused refused)
        {
            return CommonRefusals.From(refused.Reason);
        }

        await tx.CommitAsync(CancellationToken.None);
        return TypedResults.Accepted($"/practitioners/{person}/state/{id}/confirmations", new StateResponse(current.State, id));
    }

    private async Task<StateResponse> TakeAway(
        NpgsqlTransaction tx, PersonId person, StateRequest request, PractitionerState current, Officer officer, DateTimeOffset now, CancellationToken ct)
    {
        await PractitionerStates.Add(tx, person, request.State, now, officer.Person, null, request.Reason, request.Basis, ct);
        var state = request.State;
        if (current.State is "blacklisted" && state is "suspended")
        {
            // The suspension stands beside the blacklisting, which only two officers lift.
            state = current.State;
            await PractitionerStates.Add(tx, person, state, now, officer.Person, null, current.Reason, current.Basis, ct);
        }

        List<FeedChange> certificates = request.State is "revoked" or "deregistered"
            ? await CertificateConsequences.RevokeAll(tx, person.Value, RevocationReason.PrivilegeWithdrawn, now, officer.Person, ct)
            : await CertificateConsequences.HoldAll(tx, person.Value, now, officer.Person, ct);
        var change = PractitionerStates.Event(request.State is "blacklisted" ? "BL.add" : "ID.suspend", officer, person, request.State, request.Reason, request.Basis);
        (await ConsequenceEvents.Append(tx, outbox, change, certificates, ct)).IsNeverRefused();
        await feed.Commit(tx, [new FeedChange("practitioner", person.Value, person.Value, state), .. certificates], now, ct);
        return new StateResponse(state, Certificates: certificates.Count);
    }
}
