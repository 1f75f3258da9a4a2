using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
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

/// <summary>A certificate as officers see it.</summary>
public sealed record CertificateView(
    string Sha256, string Issuer, string SerialNumber, string Profile, string Holder, string? Institution, string State,
    DateTimeOffset NotBefore, DateTimeOffset NotAfter, string Certificate);

/// <summary><c>POST /certificates/{sha256}/hold|resume|revoke</c> and <c>GET /certificates/{sha256}</c>.</summary>
public static class ChangeCertificateState
{
    private const string Swap = "UPDATE certificates SET state = $2 WHERE sha256 = $1 AND state = ANY($3)";
    private const string Insert = """
        INSERT INTO certificate_states (sha256, issuer, serial, state, reason, cause, invalidity_date, at, recorded_by) VALUES ($1, $2, $3, $4, $5, 'officer', $6, $7, $8)
        """;
    private const string TakeWish = "DELETE FROM certificate_resumptions WHERE sha256 = $1 AND wished_by <> $2";
    private const string KeepWish = "INSERT INTO certificate_resumptions (sha256, wished_by, wished_at) VALUES ($1, $2, $3) ON CONFLICT (sha256) DO NOTHING";
    private const string LastCause = "SELECT cause || ':' || recorded_by FROM certificate_states WHERE sha256 = $1 ORDER BY id DESC LIMIT 1";

    private static readonly Dictionary<string, RevocationReason> Reasons = new(StringComparer.Ordinal)
    {
        ["unspecified"] = RevocationReason.Unspecified,
        ["keyCompromise"] = RevocationReason.KeyCompromise,
        ["affiliationChanged"] = RevocationReason.AffiliationChanged,
        ["superseded"] = RevocationReason.Superseded,
        ["cessationOfOperation"] = RevocationReason.CessationOfOperation,
        ["privilegeWithdrawn"] = RevocationReason.PrivilegeWithdrawn,
    };

    /// <summary>Maps the endpoints.</summary>
    public static void Map(IEndpointRouteBuilder app)
    {
        foreach (var act in new[] { "hold", "resume", "revoke" })
        {
            app.MapPost($"/certificates/{{sha256}}/{act}", (
                HttpContext context, string sha256, CertificateStateRequest request, NpgsqlDataSource db, CertificateStore store, Outbox outbox,
                FeedHub feed, TimeProvider clock, ProblemSet problems) => Handle(context, sha256, act, request, db, store, outbox, feed, clock, problems)).RequireOfficer().Idempotent();
        }

        app.MapGet("/certificates/{sha256}", Show).RequireOfficer();
    }

    private static async Task<Results<Ok<CertificateView>, ProblemHttpResult>> Handle(
        HttpContext context, string sha256, string act, CertificateStateRequest request, NpgsqlDataSource db, CertificateStore store, Outbox outbox,
        FeedHub feed, TimeProvider clock, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        var officer = OfficerDirectory.Of(context);
        var reason = act switch
        {
            "revoke" => Reasons.TryGetValue(request.Reason, out var known) ? known : null,
            "hold" => RevocationReason.CertificateHold,
            _ => (RevocationReason?)RevocationReason.Unspecified,
        };
        if (reason is null || request.Reason.Length is 0 or > 60 || !EventText.TryParse(request.Reason, out _))
        {
            return problems.Of("unknown-reason", 400, "Name a reason: " + string.Join(", ", Reasons.Keys) + ".");
        }

        if (await store.Find(sha256, ct) is not { } row)
        {
            return problems.Of("unknown-certificate", 404, "No certificate has this SHA-256.");
        }

        var (to, from) = act switch
        {
            "hold" => ("hold", new[] { "good" }),
            "resume" => ("good", ["hold"]),
            _ => ("revoked", ["good", "hold"]),
        };
        var now = Microseconds.Truncate(clock.GetUtcNow());
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (to is "good" && await tx.Sql(LastCause).With(sha256).Scalar<string>(ct) is { } cause && !cause.StartsWith("officer:", StringComparison.Ordinal))
        {
            return problems.Of("held-by-registry", 409, "The holder's standing put this certificate on hold: reinstate the holder instead.");
        }

        if (to is "good" && row.State is "hold" && !await ResumedByTwo(tx, outbox, officer, row, sha256, request.Reason, now, ct))
        {
            await tx.CommitAsync(CancellationToken.None);
            return TypedResults.Ok(View(row));
        }

        if (await tx.Sql(Swap).With(sha256).With(to).With(from).Execute(ct) == 0)
        {
            return string.Equals(row.State, to, StringComparison.Ordinal)
                ? TypedResults.Ok(View(row))
                : problems.Of("final-state", 409, $"A certificate that is {row.State} cannot become {to}.");
        }

        await tx.Sql(Insert).With(sha256).With(row.Issuer).With(row.Serial).With(to).With((short)reason).With(request.InvalidityDate?.ToUniversalTime())
            .With(now).With(officer.Person).Execute(ct);
        var traced = await outbox.Append(tx, new AuditEvent
        {
            Action = act switch { "hold" => "CERT.hold", "resume" => "CERT.resume", _ => "CERT.revoke" },
            Actor = officer.Actor,
            Subjects = CertificateEvents.Subjects(row.Holder, row.Institution, sha256),
            Outcome = EventOutcome.Success,
            Reason = request.Reason,
        }, ct);
        if (traced is AppendOutcome.Refused refused)
        {
            // Only giving a right back can be refused; taking it away never waits for the ledger.
            await tx.RollbackAsync(CancellationToken.None);
            return problems.Of(refused.Reason.Code, 503, "The audit ledger is away for too long; nothing was changed. Try again later.");
        }

        var person = row.Holder.StartsWith("urn:mdid:p:", StringComparison.Ordinal) ? row.Holder : null;
        await feed.Commit(tx, [new FeedChange("certificate", sha256, person, to)], now, ct);
        return TypedResults.Ok(View(row with { State = to }));
    }

    // Giving a right back takes two officers (docs/RULES.md §3): the first wish is recorded, another person's carries it out.
    private static async Task<bool> ResumedByTwo(
        NpgsqlTransaction tx, Outbox outbox, Officer officer, CertificateRow row, string sha256, string reason, DateTimeOffset now, CancellationToken ct)
    {
        if (await tx.Sql(TakeWish).With(sha256).With(officer.Person).Execute(ct) == 1)
        {
            return true;
        }

        await tx.Sql(KeepWish).With(sha256).With(officer.Person).With(now).Execute(ct);
        await outbox.Append(tx, new AuditEvent
        {
            Action = "CERT.approve", Actor = officer.Actor, Subjects = CertificateEvents.Subjects(row.Holder, row.Institution, sha256), Outcome = EventOutcome.Success, Reason = reason,
        }, ct);
        return false;
    }

    private static async Task<Results<Ok<CertificateView>, ProblemHttpResult>> Show(
        HttpContext context, string sha256, CertificateStore store, ProblemSet problems) =>
        await store.Find(sha256, context.RequestAborted) is { } row
            ? TypedResults.Ok(View(row))
            : problems.Of("unknown-certificate", 404, "No certificate has this SHA-256.");

    private static CertificateView View(CertificateRow row) => new(
        row.Sha256!, row.Issuer, Convert.ToHexStringLower(row.Serial), row.Profile, row.Holder, row.Institution, row.State,
        row.NotBefore, row.NotAfter, Convert.ToBase64String(row.Der!));
}
