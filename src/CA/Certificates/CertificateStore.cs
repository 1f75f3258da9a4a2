using Npgsql;
using Trust.CA.Feed;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;

namespace Trust.CA.Certificates;

/// <summary>A certificate's row.</summary>
public sealed record CertificateRow(
    string Issuer, byte[] Serial, string State, string? Sha256, Guid? Request, string Profile, string Holder, string? Institution, byte[] Tbs, byte[]? Der,
    DateTimeOffset NotBefore, DateTimeOffset NotAfter);

/// <summary>Reserve, then record: a signature never exists without a row that can be revoked.</summary>
public sealed class CertificateStore(NpgsqlDataSource db, Outbox outbox, TimeProvider clock)
{
    private const string Columns = "issuer, serial, state, sha256, request, profile, holder, institution, tbs, der, not_before, not_after";
    private const string ByHash = $"SELECT {Columns} FROM certificates WHERE sha256 = $1";
    private const string BySerial = $"SELECT {Columns} FROM certificates WHERE issuer = $1 AND serial = $2";
    private const string ByRequest = $"SELECT {Columns} FROM certificates WHERE request = $1";
    private const string Reserved = $"""
        SELECT {Columns} FROM certificates c WHERE state = 'reserved' AND reserved_at < $1
          AND (request IS NULL OR EXISTS (SELECT 1 FROM certificate_requests r WHERE r.id = c.request AND r.state = 'issuing'))
        ORDER BY reserved_at LIMIT 20
        """;
    private const string Insert = """
        INSERT INTO certificates (issuer, serial, state, request, profile, profile_sha256, holder, institution, spki_sha256, tbs, not_before, not_after, reserved_at)
        VALUES ($1, $2, 'reserved', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """;
    private const string Claim = "UPDATE certificates SET reserved_at = $3 WHERE issuer = $1 AND serial = $2 AND state = 'reserved' AND reserved_at < $4";
    private const string Finish = """
        UPDATE certificates SET state = $3, sha256 = $4, der = $5, issued_at = $6 WHERE issuer = $1 AND serial = $2 AND state = 'reserved'
        """;
    private const string FinishRequest = "UPDATE certificate_requests SET state = 'issued' WHERE id = $1";
    private const string AbandonRequest = "UPDATE certificate_requests SET state = 'refused', refusal = $2 WHERE id = $1 AND state IN ('pending', 'issuing')";
    private const string InsertState = """
        INSERT INTO certificate_states (sha256, issuer, serial, state, reason, cause, at, recorded_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """;

    // Shares the row lock of a change of state, so that neither can overlook the other.
    private const string Standing = """
        SELECT (SELECT state FROM practitioner_states s WHERE s.practitioner = p.urn AND effective_from <= $2 ORDER BY effective_from DESC, id DESC LIMIT 1)
        FROM practitioners p WHERE urn = $1 FOR SHARE
        """;

    /// <summary>By SHA-256 hex.</summary>
    public Task<CertificateRow?> Find(string sha256, CancellationToken ct) => db.Sql(ByHash).With(sha256).One(Read, ct);

    /// <summary>By issuer and serial number.</summary>
    public Task<CertificateRow?> Find(string issuer, byte[] serial, CancellationToken ct) => db.Sql(BySerial).With(issuer).With(serial).One(Read, ct);

    /// <summary>By the request it answers.</summary>
    public Task<CertificateRow?> FindByRequest(Guid request, CancellationToken ct) => db.Sql(ByRequest).With(request).One(Read, ct);

    /// <summary>Reserved rows whose issuance nobody has touched since an instant.</summary>
    public Task<List<CertificateRow>> Unfinished(DateTimeOffset since, CancellationToken ct) => db.Sql(Reserved).With(since).All(Read, ct);

    /// <summary>Reserves the serial number and keeps the bytes to be signed, in the caller's transaction.</summary>
    public static Task Reserve(
        NpgsqlTransaction tx, CertificatePlan plan, byte[] tbs, Guid? request, string holder, string? institution, DateTimeOffset now, CancellationToken ct) =>
        tx.Sql(Insert).With(plan.Issuer?.Name ?? "self").With(plan.Serial).With(request).With(plan.Profile.Name).With(plan.Profile.Sha256)
            .With(holder).With(institution).With(System.Security.Cryptography.SHA256.HashData(plan.Spki.Span)).With(tbs)
            .With(plan.NotBefore).With(plan.NotAfter).With(now).Execute(ct);

    /// <summary>Takes up an unfinished issuance; false when another instance was faster.</summary>
    public static async Task<bool> TakeUp(NpgsqlTransaction tx, CertificateRow row, DateTimeOffset now, DateTimeOffset since, CancellationToken ct) =>
        await tx.Sql(Claim).With(row.Issuer).With(row.Serial).With(now).With(since).Execute(ct) == 1;

    /// <summary>Gives up a request whose holder may no longer have a certificate.</summary>
    public Task Abandon(Guid request, string rule, CancellationToken ct) => db.Sql(AbandonRequest).With(request).With(rule).Execute(ct);

    /// <summary>
    /// Records the signed certificate with its event and feed line. When another attempt was faster its certificate is the one:
    /// this signature is thrown away unseen.
    /// </summary>
    public async Task<byte[]> Record(CertificateRow row, byte[] der, Actor actor, string? correlation, bool traced = true)
    {
        // Signed: a caller hanging up must not lose it (rule 13).
        var ct = CancellationToken.None;
        var now = Microseconds.Truncate(clock.GetUtcNow());
        var sha256 = Certificate.Parse(der).Sha256Hex;
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var standing = await tx.Sql(Standing).With(row.Holder).With(now).Scalar<string>(ct);
        var (state, reason) = standing is null or "active" ? ("good", (short)0) : ("hold", (short)RevocationReason.CertificateHold);
        if (await tx.Sql(Finish).With(row.Issuer).With(row.Serial).With(state).With(sha256).With(der).With(now).Execute(ct) == 0)
        {
            await tx.RollbackAsync(ct);
            return (await Find(row.Issuer, row.Serial, ct))?.Der ?? throw new InvalidOperationException("A reserved certificate vanished.");
        }

        await tx.Sql(InsertState).With(sha256).With(row.Issuer).With(row.Serial).With(state).With(reason).With("registry").With(now).With(actor.Subject).Execute(ct);
        if (row.Request is { } request)
        {
            await tx.Sql(FinishRequest).With(request).Execute(ct);
        }

        if (traced)
        {
            _ = await outbox.Append(tx, Issued(row, sha256, actor, correlation), ct);
        }

        var person = row.Holder.StartsWith("urn:mdid:p:", StringComparison.Ordinal) ? row.Holder : null;
        await FeedWriter.Append(tx, [new FeedChange("certificate", sha256, person, state)], now, ct);
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
        r.GetString(0), r.GetFieldValue<byte[]>(1), r.GetString(2), r.Nullable<string>(3), r.Nullable<Guid?>(4), r.GetString(5), r.GetString(6), r.Nullable<string>(7),
        r.GetFieldValue<byte[]>(8), r.Nullable<byte[]>(9), r.GetFieldValue<DateTimeOffset>(10), r.GetFieldValue<DateTimeOffset>(11));
}
