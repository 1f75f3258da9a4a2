using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.CA.Enrolment;
using Trust.CA.Feed;
using Trust.CA.Officers;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Certificates;

/// <summary>
/// <c>POST /certificates/{sha256}/resume</c>: two officers take off hold (docs/RULES.md §3). The first one's wish is recorded, another's
/// carries it out, while nothing else demands the hold.
/// </summary>
internal sealed class ResumeCertificate(
    NpgsqlDataSource db, CertificateStore store, Outbox outbox, FeedHub feed, RefusedRequests refused, TimeProvider clock)
{
    // Behind the holder's and the institution's locks: a suspension or a closing that commits meanwhile is seen.
    private const string ShareHolder = "SELECT urn FROM practitioners WHERE urn = $1 FOR SHARE";
    private const string ShareInstitution = "SELECT urn FROM institutions WHERE urn = ANY ($1) FOR SHARE";
    private const string Lock = "SELECT state FROM certificates WHERE sha256 = $1 FOR UPDATE";
    private const string LastState = "SELECT id, cause FROM certificate_states WHERE sha256 = $1 ORDER BY id DESC LIMIT 1";
    private const string Standing = $"SELECT standing FROM ({HolderStanding.OfCertificate}) s";
    private const string Release = "UPDATE certificates SET state = 'good' WHERE sha256 = $1 AND state = 'hold'";
    private const string TakeWish = """
        DELETE FROM certificate_resumptions
        WHERE sha256 = $1 AND wished_by <> $2 AND state_id = $3 AND wished_at > $4 AND officer_counts(wished_by, login_sha256, $5)
        RETURNING wished_by
        """;

    // A wish that lapsed, or that was about an earlier hold, gives way to this one; one's own is kept as it is.
    private const string KeepWish = """
        INSERT INTO certificate_resumptions AS w (sha256, wished_by, wished_at, state_id, login_sha256) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (sha256) DO UPDATE SET wished_by = $2, wished_at = $3, state_id = $4, login_sha256 = $5
        WHERE w.state_id IS DISTINCT FROM $4 OR w.wished_at <= $6 OR NOT coalesce(officer_counts(w.wished_by, w.login_sha256, $3), false)
        """;

    /// <summary>Takes off hold, or records that one officer wishes it.</summary>
    public async Task<Results<Ok<CertificateView>, Refusal>> Handle(HttpContext context, string sha256, CertificateStateRequest request)
    {
        var ct = context.RequestAborted;
        if (!request.TryReason(out var reason))
        {
            return CaRefusals.UnknownReason;
        }

        if (await store.Find(sha256, ct) is not { } row)
        {
            return CaRefusals.UnknownCertificate;
        }

        var officer = context.Officer();
        return await Resume(row, reason, officer, ct) switch
        {
            Outcome.Answered(var state) => TypedResults.Ok(CertificateView.From(row with { State = state })),
            Outcome.NotRecorded(var why) => why,
            Outcome.Refused(var why) => await refused.Record(
                CertificateStates.Event("CERT.resume", officer, row, reason) with { Outcome = EventOutcome.Refused, Reason = why.Name }, why, ct),
            _ => throw new InvalidOperationException("Unknown outcome of a resumption."),
        };
    }

    private async Task<Outcome> Resume(CertificateRow row, EventText reason, Officer officer, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await tx.Sql(ShareHolder).With(row.Holder).Execute(ct);
        await tx.Sql(ShareInstitution).With(new[] { row.Holder, row.Institution ?? string.Empty }).Execute(ct);
        var state = await tx.Sql(Lock).With(row.Sha256).Scalar<string>(ct);
        var now = Microseconds.Truncate(clock.GetUtcNow());
        if (state is not "hold" || await tx.Sql(LastState).With(row.Sha256).One(r => new Hold(r.GetInt64(0), r.GetString(1)), ct) is not { } last)
        {
            return state is "good" ? new Outcome.Answered(state)
                : new Outcome.Refused(CaRefusals.CertificateStateFinal.With("state", state ?? row.State).With("wished", "good"));
        }

        if (last.Cause is not "officer" || await tx.Sql(Standing).With(row.Holder).With(row.Institution).With(now).Scalar<string>(ct) is not "good")
        {
            return new Outcome.Refused(CaRefusals.HeldByRegistry);
        }

        var wishedBy = await tx.Sql(TakeWish).With(row.Sha256).With(officer.Person).With(last.Id).With(now - WishLife.Longest).With(now).Scalar<string>(ct);
        return wishedBy is null
            ? await Wish(tx, row, reason, officer, last.Id, now, ct)
            : await GiveBack(tx, row, reason, officer, wishedBy, now, ct);
    }

    private async Task<Outcome> Wish(
        NpgsqlTransaction tx, CertificateRow row, EventText reason, Officer officer, long hold, DateTimeOffset now, CancellationToken ct)
    {
        if (await tx.Sql(KeepWish).With(row.Sha256).With(officer.Person).With(now).With(hold).With(officer.CertificateSha256).With(now - WishLife.Longest).Execute(ct) == 1)
        {
            if (await outbox.Append(tx, CertificateStates.Event("CERT.approve", officer, row, reason), ct) is AppendOutcome.Refused notRecorded)
            {
                return new Outcome.NotRecorded(CommonRefusals.From(notRecorded.Reason));
            }

            await tx.CommitAsync(CancellationToken.None);
        }

        return new Outcome.Answered("hold");
    }

    private async Task<Outcome> GiveBack(
        NpgsqlTransaction tx, CertificateRow row, EventText reason, Officer officer, string wishedBy, DateTimeOffset now, CancellationToken ct)
    {
        await tx.Sql(Release).With(row.Sha256).Execute(ct);
        await CertificateStates.Add(tx, row, "good", RevocationReason.Unspecified, null, now, officer, ct);
        if (await outbox.Append(tx, CertificateStates.Event("CERT.resume", officer, row, reason) with { OnBehalfOf = wishedBy }, ct) is AppendOutcome.Refused notRecorded)
        {
            return new Outcome.NotRecorded(CommonRefusals.From(notRecorded.Reason));
        }

        await feed.Commit(tx, [new FeedChange("certificate", row.Sha256!, CertificateEvents.PersonAmong(row.Holder), "good")], now, ct);
        return new Outcome.Answered("good");
    }

    private sealed record Hold(long Id, string Cause);

    private abstract record Outcome
    {
        // The state as it is now; still on hold when the wish waits for another officer's.
        public sealed record Answered(string State) : Outcome;

        // A rule refuses; the refusal is an event too.
        public sealed record Refused(Refusal Why) : Outcome;

        // The ledger's rules refuse the event, so nothing changed.
        public sealed record NotRecorded(Refusal Why) : Outcome;
    }
}
