using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Npgsql;
using Trust.CA.Officers;
using Trust.Crypto.Json;
using Trust.Kernel.Postgres;

namespace Trust.CA.Registry;

/// <summary>How events name a proposal.</summary>
/// <param name="Id">The proposal.</param>
/// <param name="Sha256">Its hash, hex.</param>
/// <param name="ProposedBy">The first officer.</param>
internal sealed record ProposalMark(Guid Id, string Sha256, string ProposedBy)
{
    /// <summary>What entitles the act: the very rows.</summary>
    public string Basis => "import:sha256:" + Sha256;

    /// <summary>Joins the events of a proposal and of what came of it.</summary>
    public string Correlation => Id.ToString("D");
}

/// <summary>A row that waits, with what it would change.</summary>
/// <param name="Read">The row.</param>
/// <param name="Before">What the registry had when it was proposed.</param>
/// <param name="After">What it would have.</param>
internal sealed record WaitingRow(ReadRow Read, string Before, string After);

/// <summary>Keeps rows that wait for a second officer, sealed: they hold national identifiers.</summary>
internal sealed class ImportProposals(RegistryKeys keys)
{
    /// <summary>How long rows wait.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(7);

    private const string Same = """
        SELECT id, sha256, rows, expires_at FROM import_proposals
        WHERE proposed_by = $1 AND rows_lookup = $2 AND state = 'proposed' AND expires_at > $3
        """;
    private const string Insert = """
        INSERT INTO import_proposals (id, sha256, salt, rows_lookup, rows, proposed_by, card_sha256, proposed_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """;
    private const string InsertRow = """
        INSERT INTO import_proposal_rows (proposal, position, kind, row, sealed, before, after, region)
        SELECT $1, $2, $3, $4, $5, $6, $7, o.region FROM officers o WHERE o.person = $8
        """;
    private const string SelectRows = "SELECT kind, row, sealed, before, after FROM import_proposal_rows WHERE proposal = $1 ORDER BY position";

    /// <summary>The registry's facts as they are kept and compared.</summary>
    public static string TextOf(RowFacts facts) => JsonSerializer.Serialize(facts, CaJson.Default.RowFacts);

    /// <summary>
    /// Keeps rows in the transaction, or finds them when the same officer sent the same before. The hash is over the canonical rows and a
    /// salt: without it, whoever knew the rest of a row could find an identity number by trying.
    /// </summary>
    /// <returns>The proposal, and whether it is new.</returns>
    public async Task<(ProposalReference Proposal, bool IsNew)> Keep(
        NpgsqlTransaction tx, Officer officer, IReadOnlyList<WaitingRow> rows, DateTimeOffset now, CancellationToken ct)
    {
        var canonical = CanonicalJson.Encode(new JsonArray([.. rows.Select(r => Node(r.Read))]));
        var lookup = await keys.LookupOf("registry-import", Convert.ToHexStringLower(SHA256.HashData(canonical)), ct);
        if (await tx.Sql(Same).With(officer.Person).With(lookup).With(now)
            .One(r => new ProposalReference(r.GetGuid(0), r.GetString(1), r.GetInt32(2), r.GetFieldValue<DateTimeOffset>(3)), ct) is { } same)
        {
            return (same, false);
        }

        var salt = RandomNumberGenerator.GetBytes(16);
        var proposal = new ProposalReference(Guid.CreateVersion7(now), HashOf(salt, canonical), rows.Count, now + Lifetime);
        await tx.Sql(Insert).With(proposal.Id).With(proposal.Sha256).With(salt).With(lookup).With(rows.Count).With(officer.Person)
            .With(officer.CertificateSha256).With(now).With(proposal.ExpiresAt).Execute(ct);
        foreach (var (row, position) in rows.Select((r, i) => (r, i)))
        {
            var sealedRow = await keys.Seal(Place(proposal.Id, position), Node(row.Read).ToJsonString(), ct);
            await tx.Sql(InsertRow).With(proposal.Id).With(position).With(row.Read.Kind).With(row.Read.Index).With(sealedRow)
                .With(row.Before).With(row.After).With(officer.Person).Execute(ct);
        }

        return (proposal, true);
    }

    /// <summary>The rows of a proposal, opened.</summary>
    public async Task<List<WaitingRow>> Rows(NpgsqlDataSource db, Guid id, CancellationToken ct)
    {
        var stored = await db.Sql(SelectRows).With(id).All(
            r => (Kind: r.GetString(0), Row: r.GetInt32(1), Sealed: r.GetFieldValue<byte[]>(2), Before: r.GetString(3), After: r.GetString(4)), ct);
        var rows = new List<WaitingRow>(stored.Count);
        foreach (var row in stored)
        {
            var text = await keys.Open(Place(id, rows.Count), row.Sealed, ct);
            rows.Add(new WaitingRow(new ReadRow(row.Kind, row.Row, Row(row.Kind, text)), row.Before, row.After));
        }

        return rows;
    }

    private static string Place(Guid id, int position) => $"import:{id:D}:{position}";

    private static string HashOf(byte[] salt, byte[] canonical) =>
        Convert.ToHexStringLower(SHA256.HashData([.. Encoding.ASCII.GetBytes("trust.registry-import.v1\n"), .. salt, .. SHA256.HashData(canonical)]));

    private static JsonNode Node(ReadRow read) => read.Row switch
    {
        InstitutionRow row => JsonSerializer.SerializeToNode(row, CaJson.Default.InstitutionRow)!,
        PractitionerRow row => JsonSerializer.SerializeToNode(row, CaJson.Default.PractitionerRow)!,
        AffiliationRow row => JsonSerializer.SerializeToNode(row, CaJson.Default.AffiliationRow)!,
        FilingRow row => JsonSerializer.SerializeToNode(row, CaJson.Default.FilingRow)!,
        _ => throw new InvalidOperationException("A row that could not be read does not wait."),
    };

    private static RegistryRow Row(string kind, string text) => (kind switch
    {
        "institution" => JsonSerializer.Deserialize(text, CaJson.Default.InstitutionRow),
        "practitioner" => JsonSerializer.Deserialize(text, CaJson.Default.PractitionerRow),
        "affiliation" => JsonSerializer.Deserialize(text, CaJson.Default.AffiliationRow),
        _ => (RegistryRow?)JsonSerializer.Deserialize(text, CaJson.Default.FilingRow),
    })!;
}
