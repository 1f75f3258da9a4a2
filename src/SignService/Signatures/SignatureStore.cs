using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.SignService.Signatures;

/// <summary>SQL over the table <c>signatures</c>.</summary>
public sealed class SignatureStore(NpgsqlDataSource db)
{
    private const string Columns =
        "id, prescription, region, kind, signer, institution, certificates, protected, payload, expires_at, status, signature, completion_key, intent, time_stamp";

    private const string InsertRow = """
        INSERT INTO signatures (id, prescription, region, kind, signer, institution, certificates, protected, payload, status, prepared_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'prepared', $10, $11)
        """;

    private const string FindLatest = $"""
        SELECT {Columns} FROM signatures WHERE prescription = $1 AND kind = $2 AND signer = $3
        ORDER BY (status <> 'prepared') DESC, prepared_at DESC, id DESC LIMIT 1
        """;

    private const string FindDone = $"""
        SELECT {Columns} FROM signatures WHERE prescription = $1 AND status = 'done'
        ORDER BY array_position(ARRAY['prescribe', 'review', 'seal', 'dispense'], kind)
        """;

    private const string FindStarted = $"SELECT {Columns} FROM signatures WHERE prescription = $1 AND kind = $2 AND status <> 'prepared'";

    private const string IntendRow = """
        UPDATE signatures SET status = 'intended', signature = $2, completion_key = $3
        WHERE id = $1 AND status = 'prepared' AND expires_at > $4
        """;

    private const string NoteIntent = "UPDATE signatures SET intent = $2 WHERE id = $1 AND status = 'intended'";

    private const string FindWaiting = "SELECT 1 FROM audit_outbox WHERE id = $1 AND idx IS NULL AND quarantined IS NULL";

    private const string CompleteRow = """
        UPDATE signatures SET status = 'done', signature = $2, time_stamp = $3, completed_at = $4, intent = $5
        WHERE id = $1 AND status = 'intended'
        """;

    /// <summary>Stores a prepared signature.</summary>
    public static Task<int> Insert(NpgsqlTransaction tx, SignatureRow row, DateTimeOffset now, CancellationToken ct) =>
        tx.Sql(InsertRow).With(row.Id).With(row.Prescription).With(row.Region).With(row.Kind.Name()).With(row.Signer).With(row.Institution)
            .With(row.Certificates.ToArray()).With(row.Protected).With(row.Payload).With(now).With(row.ExpiresAt).Execute(ct);

    /// <summary>The signer's own signature of a kind: the started one, else the latest prepared.</summary>
    public Task<SignatureRow?> Latest(Guid prescription, SignatureKind kind, string signer, CancellationToken ct) =>
        db.Sql(FindLatest).With(prescription).With(kind.Name()).With(signer).One(Read, ct);

    /// <summary>The one signature of a kind that is on its way or released.</summary>
    public Task<SignatureRow?> Started(Guid prescription, SignatureKind kind, CancellationToken ct) =>
        db.Sql(FindStarted).With(prescription).With(kind.Name()).One(Read, ct);

    /// <summary>All released signatures, in their order.</summary>
    public Task<List<SignatureRow>> Done(Guid prescription, CancellationToken ct) => db.Sql(FindDone).With(prescription).All(Read, ct);

    /// <summary>prepared → intended.</summary>
    /// <param name="signature">The value the signer gave; null for a key of the service's own, which signs after the intent.</param>
    /// <returns>False: not prepared any more, or too late.</returns>
    public static async Task<bool> Intend(NpgsqlTransaction tx, Guid id, string? signature, string key, DateTimeOffset now, CancellationToken ct) =>
        await tx.Sql(IntendRow).With(id).With(signature).With(key).With(now).Execute(ct) == 1;

    /// <summary>Remembers which event announced the act, so that a retry after a crash can look for its receipt.</summary>
    public Task Announce(Guid id, Guid intent, CancellationToken ct) => db.Sql(NoteIntent).With(id).With(intent).Execute(ct);

    /// <summary>Whether the event that announced the act waits for the ledger still.</summary>
    public async Task<bool> IsOnItsWay(Guid intent, CancellationToken ct) => await db.Sql(FindWaiting).With(intent).Scalar<int>(ct) == 1;

    /// <summary>intended → done.</summary>
    /// <returns>False: another request completed it.</returns>
    public static async Task<bool> Complete(
        NpgsqlTransaction tx, Guid id, string signature, byte[] timeStamp, Guid intent, DateTimeOffset now, CancellationToken ct) =>
        await tx.Sql(CompleteRow).With(id).With(signature).With(timeStamp).With(now).With(intent).Execute(ct) == 1;

    private static SignatureRow Read(NpgsqlDataReader r) => new(
        r.GetGuid(0), r.GetGuid(1), r.GetString(2), SignatureKinds.Parse(r.GetString(3))!.Value, r.GetString(4), r.GetString(5),
        r.GetFieldValue<byte[][]>(6), r.GetString(7), r.Nullable<byte[]>(8), r.GetFieldValue<DateTimeOffset>(9))
    {
        Status = r.GetString(10),
        Signature = r.Nullable<string>(11),
        CompletionKey = r.Nullable<string>(12),
        Intent = r.Nullable<Guid?>(13),
        TimeStamp = r.Nullable<byte[]>(14),
    };
}
