using System.Text.Json;
using Npgsql;
using Trust.Idp.Clients;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Authorize;

/// <summary>
/// Requests that clients pushed (RFC 9126), kept for a minute under a <c>request_uri</c> that nobody can guess. It is bound to its client, may be shown
/// more than once while the person has not answered, and is answered once.
/// </summary>
public sealed class PushedRequests(NpgsqlDataSource db, GroupCommit commits, TimeProvider clock)
{
    /// <summary>How long one may be brought to the authorization endpoint; FAPI 2.0 5.3.2.2 allows less than 600 s.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromSeconds(60);
    private const string Prefix = "urn:ietf:params:oauth:request_uri:";
    private const string Purpose = "pushed-request";
    private const string Insert = "INSERT INTO pushed_requests (hash, client_id, parameters, expires_at) VALUES ($1, $2, $3, $4)";
    private const string FindSql = "SELECT hash, parameters FROM pushed_requests WHERE hash = $1 AND client_id = $2 AND used_at IS NULL AND expires_at > $3";

    /// <summary>Keeps judged parameters.</summary>
    /// <returns>The <c>request_uri</c>.</returns>
    public async Task<string> Keep(Client client, IReadOnlyDictionary<string, string> parameters)
    {
        ArgumentNullException.ThrowIfNull(client);
        var value = Secret.New();
        await commits.Execute(GroupCommit.Sql(Insert).With(Secret.Hash(Purpose, value)).With(client.Id)
            .With(JsonSerializer.Serialize(parameters, IdpJson.Default.IReadOnlyDictionaryStringString)).With(clock.GetUtcNow() + Life));
        return Prefix + value;
    }

    /// <summary>True for an address of the form given out here; nothing else is looked at, and nothing is fetched.</summary>
    internal static bool IsOurs(string requestUri) => requestUri.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>What a client pushed; null when it is unknown, another client's, expired or answered.</summary>
    public async Task<(byte[] Hash, FormFields Parameters)?> Find(string requestUri, Client client, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(requestUri);
        ArgumentNullException.ThrowIfNull(client);
        if (!IsOurs(requestUri) || requestUri.Length != Prefix.Length + 43)
        {
            return null;
        }

        var row = await db.Sql(FindSql).With(Secret.Hash(Purpose, requestUri[Prefix.Length..])).With(client.Id).With(clock.GetUtcNow())
            .One(r => new Tuple<byte[], string>(r.GetFieldValue<byte[]>(0), r.GetString(1)), ct);
        return row is null ? null : (row.Item1, FormFields.OfValues(JsonSerializer.Deserialize(row.Item2, IdpJson.Default.IReadOnlyDictionaryStringString)!)!);
    }
}
