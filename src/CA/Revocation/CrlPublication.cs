using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using Npgsql;
using Trust.CA.Certificates;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Revocation;

/// <summary>Builds, signs and stores full CRLs. Reads the same rows as OCSP, so the two cannot disagree for longer than an interval.</summary>
public sealed class CrlPublication(
    NpgsqlDataSource db, Outbox outbox, CaOptions options, TimeProvider clock, ILogger<CrlPublication> log)
{
    private const string Raise = "UPDATE issuers SET crl_number = crl_number + 1 WHERE name = $1 RETURNING crl_number";
    private const string Entries = """
        SELECT c.serial, s.at, s.reason, s.invalidity_date
        FROM certificates c
        JOIN LATERAL (SELECT at, reason, invalidity_date FROM certificate_states s WHERE s.sha256 = c.sha256 ORDER BY id DESC LIMIT 1) s ON true
        WHERE c.issuer = $1 AND c.state IN ('hold', 'revoked') AND c.not_after > $2
        ORDER BY c.serial
        """;
    private const string LastChange = "SELECT coalesce(max(seq), 0) FROM feed WHERE kind = 'certificate'";
    private const string Insert = "INSERT INTO crls (issuer, number, der, this_update, next_update, feed_seq) VALUES ($1, $2, $3, $4, $5, $6)";
    private const string Prune = "DELETE FROM crls WHERE issuer = $1 AND number < $2 - 10";
    private const string Latest = "SELECT der, this_update, next_update, feed_seq FROM crls WHERE issuer = $1 ORDER BY number DESC LIMIT 1";

    /// <summary>The latest list of an issuer; null before the first.</summary>
    public async Task<byte[]?> Find(string issuer, CancellationToken ct) =>
        await db.Sql(Latest).With(issuer).One(r => r.GetFieldValue<byte[]>(0), ct);

    /// <summary>Whether a new list is due: something changed, or the last one grows old.</summary>
    public async Task<bool> IsDue(string issuer, CancellationToken ct)
    {
        var last = await db.Sql(Latest).With(issuer).One(r => new LastList(r.GetFieldValue<DateTimeOffset>(1), r.GetInt64(3)), ct);
        return last is null || clock.GetUtcNow() - last.ThisUpdate >= options.CrlInterval || await db.Sql(LastChange).Scalar<long>(ct) > last.FeedSeq;
    }

    /// <summary>Publishes a list. The number rises in the transaction that stores it, so it never repeats nor goes back, whoever publishes.</summary>
    /// <param name="issuer">The CA.</param>
    /// <param name="signer">Its key.</param>
    /// <param name="lifetime">How long the list may be relied on.</param>
    /// <param name="traced">False inside the ceremony, before the first event.</param>
    public async Task<long> Publish(Authority issuer, DigestSigner signer, TimeSpan lifetime, CancellationToken ct, bool traced = true)
    {
        var now = Microseconds.Truncate(clock.GetUtcNow());
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);

        // The row lock makes publishers of one issuer take turns.
        var number = await tx.Sql(Raise).With(issuer.Name).Scalar<long>(ct);
        var seq = await tx.Sql(LastChange).Scalar<long>(ct);
        var entries = await tx.Sql(Entries).With(issuer.Name).With(now).All(
            r => new RevokedEntry(
                r.GetFieldValue<byte[]>(0), r.GetFieldValue<DateTimeOffset>(1), (RevocationReason)r.GetInt16(2), r.Nullable<DateTimeOffset?>(3)),
            ct);
        var tbs = new CertificateListContent
        {
            Suite = issuer.Suite,
            Issuer = new X500DistinguishedName(issuer.Certificate.Subject.Span),
            AuthorityKeyIdentifier = issuer.Certificate.SubjectKeyIdentifier,
            Number = number,
            ThisUpdate = now,
            NextUpdate = now + lifetime,
            Entries = entries,
        }.EncodeTbs();
        var der = await SignedStructure.Sign(tbs, issuer.Suite, issuer.Certificate.SubjectPublicKeyInfo, signer, ct);
        await tx.Sql(Insert).With(issuer.Name).With(number).With(der).With(now).With(now + lifetime).With(seq).Execute(ct);
        await tx.Sql(Prune).With(issuer.Name).With(number).Execute(ct);
        if (traced)
        {
            var recorded = await outbox.Append(tx, new AuditEvent
            {
                Action = "CERT.crl",
                Actor = new Actor("ca"),
                Subjects = [SubjectKey.Certificate(issuer.Certificate.Sha256Hex)],
                Outcome = EventOutcome.Success,
                Reason = $"number-{number}",
            }, ct);
            recorded.IsNeverRefused();
        }

        await tx.CommitAsync(CancellationToken.None);
        CaLog.CrlPublished(log, number, issuer.Name, entries.Count);
        return number;
    }

    private sealed record LastList(DateTimeOffset ThisUpdate, long FeedSeq);
}
