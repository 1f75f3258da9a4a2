using System.Text.Json;
using Npgsql;
using Trust.CA.Officers;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Enrolment;

/// <summary>A request's row.</summary>
public sealed record RequestRow(
    Guid Id, string Profile, byte[] ProfileSha256, string Holder, string? Institution, byte[] Pkcs10, byte[] IdentityProof, byte[] Carrier,
    byte[] RegistrySha256, byte[] RequestSha256, string RequestedBy, DateTimeOffset RequestedAt, string State, string? Refusal)
{
    /// <summary>When it lapses unless issued: officers approve what they both still know.</summary>
    public DateTimeOffset ExpiresAt => RequestedAt + WishLife.Longest;

    /// <summary>The request as its hash covers it.</summary>
    public CertificateRequestBody Body() => new(
        Profile, Holder, Convert.ToBase64String(Pkcs10), JsonSerializer.Deserialize(IdentityProof, CaJson.Default.IdentityProof)!,
        JsonSerializer.Deserialize(Carrier, CaJson.Default.Carrier)!,
        Institution is null ? null : InstitutionId.TryParse(Institution, out var institution) ? institution : throw new InvalidOperationException("No institution's URN."));
}

/// <summary>An approval's row.</summary>
/// <param name="Officer">Who approved.</param>
/// <param name="At">When.</param>
/// <param name="Counts">Whether the officer still is one, with good certificates.</param>
public sealed record ApprovalView(string Officer, DateTimeOffset At, bool Counts);

/// <summary>Requests and approvals.</summary>
public sealed class RequestStore(NpgsqlDataSource db, Outbox outbox)
{
    private const string Columns =
        "id, profile, profile_sha256, holder, institution, pkcs10, identity_proof, carrier, registry_sha256, request_sha256, requested_by, requested_at, state, refusal";
    private const string Select = $"SELECT {Columns} FROM certificate_requests WHERE id = $1";
    private const string SelectPage = $"""
        SELECT {Columns} FROM certificate_requests
        WHERE (requested_at, id) > ($1, $2) AND ($3::text IS NULL OR state = $3) AND ($3 IS DISTINCT FROM 'pending' OR requested_at > $4)
        ORDER BY requested_at, id LIMIT $5
        """;
    private const string Insert = """
        INSERT INTO certificate_requests (id, profile, profile_sha256, holder, institution, pkcs10, spki_sha256, identity_proof, carrier,
                                          registry_sha256, request_sha256, requested_by, requested_at, region)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, governing_region($4, $5, (SELECT o.region FROM officers o WHERE o.person = $12))
        ON CONFLICT (spki_sha256) DO NOTHING
        """;
    private const string KeyInUse = "SELECT EXISTS (SELECT 1 FROM certificates WHERE spki_sha256 = $1)";
    private const string InsertApproval = """
        WITH act AS (
            INSERT INTO approvals AS a (request, officer, certificate_sha256, signature, approved_at, login_sha256) VALUES ($6, $7, $8, $9, $10, $11)
            ON CONFLICT (request, officer) DO UPDATE SET certificate_sha256 = $8, signature = $9, approved_at = $10, login_sha256 = $11
                WHERE NOT (officer_counts(a.officer, a.certificate_sha256, $10) AND (a.login_sha256 IS NULL OR officer_counts(a.officer, a.login_sha256, $10)))
            RETURNING 1)
        """ + Outbox.Trace;
    private const string SelectApprovals = $"SELECT a.officer, a.approved_at, {GoodApprovals.Counts} FROM approvals a WHERE a.request = $1 ORDER BY a.approved_at";
    private const string CertificateOf = $"SELECT a.certificate_sha256 FROM approvals a WHERE a.request = $1 AND a.officer = $3 AND {GoodApprovals.Counts}";
    private const string Expire = "UPDATE certificate_requests SET state = 'refused', refusal = $2 WHERE id = $1 AND state = 'pending'";

    /// <summary>A request; null when unknown.</summary>
    public Task<RequestRow?> Find(Guid id, CancellationToken ct) => db.Sql(Select).With(id).One(Read, ct);

    /// <summary>Requests in the order they were made, of one state or of any; those that lapsed are not pending.</summary>
    public Task<List<RequestRow>> List(string? state, Page page, DateTimeOffset now, CancellationToken ct) =>
        db.Sql(SelectPage).With(page.After.At).With(page.After.Id).With(state).With(now - WishLife.Longest).With(page.Fetch).All(Read, ct);

    /// <summary>Inserts a request; false when its key was asked for or certified before.</summary>
    public static async Task<bool> Add(
        NpgsqlTransaction tx, RequestRow row, byte[] spkiSha256, CancellationToken ct) =>
        !await tx.Sql(KeyInUse).With(spkiSha256).Scalar<bool>(ct)
        && await tx.Sql(Insert).With(row.Id).With(row.Profile).With(row.ProfileSha256).With(row.Holder).With(row.Institution).With(row.Pkcs10).With(spkiSha256)
            .With(row.IdentityProof).With(row.Carrier).With(row.RegistrySha256).With(row.RequestSha256).With(row.RequestedBy).With(row.RequestedAt)
            .Execute(ct) == 1;

    /// <summary>Adds an approval with its event; no effect when that person approved before and the approval still counts.</summary>
    /// <param name="e">The event.</param>
    /// <param name="id">The request.</param>
    /// <param name="officer">Who approves, by which card at the door.</param>
    /// <param name="certificate">SHA-256 of the signature certificate, hex.</param>
    /// <param name="signature">r‖s, 64 bytes.</param>
    /// <param name="at">Now.</param>
    public Task<CommitOutcome> Approve(AuditEvent e, Guid id, Officer officer, string certificate, byte[] signature, DateTimeOffset at) =>
        outbox.Commit(e, InsertApproval, c => c.With(id).With(officer.Person).With(certificate).With(signature).With(at).With(officer.CertificateSha256));

    /// <summary>Who approved, in order, and whose approval still counts.</summary>
    public Task<List<ApprovalView>> Approvals(Guid id, DateTimeOffset now, CancellationToken ct) => db.Sql(SelectApprovals).With(id).With(now)
        .All(r => new ApprovalView(r.GetString(0), r.GetFieldValue<DateTimeOffset>(1), r.GetBoolean(2)), ct);

    /// <summary>How many approvals count.</summary>
    public async Task<int> CountApprovals(Guid id, DateTimeOffset now, CancellationToken ct) =>
        (int)await db.Sql(GoodApprovals.Number).With(id).With(now).Scalar<long>(ct);

    /// <summary>The certificate under which a person approved; null when not, or when that approval counts no more.</summary>
    public Task<string?> ApprovedUnder(Guid id, string officer, DateTimeOffset now, CancellationToken ct) =>
        db.Sql(CertificateOf).With(id).With(now).With(officer).Scalar<string>(ct);

    /// <summary>Ends a request that lapsed.</summary>
    public Task Lapse(Guid id, string rule, CancellationToken ct) => db.Sql(Expire).With(id).With(rule).Execute(ct);

    private static RequestRow Read(NpgsqlDataReader r) => new(
        r.GetGuid(0), r.GetString(1), r.GetFieldValue<byte[]>(2), r.GetString(3), r.Nullable<string>(4), r.GetFieldValue<byte[]>(5), r.GetFieldValue<byte[]>(6),
        r.GetFieldValue<byte[]>(7), r.GetFieldValue<byte[]>(8), r.GetFieldValue<byte[]>(9), r.GetString(10), r.GetFieldValue<DateTimeOffset>(11),
        r.GetString(12), r.Nullable<string>(13));
}
