using System.Security.Cryptography;
using Npgsql;
using Trust.CA.Feed;
using Trust.CA.Officers;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Certificates;

/// <summary>A certificate's row.</summary>
public sealed record CertificateRow(
    string Issuer, byte[] Serial, string State, string? Sha256, Guid? Request, string Profile, string Holder, string? Institution, byte[] Tbs, byte[]? Der,
    DateTimeOffset NotBefore, DateTimeOffset NotAfter)
{
    /// <summary>The row that a plan reserves, with the bytes to be signed.</summary>
    public static CertificateRow Reserved(CertificatePlan plan, byte[] tbs, Guid? request, string holder, string? institution) => new(
        plan.Issuer?.Name ?? "self", plan.Serial, "reserved", null, request, plan.Profile.Name, holder, institution, tbs, null, plan.NotBefore, plan.NotAfter);
}

/// <summary>Reserve, then record: a signature never exists without a row that can be revoked.</summary>
public sealed class CertificateStore(NpgsqlDataSource db, GroupCommit commits, Outbox outbox, ServiceOptions service, TimeProvider clock)
{
    private const string Columns = "issuer, serial, state, sha256, request, profile, holder, institution, tbs, der, not_before, not_after";
    private const string ByHash = $"SELECT {Columns} FROM certificates WHERE sha256 = $1";
    private const string BySerial = $"SELECT {Columns} FROM certificates WHERE issuer = $1 AND serial = $2";
    private const string ByRequest = $"SELECT {Columns} FROM certificates WHERE request = $1";
    private const string Reserved = $"""
        SELECT {Columns} FROM certificates c WHERE state = 'reserved' AND reserved_at < $1 AND (next_try IS NULL OR next_try <= $2)
          AND EXISTS (SELECT 1 FROM certificate_requests r WHERE r.id = c.request AND r.state = 'issuing')
        ORDER BY coalesce(next_try, reserved_at) LIMIT 20
        """;
    private const string Postpone = """
        UPDATE certificates SET tries = tries + 1, next_try = $3::timestamptz + least($4 * power(2, least(tries, 20)), $5)
        WHERE issuer = $1 AND serial = $2 AND state = 'reserved' RETURNING tries
        """;
    // A system certificate that was not finished is made anew by whoever needs it; of a refused request nothing is issued any more.
    private const string Abandon = """
        UPDATE certificates c SET state = 'abandoned' WHERE state = 'reserved' AND reserved_at < $1
          AND (request IS NULL OR EXISTS (SELECT 1 FROM certificate_requests r WHERE r.id = c.request AND r.state = 'refused'))
        """;
    private const string Insert = """
        INSERT INTO certificates (issuer, serial, state, request, profile, profile_sha256, holder, institution, spki_sha256, tbs, not_before, not_after,
                                  reserved_at, region)
        VALUES ($1, $2, 'reserved', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, governing_region($6, $7, $13))
        """;
    private const string Claim = "UPDATE certificates SET reserved_at = $3 WHERE issuer = $1 AND serial = $2 AND state = 'reserved' AND reserved_at < $4";
    private const string ReserveForRequest = """
        WITH act AS (UPDATE certificate_requests SET state = 'issuing' WHERE id = $6 AND state = 'pending'
                       AND (SELECT count(*) FROM approvals a WHERE a.request = $6 AND officer_counts(a.officer, a.certificate_sha256, $17)
                            AND (a.login_sha256 IS NULL OR officer_counts(a.officer, a.login_sha256, $17))) >= 2
                     RETURNING region),
             reserved AS (
                INSERT INTO certificates (issuer, serial, state, request, profile, profile_sha256, holder, institution, spki_sha256, tbs, not_before, not_after,
                                          reserved_at, region)
                SELECT $7, $8, 'reserved', $6, $9, $10, $11, $12, $13, $14, $15, $16, $17, region FROM act)
        """ + Outbox.Trace;

    // What the registry says of the holder decides how the certificate begins: a change while the token signed has found no row to change.
    private const string Finish = $"""
        WITH standing AS ({HolderStanding.OfCertificate}),
             done AS (UPDATE certificates c SET state = standing.standing, sha256 = $6, der = $7, issued_at = $3 FROM standing
                      WHERE c.issuer = $4 AND c.serial = $5 AND c.state = 'reserved' RETURNING c.state, standing.reason),
             answered AS (UPDATE certificate_requests SET state = 'issued' WHERE id = $9 AND EXISTS (SELECT 1 FROM done))
        INSERT INTO certificate_states (sha256, issuer, serial, state, reason, cause, at, recorded_by)
        SELECT $6, $4, $5, state, reason, 'registry', $3, $8 FROM done RETURNING state
        """;
    private const string RegistryOfRequest = "SELECT registry_sha256 FROM certificate_requests WHERE id = $1";
    private const string Released = "SELECT der FROM certificates WHERE issuer = $1 AND serial = $2";
    private const string GiveUpRequest = "UPDATE certificate_requests SET state = 'refused', refusal = $2 WHERE id = $1 AND state IN ('pending', 'issuing')";
    // A statement of its own before the one that reads the standing: that one must see what a change of state committed while we waited
    // for its lock.
    private const string ShareHolder = "SELECT urn FROM practitioners WHERE urn = $1 FOR SHARE";
    private const string ShareInstitution = "SELECT urn FROM institutions WHERE urn = $1 FOR SHARE";

    /// <summary>By SHA-256 hex.</summary>
    public Task<CertificateRow?> Find(string sha256, CancellationToken ct) => db.Sql(ByHash).With(sha256).One(Read, ct);

    /// <summary>By issuer and serial number.</summary>
    public Task<CertificateRow?> Find(string issuer, byte[] serial, CancellationToken ct) => db.Sql(BySerial).With(issuer).With(serial).One(Read, ct);

    /// <summary>By the request it answers.</summary>
    public Task<CertificateRow?> FindByRequest(Guid request, CancellationToken ct) => db.Sql(ByRequest).With(request).One(Read, ct);

    /// <summary>Some rows reserved for a request whose issuance nobody has touched since an instant, without those that are to be tried later.</summary>
    public Task<List<CertificateRow>> Unfinished(DateTimeOffset since, DateTimeOffset now, CancellationToken ct) =>
        db.Sql(Reserved).With(since).With(now).All(Read, ct);

    /// <summary>Has a reserved row tried again later, after twice as long each time; answers how often it was tried.</summary>
    /// <param name="row">The row.</param>
    /// <param name="now">Now.</param>
    /// <param name="first">Wait after the first try.</param>
    /// <param name="longest">Longest wait.</param>
    /// <param name="ct">Cancels.</param>
    public Task<int> TryLater(CertificateRow row, DateTimeOffset now, TimeSpan first, TimeSpan longest, CancellationToken ct) =>
        db.Sql(Postpone).With(row.Issuer).With(row.Serial).With(now).With(first).With(longest).Scalar<int>(ct);

    /// <summary>Closes reservations before an instant that nobody will finish; answers how many.</summary>
    public Task<int> CloseAbandoned(DateTimeOffset before, CancellationToken ct) => db.Sql(Abandon).With(before).Execute(ct);

    /// <summary>
    /// Reserves serial number and bytes for a request, once, with the intent that the ledger confirms; no effect when the request was taken up before.
    /// </summary>
    public Task<ConfirmOutcome> Reserve(CertificateRow row, CertificatePlan plan, AuditEvent intent, DateTimeOffset now, CancellationToken ct) =>
        outbox.CommitConfirmed(
            intent, ReserveForRequest,
            c => c.With(row.Request).With(row.Issuer).With(row.Serial).With(row.Profile).With(plan.Profile.Sha256).With(row.Holder).With(row.Institution)
                .With(SHA256.HashData(plan.Spki.Span)).With(row.Tbs).With(row.NotBefore).With(row.NotAfter).With(now),
            ct);

    /// <summary>Reserves serial number and bytes for the system itself.</summary>
    public Task Reserve(CertificateRow row, CertificatePlan plan, DateTimeOffset now) => commits.Execute(
        GroupCommit.Sql(Insert).With(row.Issuer).With(row.Serial).With(row.Request).With(row.Profile).With(plan.Profile.Sha256).With(row.Holder)
            .With(row.Institution).With(SHA256.HashData(plan.Spki.Span)).With(row.Tbs).With(row.NotBefore).With(row.NotAfter).With(now)
            .With(service.Region));

    /// <summary>Hash of the registry's facts that the officers of a request signed.</summary>
    public async Task<byte[]> RegistryOf(Guid request, CancellationToken ct) =>
        await db.Sql(RegistryOfRequest).With(request).Scalar<byte[]>(ct) ?? throw new InvalidOperationException($"Request {request} vanished.");

    /// <summary>How many of a request's approvals count.</summary>
    public Task<long> Approvals(Guid request, DateTimeOffset now, CancellationToken ct) => db.Sql(GoodApprovals.Number).With(request).With(now).Scalar<long>(ct);

    /// <summary>Takes up an unfinished issuance; false when another instance was faster.</summary>
    public static async Task<bool> TakeUp(NpgsqlTransaction tx, CertificateRow row, DateTimeOffset now, DateTimeOffset since, CancellationToken ct) =>
        await tx.Sql(Claim).With(row.Issuer).With(row.Serial).With(now).With(since).Execute(ct) == 1;

    /// <summary>Gives up a request whose holder may no longer have a certificate.</summary>
    public Task RefuseRequest(Guid request, string rule, CancellationToken ct) => db.Sql(GiveUpRequest).With(request).With(rule).Execute(ct);

    /// <summary>
    /// Records the signed certificate with its event and feed line. When another attempt was faster its certificate is the one:
    /// this signature is thrown away unseen.
    /// </summary>
    public async Task<byte[]> Record(CertificateRow row, byte[] der, Actor actor, string? correlation, bool traced = true)
    {
        // Signed: a caller hanging up must not lose it (rule 13).
        var ct = CancellationToken.None;
        var sha256 = Certificate.Parse(der).Sha256Hex;
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await tx.Sql(ShareHolder).With(row.Holder).Execute(ct);
        await tx.Sql(ShareInstitution).With(row.Institution ?? row.Holder).Execute(ct);
        // Read behind the lock: a state that took effect while we waited is not in the future.
        var now = Microseconds.Truncate(clock.GetUtcNow());
        var state = await tx.Sql(Finish).With(row.Holder).With(row.Institution).With(now).With(row.Issuer).With(row.Serial).With(sha256).With(der)
            .With(actor.Subject).With(row.Request).Scalar<string>(ct);
        if (state is null)
        {
            await tx.RollbackAsync(ct);
            return await connection.Sql(Released).With(row.Issuer).With(row.Serial).Scalar<byte[]>(ct)
                ?? throw new InvalidOperationException("The reservation was closed as abandoned while its certificate was signed.");
        }

        if (traced)
        {
            // The result of an intent that was confirmed, or of the system's own need.
            (await outbox.Append(tx, Issued(row, sha256, actor, correlation), ct)).IsNeverRefused();
        }

        await FeedWriter.Append(tx, [new FeedChange("certificate", sha256, CertificateEvents.PersonAmong(row.Holder), state)], now, ct);
        await tx.CommitAsync(ct);
        return der;
    }

    private static AuditEvent Issued(CertificateRow row, string sha256, Actor actor, string? correlation) => new()
    {
        Action = "CERT.issue",
        Actor = actor,
        Subjects = CertificateEvents.Subjects(row.Holder, row.Institution, sha256),
        Outcome = EventOutcome.Success,
        Reason = row.Profile,
        Correlation = correlation,
    };

    private static CertificateRow Read(NpgsqlDataReader r) => new(
        r.GetString(0), r.GetFieldValue<byte[]>(1), r.GetString(2), r.Nullable<string>(3), r.Nullable<Guid?>(4), r.GetString(5), r.GetString(6),
        r.Nullable<string>(7), r.GetFieldValue<byte[]>(8), r.Nullable<byte[]>(9), r.GetFieldValue<DateTimeOffset>(10), r.GetFieldValue<DateTimeOffset>(11));
}
