using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.CA.Feed;
using Trust.CA.Officers;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Certificates;

/// <summary>A wished change.</summary>
/// <param name="Reason">For a revocation an RFC 5280 reason: <c>keyCompromise</c>, <c>affiliationChanged</c>, <c>superseded</c>,
/// <c>cessationOfOperation</c>, <c>privilegeWithdrawn</c> or <c>unspecified</c>; otherwise a code.</param>
/// <param name="InvalidityDate">When the key is thought to have been lost, for keyCompromise.</param>
public sealed record CertificateStateRequest(string Reason, DateTimeOffset? InvalidityDate = null);

/// <summary>
/// <c>POST /certificates/{sha256}/hold|resume|revoke</c>: one officer takes a right away, at once and whether or not the ledger answers;
/// two give it back.
/// </summary>
internal sealed class ChangeCertificateState(NpgsqlDataSource db, CertificateStore store, Outbox outbox, FeedHub feed, TimeProvider clock)
{
    private const string Swap = "UPDATE certificates SET state = $2 WHERE sha256 = $1 AND state = ANY($3)";
    private const string Insert = """
        INSERT INTO certificate_states (sha256, issuer, serial, state, reason, cause, invalidity_date, at, recorded_by)
        VALUES ($1, $2, $3, $4, $5, 'officer', $6, $7, $8)
        """;
    private const string TakeWish = "DELETE FROM certificate_resumptions WHERE sha256 = $1 AND wished_by <> $2";
    private const string KeepWish = "INSERT INTO certificate_resumptions (sha256, wished_by, wished_at) VALUES ($1, $2, $3) ON CONFLICT (sha256) DO NOTHING";
    private const string LastCause = "SELECT cause || ':' || recorded_by FROM certificate_states WHERE sha256 = $1 ORDER BY id DESC LIMIT 1";

    private static readonly Change ToHold = new("hold", ["good"], "CERT.hold");
    private static readonly Change ToGood = new("good", ["hold"], "CERT.resume");
    private static readonly Change ToRevoked = new("revoked", ["good", "hold"], "CERT.revoke");

    private static readonly Dictionary<string, RevocationReason> Reasons = new(StringComparer.Ordinal)
    {
        ["unspecified"] = RevocationReason.Unspecified,
        ["keyCompromise"] = RevocationReason.KeyCompromise,
        ["affiliationChanged"] = RevocationReason.AffiliationChanged,
        ["superseded"] = RevocationReason.Superseded,
        ["cessationOfOperation"] = RevocationReason.CessationOfOperation,
        ["privilegeWithdrawn"] = RevocationReason.PrivilegeWithdrawn,
    };

    /// <summary>Puts on hold.</summary>
    public Task<Results<Ok<CertificateView>, Refusal>> Hold(HttpContext context, string sha256, CertificateStateRequest request) =>
        Handle(context, sha256, request, ToHold, RevocationReason.CertificateHold);

    /// <summary>Takes off hold.</summary>
    public Task<Results<Ok<CertificateView>, Refusal>> Resume(HttpContext context, string sha256, CertificateStateRequest request) =>
        Handle(context, sha256, request, ToGood, RevocationReason.Unspecified);

    /// <summary>Revokes.</summary>
    public Task<Results<Ok<CertificateView>, Refusal>> Revoke(HttpContext context, string sha256, CertificateStateRequest request) =>
        Handle(context, sha256, request, ToRevoked, Reasons.TryGetValue(request.Reason, out var known) ? known : null);

    private async Task<Results<Ok<CertificateView>, Refusal>> Handle(
        HttpContext context, string sha256, CertificateStateRequest request, Change change, RevocationReason? code)
    {
        var ct = context.RequestAborted;
        if (code is not { } reason || request.Reason.Length > 60 || !EventText.TryParse(request.Reason, out var text))
        {
            return CaRefusals.UnknownReason;
        }

        if (await store.Find(sha256, ct) is not { } row)
        {
            return CaRefusals.UnknownCertificate;
        }

        var officer = context.Officer();
        var now = Microseconds.Truncate(clock.GetUtcNow());
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (change == ToGood)
        {
            switch (await AskForResumption(tx, officer, row, text, now, ct))
            {
                case Resumption.Refused(var why):
                    return why;
                case Resumption.Waits:
                    await tx.CommitAsync(CancellationToken.None);
                    return TypedResults.Ok(CertificateView.From(row));
            }
        }

        if (await tx.Sql(Swap).With(sha256).With(change.To).With(change.From).Execute(ct) == 0)
        {
            return string.Equals(row.State, change.To, StringComparison.Ordinal)
                ? TypedResults.Ok(CertificateView.From(row))
                : CaRefusals.CertificateStateFinal.With("state", row.State).With("wished", change.To);
        }

        await tx.Sql(Insert).With(sha256).With(row.Issuer).With(row.Serial).With(change.To).With((short)reason)
            .With(request.InvalidityDate?.ToUniversalTime()).With(now).With(officer.Person).Execute(ct);
        if (await outbox.Append(tx, Event(change.Action, officer, row, text), ct) is AppendOutcome.Refused refused)
        {
            // Only giving a right back can be refused; taking it away never waits for the ledger.
            return CommonRefusals.From(refused.Reason);
        }

        await feed.Commit(tx, [new FeedChange("certificate", sha256, CertificateEvents.PersonAmong(row.Holder), change.To)], now, ct);
        return TypedResults.Ok(CertificateView.From(row with { State = change.To }));
    }

    // Giving a right back takes two officers (docs/RULES.md §3): the first wish is recorded, another person's carries it out.
    private async Task<Resumption> AskForResumption(
        NpgsqlTransaction tx, Officer officer, CertificateRow row, EventText reason, DateTimeOffset now, CancellationToken ct)
    {
        if (await tx.Sql(LastCause).With(row.Sha256).Scalar<string>(ct) is { } cause && !cause.StartsWith("officer:", StringComparison.Ordinal))
        {
            return new Resumption.Refused(CaRefusals.HeldByRegistry);
        }

        if (row.State is not "hold" || await tx.Sql(TakeWish).With(row.Sha256).With(officer.Person).Execute(ct) == 1)
        {
            return new Resumption.Due();
        }

        await tx.Sql(KeepWish).With(row.Sha256).With(officer.Person).With(now).Execute(ct);
        return await outbox.Append(tx, Event("CERT.approve", officer, row, reason), ct) is AppendOutcome.Refused refused
            ? new Resumption.Refused(CommonRefusals.From(refused.Reason)) : new Resumption.Waits();
    }

    private static AuditEvent Event(string action, Officer officer, CertificateRow row, EventText reason) => new()
    {
        Action = action,
        Actor = officer.Actor,
        Subjects = CertificateEvents.Subjects(row.Holder, row.Institution, row.Sha256),
        Outcome = EventOutcome.Success,
        Reason = reason.Value,
    };

    private sealed record Change(string To, string[] From, string Action);

    private abstract record Resumption
    {
        // Nothing stands in the way: the state is changed, or is another one than hold.
        public sealed record Due : Resumption;

        // Recorded; another officer's wish will carry it out.
        public sealed record Waits : Resumption;

        public sealed record Refused(Refusal Why) : Resumption;
    }
}
