using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Enrolment;

/// <summary>A request's row.</summary>
public sealed record RequestRow(
    Guid Id, string Profile, byte[] ProfileSha256, string Holder, string? Institution, byte[] Pkcs10, byte[] RegistrySha256, byte[] RequestSha256,
    string RequestedBy, string State, string? Refusal);

/// <summary>Requests and approvals.</summary>
public sealed class RequestStore(NpgsqlDataSource db, Outbox outbox)
{
    private const string Select = """
        SELECT id, profile, profile_sha256, holder, institution, pkcs10, registry_sha256, request_sha256, requested_by, state, refusal
        FROM certificate_requests WHERE id = $1
        """;
    private const string Insert = """
        INSERT INTO certificate_requests (id, profile, profile_sha256, holder, institution, pkcs10, spki_sha256, identity_proof, carrier,
                                          registry_sha256, request_sha256, requested_by, requested_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (spki_sha256) DO NOTHING
        """;
    private const string KeyInUse = "SELECT EXISTS (SELECT 1 FROM certificates WHERE spki_sha256 = $1)";
    private const string InsertApproval = """
        WITH act AS (
            INSERT INTO approvals (request, officer, certificate_sha256, signature, approved_at) VALUES ($6, $7, $8, $9, $10)
            ON CONFLICT DO NOTHING RETURNING 1)
        """ + Outbox.Trace;
    private const string SelectCount = "SELECT count(*) FROM approvals WHERE request = $1";
    private const string CertificateOf = "SELECT certificate_sha256 FROM approvals WHERE request = $1 AND officer = $2";

    /// <summary>A request; null when unknown.</summary>
    public Task<RequestRow?> Find(Guid id, CancellationToken ct) => db.Sql(Select).With(id).One(
        r => new RequestRow(
            r.GetGuid(0), r.GetString(1), r.GetFieldValue<byte[]>(2), r.GetString(3), r.Nullable<string>(4), r.GetFieldValue<byte[]>(5),
            r.GetFieldValue<byte[]>(6), r.GetFieldValue<byte[]>(7), r.GetString(8), r.GetString(9), r.Nullable<string>(10)),
        ct);

    /// <summary>Inserts a request; false when its key was asked for or certified before.</summary>
    public static async Task<bool> Add(
        NpgsqlTransaction tx, RequestRow row, byte[] spkiSha256, byte[] identityProof, byte[] carrier, DateTimeOffset at, CancellationToken ct) =>
        !await tx.Sql(KeyInUse).With(spkiSha256).Scalar<bool>(ct)
        && await tx.Sql(Insert).With(row.Id).With(row.Profile).With(row.ProfileSha256).With(row.Holder).With(row.Institution).With(row.Pkcs10).With(spkiSha256)
            .With(identityProof).With(carrier).With(row.RegistrySha256).With(row.RequestSha256).With(row.RequestedBy).With(at).Execute(ct) == 1;

    /// <summary>Adds an approval with its event; no effect when that person approved before.</summary>
    public Task<CommitOutcome> Approve(AuditEvent e, Guid id, string officer, string certificate, byte[] signature, DateTimeOffset at) =>
        outbox.Commit(e, InsertApproval, c => c.With(id).With(officer).With(certificate).With(signature).With(at));

    /// <summary>How many people approved.</summary>
    public async Task<int> CountApprovals(Guid id, CancellationToken ct) => (int)await db.Sql(SelectCount).With(id).Scalar<long>(ct);

    /// <summary>The certificate under which a person approved; null when not.</summary>
    public Task<string?> ApprovedUnder(Guid id, string officer, CancellationToken ct) => db.Sql(CertificateOf).With(id).With(officer).Scalar<string>(ct);
}
