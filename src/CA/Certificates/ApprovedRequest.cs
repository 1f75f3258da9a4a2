using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.CA.Certificates;

/// <summary>A request that two officers approved, with the hashes they signed.</summary>
public sealed record ApprovedRequest(
    Guid Id, string Profile, byte[] ProfileSha256, string Holder, string? Institution, ReadOnlyMemory<byte> Spki, byte[] RegistrySha256)
{
    private const string Swap = "UPDATE certificate_requests SET state = 'issuing' WHERE id = $1 AND state = 'pending'";

    /// <summary>Moves the request to issuing, once; false when it was moved before.</summary>
    public async Task<bool> Begin(NpgsqlTransaction tx, CancellationToken ct) => await tx.Sql(Swap).With(Id).Execute(ct) == 1;
}
