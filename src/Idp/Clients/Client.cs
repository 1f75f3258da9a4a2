using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.IdentityModel.Tokens;
using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Clients;

/// <summary>A registered OAuth client.</summary>
/// <param name="Id"><c>client_id</c>.</param>
/// <param name="NameZh">Name shown to people, Chinese.</param>
/// <param name="NameEn">Name shown to people, English.</param>
/// <param name="IsPublic">True for a client that cannot keep a key.</param>
/// <param name="Profile">Security profile: <c>standard</c> (RFC 9700), <c>oidc-compat</c>, <c>fapi2</c>.</param>
/// <param name="RedirectUris">Compared by <see cref="HasRedirect"/>.</param>
/// <param name="PostLogoutRedirectUris">Compared as exact strings.</param>
/// <param name="GrantTypes">Allowed grants.</param>
/// <param name="Scopes">Allowed scopes.</param>
/// <param name="Resources">Audiences it may ask tokens for (RFC 8707); the first is the default.</param>
/// <param name="Jwks">Its public keys for <c>private_key_jwt</c>.</param>
/// <param name="Role">Role stated in its own tokens.</param>
/// <param name="Institution">Institution it acts for.</param>
/// <param name="Region">GB/T 2260 code.</param>
/// <param name="Enabled">False for one that is known and refused.</param>
public sealed partial record Client(
    string Id, string NameZh, string NameEn, bool IsPublic, string Profile, IReadOnlyList<string> RedirectUris, IReadOnlyList<string> PostLogoutRedirectUris,
    IReadOnlyList<string> GrantTypes, IReadOnlyList<string> Scopes, IReadOnlyList<string> Resources, string? Jwks, string? Role, string? Institution, string Region,
    bool Enabled = true)
{
    private IReadOnlyList<JsonWebKey>? _keys;

    /// <summary>What it registered beyond that.</summary>
    public ClientMetadata Metadata { get; init; } = new();

    /// <summary>FAPI 2.0 Security Profile: pushed requests, sender-constrained tokens, no rotation of refresh tokens.</summary>
    public bool IsFapi2 => Profile == "fapi2";

    /// <summary>For older libraries: RS256, client secrets, requests without PKCE.</summary>
    public bool IsCompat => Profile == "oidc-compat";

    /// <summary>
    /// Whether a redirect URI is registered: the exact string (RFC 9700 section 4.1.3), except that a native application's loopback address may
    /// have any port (RFC 8252 section 7.3).
    /// </summary>
    public bool HasRedirect(string redirect) =>
        RedirectUris.Contains(redirect, StringComparer.Ordinal)
        || (WithoutLoopbackPort(redirect) is { } address && RedirectUris.Any(r => string.Equals(WithoutLoopbackPort(r), address, StringComparison.Ordinal)));

    // Only as the text itself says it, so that no two readers of an address can disagree on its host. The name localhost may be resolved to anywhere.
    private static string? WithoutLoopbackPort(string redirect) =>
        LoopbackAddress().Match(redirect) is { Success: true } match && int.Parse(match.Groups["port"].ValueSpan, CultureInfo.InvariantCulture) is > 0 and <= 65535
            ? match.Groups["host"].Value + match.Groups["rest"].Value : null;

    [GeneratedRegex(@"\Ahttp://(?<host>127\.0\.0\.1|\[::1\]):(?<port>[0-9]{1,5})(?<rest>/[^#\\]*)\z", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex LoopbackAddress();

    /// <summary>The keys of <see cref="Jwks"/>, parsed once.</summary>
    internal IReadOnlyList<JsonWebKey> Keys => _keys ??= Jwks is null ? [] : [.. new JsonWebKeySet(Jwks).Keys];
}

/// <summary>Registered clients. A registration is kept for a second, so a changed or disabled one bites within that time.</summary>
public sealed class ClientStore(NpgsqlDataSource db, TimeProvider clock)
{
    private static readonly TimeSpan Keep = TimeSpan.FromSeconds(1);
    private readonly ConcurrentDictionary<string, (Client Client, long ReadAt)> _known = new(StringComparer.Ordinal);
    private const string FindSql = """
        SELECT client_id, name_zh, name_en, kind = 'public', profile, redirect_uris, post_logout_redirect_uris, grant_types, scopes, resources, jwks, role, institution, region, metadata
        FROM clients WHERE client_id = $1 AND enabled
        """;
    private const string Upsert = """
        INSERT INTO clients (client_id, name_zh, name_en, kind, profile, redirect_uris, post_logout_redirect_uris, grant_types, scopes, resources, jwks, role, institution, region, enabled, metadata)
        VALUES ($1, $2, $3, CASE WHEN $4 THEN 'public' ELSE 'confidential' END, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        ON CONFLICT (client_id) DO UPDATE SET name_zh = excluded.name_zh, name_en = excluded.name_en, kind = excluded.kind, profile = excluded.profile,
            redirect_uris = excluded.redirect_uris, post_logout_redirect_uris = excluded.post_logout_redirect_uris, grant_types = excluded.grant_types,
            scopes = excluded.scopes, resources = excluded.resources, jwks = excluded.jwks, role = excluded.role, institution = excluded.institution, region = excluded.region,
            enabled = excluded.enabled, metadata = excluded.metadata
        """;

    /// <summary>The client as it was at most a second ago, or null when unknown or disabled.</summary>
    public async Task<Client?> Find(string? id, CancellationToken ct) =>
        id is not null && _known.TryGetValue(id, out var known) && clock.GetElapsedTime(known.ReadAt) < Keep ? known.Client : await FindNow(id, ct);

    /// <summary>The client as it is now.</summary>
    public async Task<Client?> FindNow(string? id, CancellationToken ct)
    {
        if (id is not { Length: > 0 and <= 256 } || id.Contains('\0', StringComparison.Ordinal))
        {
            return null;
        }

        var readAt = clock.GetTimestamp();
        var client = await db.Sql(FindSql).With(id).One(Row, ct);
        if (client is null)
        {
            // Only registered clients are kept in memory: invented names must not fill it.
            _known.TryRemove(id, out _);
            return null;
        }

        _known[id] = (client, readAt);
        return client;
    }

    /// <summary>Adds or replaces a client.</summary>
    public static Task Put(NpgsqlTransaction tx, Client c, CancellationToken ct) => tx.Sql(Upsert)
        .With(c.Id).With(c.NameZh).With(c.NameEn).With(c.IsPublic).With(c.Profile).With(c.RedirectUris.ToArray()).With(c.PostLogoutRedirectUris.ToArray())
        .With(c.GrantTypes.ToArray()).With(c.Scopes.ToArray()).With(c.Resources.ToArray()).With(c.Jwks).With(c.Role).With(c.Institution).With(c.Region).With(c.Enabled)
        .With(JsonSerializer.Serialize(c.Metadata, ClientJson.Default.ClientMetadata)).Execute(ct);

    private static Client Row(NpgsqlDataReader r) => new(
        r.GetString(0), r.GetString(1), r.GetString(2), r.GetBoolean(3), r.GetString(4), r.GetFieldValue<string[]>(5), r.GetFieldValue<string[]>(6),
        r.GetFieldValue<string[]>(7), r.GetFieldValue<string[]>(8), r.GetFieldValue<string[]>(9), r.Nullable<string>(10), r.Nullable<string>(11), r.Nullable<string>(12), r.GetString(13))
    {
        Metadata = ClientMetadata.Read(JsonNode.Parse(r.GetString(14))!.AsObject()),
    };
}
