using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;

namespace Trust.CA.Certificates;

/// <summary>A certificate's status at an instant, and what is known now of its revocation.</summary>
/// <param name="Sha256">The certificate.</param>
/// <param name="Profile">What it was issued as.</param>
/// <param name="Holder">Whose it is.</param>
/// <param name="At">The instant.</param>
/// <param name="Status"><c>good</c>, <c>hold</c>, <c>revoked</c>, <c>expired</c> or <c>not-yet-valid</c> at that instant.</param>
/// <param name="RevokedAt">When it was revoked for good, before or after the instant; null when it was not.</param>
/// <param name="Reason">Why, as RFC 5280 5.3.1 numbers it.</param>
/// <param name="InvalidityDate">Since when its key is thought to be lost, if that was said.</param>
public sealed record CertificateStanding(
    string Sha256, string Profile, string Holder, DateTimeOffset At, string Status, DateTimeOffset? RevokedAt, int? Reason, DateTimeOffset? InvalidityDate);

/// <summary>
/// <c>GET /certificates/{sha256}/status?at=</c>: the status of any certificate of ours, of persons, seals and services alike, for whoever judges a
/// signature of that time. A revocation since then is told too, because its key may have been lost earlier than it was revoked.
/// </summary>
internal sealed class ShowCertificateStatus(NpgsqlDataSource db, TimeProvider clock)
{
    private const string Read = """
        SELECT c.profile, c.holder, c.not_before, c.not_after, earlier.state, revoked.at, revoked.reason, revoked.invalidity_date
        FROM certificates c
        LEFT JOIN LATERAL (SELECT state FROM certificate_states s WHERE s.sha256 = c.sha256 AND s.at <= $2 ORDER BY id DESC LIMIT 1) earlier ON true
        LEFT JOIN LATERAL (SELECT at, reason, invalidity_date FROM certificate_states s WHERE s.sha256 = c.sha256 AND s.state = 'revoked'
                           ORDER BY id LIMIT 1) revoked ON true
        WHERE c.sha256 = $1
        """;

    // RFC 3339 with its offset.
    private static readonly string[] Forms = ["yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFzzz"];

    /// <summary>Shows.</summary>
    public async Task<Results<Ok<CertificateStanding>, Refusal>> Handle(string sha256, string? at, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var instant = now;
        if (at is not null && (!DateTimeOffset.TryParseExact(
                at, Forms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out instant)
            || instant > now.AddMinutes(1)))
        {
            return CaRefusals.MalformedQuestion;
        }

        return await db.Sql(Read).With(sha256).With(instant).One(r => From(r, sha256, instant), ct) is { } status
            ? TypedResults.Ok(status) : CaRefusals.UnknownCertificate;
    }

    private static CertificateStanding From(NpgsqlDataReader r, string sha256, DateTimeOffset at)
    {
        var status = at < r.GetFieldValue<DateTimeOffset>(2) ? "not-yet-valid"
            : r.Nullable<string>(4) is "revoked" ? "revoked"
            : at > r.GetFieldValue<DateTimeOffset>(3) ? "expired"
            // A certificate is valid from before it is issued, by the allowance for clocks; nothing was said of it then.
            : r.Nullable<string>(4) ?? "good";
        return new CertificateStanding(
            sha256, r.GetString(0), r.GetString(1), at, status, r.Nullable<DateTimeOffset?>(5), r.Nullable<short?>(6), r.Nullable<DateTimeOffset?>(7));
    }
}
