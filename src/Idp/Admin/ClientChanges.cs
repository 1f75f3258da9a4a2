using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Npgsql;
using Trust.Idp.Clients;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Admin;

/// <summary>A client as an officer proposed it.</summary>
/// <param name="Id">The change.</param>
/// <param name="ClientId">Whom it concerns.</param>
/// <param name="Document">What cards sign: RFC 8785 bytes of service, change and client.</param>
/// <param name="ProposedBy">The officer.</param>
/// <param name="ProposedAt">When.</param>
/// <param name="ExpiresAt">A wish that nobody shares lapses.</param>
/// <param name="State"><c>open</c> or <c>applied</c>.</param>
public sealed record ClientChange(Guid Id, string ClientId, byte[] Document, string ProposedBy, DateTimeOffset ProposedAt, DateTimeOffset ExpiresAt, string State)
{
    // Crockford's letters: none is taken for another when it is read aloud.
    private const string Letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    /// <summary>Eight letters of the document's hash, 40 bits: an officer names by it what another proposed, and the card tool computes it anew from the bytes it shows.</summary>
    public static string CodeOf(ReadOnlySpan<byte> document)
    {
        var hash = SHA256.HashData(document);
        var bits = BitConverter.IsLittleEndian ? System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(hash) : BitConverter.ToUInt64(hash);
        return string.Create(8, bits, static (text, value) =>
        {
            for (var i = 0; i < text.Length; i++)
            {
                text[i] = Letters[(int)(value >> (59 - (5 * i))) & 31];
            }
        });
    }

    /// <summary>The client that the document names.</summary>
    public Client Client => ClientFile.Parse(Encoding.UTF8.GetBytes(new JsonArray(JsonNode.Parse(Document)!["client"]!.DeepClone()).ToJsonString()))[0];
}

/// <summary>SQL over the tables of proposed clients.</summary>
public sealed class ClientChanges(NpgsqlDataSource db, TimeProvider clock)
{
    /// <summary>How long the first officer's word waits for the second's.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromDays(7);

    /// <summary>Officers that a change needs, the proposer among them if that officer signs it too.</summary>
    public const int Needed = 2;

    private const string InsertSql = """
        INSERT INTO client_changes (id, client_id, document, sha256, proposed_by, proposed_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        """;
    private const string Columns = "SELECT id, client_id, document, proposed_by, proposed_at, expires_at, state FROM client_changes ";
    private const string FindSql = Columns + "WHERE id = $1";
    private const string ListSql = Columns + "WHERE (proposed_at, id) > ($1, $2) AND ($3::text IS NULL OR state = $3) ORDER BY proposed_at, id LIMIT $4";
    private const string ApproveSql = """
        INSERT INTO client_change_approvals (change, officer, certificate_sha256, signature, approved_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
        """;
    private const string ApproversSql = "SELECT officer, certificate_sha256 FROM client_change_approvals WHERE change = $1 ORDER BY approved_at";
    private const string LockSql = "SELECT true FROM client_changes WHERE id = $1 AND state = 'open' AND expires_at > $2 FOR UPDATE";
    private const string ApplySql = "UPDATE client_changes SET state = 'applied', applied_at = $2 WHERE id = $1 AND state = 'open'";

    /// <summary>Keeps a proposal.</summary>
    internal static Task Insert(NpgsqlTransaction tx, ClientChange change, CancellationToken ct) => tx.Sql(InsertSql)
        .With(change.Id).With(change.ClientId).With(change.Document).With(SHA256.HashData(change.Document)).With(change.ProposedBy).With(change.ProposedAt).With(change.ExpiresAt).Execute(ct);

    /// <summary>A change, or null.</summary>
    public Task<ClientChange?> Find(Guid id, CancellationToken ct) => db.Sql(FindSql).With(id).One(Row, ct);

    /// <summary>Changes, oldest first, of one state or all.</summary>
    internal Task<List<ClientChange>> List(string? state, Page page, CancellationToken ct) =>
        db.Sql(ListSql).With(page.After.At).With(page.After.Id).With(state).With(page.Fetch).All(Row, ct);

    /// <summary>Who signed it, with which certificate.</summary>
    public Task<List<(string Officer, string Certificate)>> Approvers(Guid id, CancellationToken ct) =>
        db.Sql(ApproversSql).With(id).All(r => (r.GetString(0), r.GetString(1)), ct);

    /// <summary>Holds an open change for this transaction; false when it is open no more.</summary>
    internal Task<bool> Hold(NpgsqlTransaction tx, Guid id, CancellationToken ct) => tx.Sql(LockSql).With(id).With(clock.GetUtcNow()).Scalar<bool>(ct);

    /// <summary>Records a signature; a second one of the same officer changes nothing.</summary>
    internal Task<int> Approve(NpgsqlTransaction tx, Guid id, string officer, string certificate, byte[] signature, CancellationToken ct) =>
        tx.Sql(ApproveSql).With(id).With(officer).With(certificate).With(signature).With(clock.GetUtcNow()).Execute(ct);

    /// <summary>Who signed it, as this transaction sees it.</summary>
    internal static Task<List<(string Officer, string Certificate)>> Approvers(NpgsqlTransaction tx, Guid id, CancellationToken ct) =>
        tx.Sql(ApproversSql).With(id).All(r => (r.GetString(0), r.GetString(1)), ct);

    /// <summary>Closes it.</summary>
    internal Task Close(NpgsqlTransaction tx, Guid id, CancellationToken ct) => tx.Sql(ApplySql).With(id).With(clock.GetUtcNow()).Execute(ct);

    private static ClientChange Row(NpgsqlDataReader r) => new(
        r.GetGuid(0), r.GetString(1), r.GetFieldValue<byte[]>(2), r.GetString(3), r.GetFieldValue<DateTimeOffset>(4), r.GetFieldValue<DateTimeOffset>(5), r.GetString(6));
}
