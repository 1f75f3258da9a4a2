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
public sealed record CertificateStateRequest(string Reason, DateTimeOffset? InvalidityDate = null)
{
    /// <summary>Whether the reason is a text of 1 to 60 characters that an event can carry.</summary>
    internal bool TryReason(out EventText text)
    {
        text = default;
        return Reason.Length is > 0 and <= 60 && EventText.TryParse(Reason, out text);
    }
}

/// <summary><c>POST /certificates/{sha256}/hold|revoke</c>: one officer takes a right away, at once and whether or not the ledger answers.</summary>
internal sealed class ChangeCertificateState(NpgsqlDataSource db, CertificateStore store, Outbox outbox, FeedHub feed, TimeProvider clock)
{
    private const string Swap = "UPDATE certificates SET state = $2 WHERE sha256 = $1 AND state = ANY($3)";

    // A certificate that the registry holds is held by the officer too from then on: the registry's release is not the officer's.
    private const string AlsoHold = """
        INSERT INTO certificate_states (sha256, issuer, serial, state, reason, cause, at, recorded_by)
        SELECT sha256, issuer, serial, 'hold', 6, 'officer', $2, $3 FROM certificates c WHERE sha256 = $1 AND state = 'hold'
          AND (SELECT cause FROM certificate_states s WHERE s.sha256 = c.sha256 ORDER BY id DESC LIMIT 1) = 'registry'
        FOR UPDATE
        """;
    private static readonly Change ToHold = new("hold", ["good"], "CERT.hold");
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

    /// <summary>Revokes.</summary>
    public Task<Results<Ok<CertificateView>, Refusal>> Revoke(HttpContext context, string sha256, CertificateStateRequest request) =>
        Handle(context, sha256, request, ToRevoked, Reasons.TryGetValue(request.Reason, out var known) ? known : null);

    private async Task<Results<Ok<CertificateView>, Refusal>> Handle(
        HttpContext context, string sha256, CertificateStateRequest request, Change change, RevocationReason? code)
    {
        var ct = context.RequestAborted;
        var now = Microseconds.Truncate(clock.GetUtcNow());
        if (code is not { } reason || !request.TryReason(out var text))
        {
            return CaRefusals.UnknownReason;
        }

        if (request.InvalidityDate > now)
        {
            return CaRefusals.InvalidityDateInFuture;
        }

        if (await store.Find(sha256, ct) is not { } row)
        {
            return CaRefusals.UnknownCertificate;
        }

        var officer = context.Officer();
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await tx.Sql(Swap).With(sha256).With(change.To).With(change.From).Execute(ct) == 1)
        {
            await CertificateStates.Add(tx, row, change.To, reason, request.InvalidityDate, now, officer, ct);
        }
        else if (change != ToHold || await tx.Sql(AlsoHold).With(sha256).With(now).With(officer.Person).Execute(ct) == 0)
        {
            return string.Equals(row.State, change.To, StringComparison.Ordinal)
                ? TypedResults.Ok(CertificateView.From(row))
                : CaRefusals.CertificateStateFinal.With("state", row.State).With("wished", change.To);
        }

        (await outbox.Append(tx, CertificateStates.Event(change.Action, officer, row, text), ct)).IsNeverRefused();
        await feed.Commit(tx, [new FeedChange("certificate", sha256, CertificateEvents.PersonAmong(row.Holder), change.To)], now, ct);
        return TypedResults.Ok(CertificateView.From(row with { State = change.To }));
    }

    private sealed record Change(string To, string[] From, string Action);
}
