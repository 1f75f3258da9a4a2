using System.Collections.Concurrent;
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

    // An entry stays until it was on a list issued after its certificate's end (RFC 5280 section 3.3).
    private const string Entries = $"""
        SELECT c.serial, s.at, s.reason, s.invalidity_date
        FROM certificates c JOIN LATERAL ({RevokedSince.OfCertificate}) s ON true
        WHERE c.issuer = $1 AND c.state IN ('hold', 'revoked') AND c.not_after > coalesce((SELECT max(this_update) FROM crls WHERE issuer = $1), '-infinity')
        ORDER BY c.serial
        """;
    private const string Head = "SELECT coalesce(max(seq), 0) FROM feed";

    // What was just issued is on no list.
    private const string Changed = """
        SELECT EXISTS (
            SELECT 1 FROM feed f JOIN certificates c ON c.sha256 = f.id
            WHERE f.seq > $2 AND f.seq <= $3 AND f.kind = 'certificate' AND c.issuer = $1
              AND EXISTS (SELECT 1 FROM certificate_states s WHERE s.sha256 = c.sha256 AND s.state <> 'good'))
        """;
    private const string Insert = "INSERT INTO crls (issuer, number, der, this_update, next_update, feed_seq) VALUES ($1, $2, $3, $4, $5, $6)";
    private const string Prune = "DELETE FROM crls WHERE issuer = $1 AND number < $2 - 10";
    private const string Latest = "SELECT number, der, this_update, feed_seq FROM crls WHERE issuer = $1 ORDER BY number DESC LIMIT 1";

    // Up to where the feed was read without a change of that issuer's, so that a quiet issuer does not read a busy one's lines every second.
    private readonly ConcurrentDictionary<string, long> _unchangedUntil = new(StringComparer.Ordinal);

    /// <summary>The latest list of an issuer; null before the first.</summary>
    public Task<PublishedList?> Find(string issuer, CancellationToken ct) => db.Sql(Latest).With(issuer).One(
        r => new PublishedList(r.GetInt64(0), r.GetFieldValue<byte[]>(1), r.GetFieldValue<DateTimeOffset>(2), r.GetInt64(3)), ct);

    /// <summary>Whether a new list is due: one of the issuer's certificates changed, or the last list grows old.</summary>
    public async Task<bool> IsDue(string issuer, CancellationToken ct)
    {
        if (await Find(issuer, ct) is not { } last || clock.GetUtcNow() - last.ThisUpdate >= options.CrlInterval)
        {
            return true;
        }

        var head = await db.Sql(Head).Scalar<long>(ct);
        var since = Math.Max(last.FeedSeq, _unchangedUntil.GetValueOrDefault(issuer));
        if (head > since && await db.Sql(Changed).With(issuer).With(since).With(head).Scalar<bool>(ct))
        {
            return true;
        }

        _unchangedUntil[issuer] = head;
        return false;
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
        var seq = await tx.Sql(Head).Scalar<long>(ct);
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
}
