using Npgsql;
using Trust.Idp.Clients;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Registration;

/// <summary>
/// What an operator lets the bearer of an initial access token (RFC 7591 section 3) register: the hosts that addresses may name, and the rights that every client of
/// it gets. Nothing of these is ever taken from a request.
/// </summary>
/// <param name="Id">Names it in events; the token itself is kept nowhere.</param>
/// <param name="Hosts">Hosts, each with its port where one is meant.</param>
/// <param name="Profile">Security profile.</param>
/// <param name="GrantTypes">Grants that a client may ask for.</param>
/// <param name="Scopes">Scopes that it gets.</param>
/// <param name="Resources">Audiences that it may ask tokens for.</param>
/// <param name="Role">Role stated in its own tokens.</param>
/// <param name="Institution">Institution it acts for.</param>
/// <param name="Region">GB/T 2260 code.</param>
public sealed record RegistrationGrant(
    Guid Id, IReadOnlyList<string> Hosts, string Profile, IReadOnlyList<string> GrantTypes, IReadOnlyList<string> Scopes, IReadOnlyList<string> Resources, string? Role,
    string? Institution, string Region)
{
    /// <summary>Whether an address names one of the hosts.</summary>
    public bool Covers(string address) => Uri.TryCreate(address, UriKind.Absolute, out var uri)
        && Hosts.Any(h => string.Equals(h, uri.IdnHost, StringComparison.Ordinal) || string.Equals(h, uri.IdnHost + ":" + uri.Port.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal));
}

/// <summary>Grants, and the clients that were registered by them.</summary>
public sealed class RegistrationStore(NpgsqlDataSource db, TimeProvider clock)
{
    private const string Insert = """
        INSERT INTO registration_grants (id, token_hash, hosts, profile, grant_types, scopes, resources, role, institution, region, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """;
    private const string FindInitial = """
        SELECT id, hosts, profile, grant_types, scopes, resources, role, institution, region FROM registration_grants WHERE token_hash = $1 AND expires_at > $2
        """;
    private const string FindByClient = """
        SELECT g.id, g.hosts, g.profile, g.grant_types, g.scopes, g.resources, g.role, g.institution, g.region
        FROM registrations r JOIN registration_grants g ON g.id = r.grant_id WHERE r.client_id = $1 AND r.token_hash = $2
        """;
    private const string InsertClient = "INSERT INTO registrations (client_id, grant_id, token_hash, created_at) VALUES ($1, $2, $3, $4)";
    private const string LockClient = "SELECT client_id FROM registrations WHERE client_id = $1 AND token_hash = $2 FOR UPDATE";
    private const string Delete = "DELETE FROM registrations WHERE client_id = $1 AND token_hash = $2";
    private const string Disable = "UPDATE clients SET enabled = false WHERE client_id = $1";

    /// <summary>Keeps a grant; its token only as a hash.</summary>
    public static Task Put(NpgsqlTransaction tx, RegistrationGrant grant, string token, DateTimeOffset now, DateTimeOffset expires, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(grant);
        return tx.Sql(Insert).With(grant.Id).With(Secret.Hash("registration-grant", token)).With(grant.Hosts.ToArray()).With(grant.Profile).With(grant.GrantTypes.ToArray())
            .With(grant.Scopes.ToArray()).With(grant.Resources.ToArray()).With(grant.Role).With(grant.Institution).With(grant.Region).With(now).With(expires).Execute(ct);
    }

    /// <summary>The grant of an initial access token; null for one that is unknown or over.</summary>
    public Task<RegistrationGrant?> Find(string? token, CancellationToken ct) => token is { Length: 43 }
        ? db.Sql(FindInitial).With(Secret.Hash("registration-grant", token)).With(clock.GetUtcNow()).One(Row, ct) : Task.FromResult<RegistrationGrant?>(null);

    /// <summary>The grant that a client was registered by, for the bearer of its registration access token; null for anybody else.</summary>
    public Task<RegistrationGrant?> Find(string clientId, string? token, CancellationToken ct) => token is { Length: 43 } && clientId is { Length: > 0 and <= 256 } && !clientId.Contains('\0', StringComparison.Ordinal)
        ? db.Sql(FindByClient).With(clientId).With(Secret.Hash("registration", token)).One(Row, ct) : Task.FromResult<RegistrationGrant?>(null);

    /// <summary>Keeps who may change a client.</summary>
    public Task Keep(NpgsqlTransaction tx, Client client, RegistrationGrant grant, string token, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(grant);
        return tx.Sql(InsertClient).With(client.Id).With(grant.Id).With(Secret.Hash("registration", token)).With(clock.GetUtcNow()).Execute(ct);
    }

    /// <summary>Holds a registration until the transaction ends; false when it was deleted meanwhile.</summary>
    public static async Task<bool> Lock(NpgsqlTransaction tx, string clientId, string token, CancellationToken ct) =>
        await tx.Sql(LockClient).With(clientId).With(Secret.Hash("registration", token)).Scalar<string>(ct) is not null;

    /// <summary>Ends a registration: the client stays known and gets nothing; false when it had been ended.</summary>
    public static async Task<bool> Remove(NpgsqlTransaction tx, string clientId, string token, CancellationToken ct) =>
        await tx.Sql(Delete).With(clientId).With(Secret.Hash("registration", token)).Execute(ct) == 1 && await tx.Sql(Disable).With(clientId).Execute(ct) == 1;

    private static RegistrationGrant Row(NpgsqlDataReader r) => new(
        r.GetGuid(0), r.GetFieldValue<string[]>(1), r.GetString(2), r.GetFieldValue<string[]>(3), r.GetFieldValue<string[]>(4), r.GetFieldValue<string[]>(5), r.Nullable<string>(6),
        r.Nullable<string>(7), r.GetString(8));
}
