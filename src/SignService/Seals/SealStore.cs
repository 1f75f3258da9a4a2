using Npgsql;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;

namespace Trust.SignService.Seals;

/// <summary>One institution's seal.</summary>
/// <param name="Institution">Whose it is.</param>
/// <param name="KeyLabel">The key's name in the token.</param>
/// <param name="Request">PKCS#10 for the CA.</param>
/// <param name="Certificates">Leaf first, root excluded; empty until certified.</param>
public sealed record SealRow(InstitutionId Institution, string KeyLabel, byte[] Request, IReadOnlyList<byte[]> Certificates);

/// <summary>SQL over the table <c>seals</c>.</summary>
public sealed class SealStore(NpgsqlDataSource db)
{
    private const string FindRow = "SELECT institution, key_label, request, certificates FROM seals WHERE institution = $1";

    private const string InsertRow = """
        INSERT INTO seals (institution, region, key_label, request, created_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (institution) DO NOTHING
        """;

    private const string CertifyRow = "UPDATE seals SET certificates = $2, certified_at = $3 WHERE institution = $1";

    /// <summary>A seal, or null.</summary>
    public Task<SealRow?> Find(InstitutionId institution, CancellationToken ct) => db.Sql(FindRow).With(institution.Value).One(
        r => new SealRow(InstitutionId.Parse(r.GetString(0), null), r.GetString(1), r.GetFieldValue<byte[]>(2), r.Nullable<byte[][]>(3) ?? []), ct);

    /// <summary>Stores a new seal; 0 when there is one.</summary>
    public static Task<int> Insert(NpgsqlTransaction tx, InstitutionId institution, string region, string keyLabel, byte[] request, DateTimeOffset now, CancellationToken ct) =>
        tx.Sql(InsertRow).With(institution.Value).With(region).With(keyLabel).With(request).With(now).Execute(ct);

    /// <summary>Stores the certificate.</summary>
    public static Task<int> Certify(NpgsqlTransaction tx, InstitutionId institution, IReadOnlyList<byte[]> certificates, DateTimeOffset now, CancellationToken ct) =>
        tx.Sql(CertifyRow).With(institution.Value).With(certificates.ToArray()).With(now).Execute(ct);
}
