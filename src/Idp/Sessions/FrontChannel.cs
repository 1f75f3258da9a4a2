using Microsoft.AspNetCore.WebUtilities;
using Npgsql;
using Trust.Idp.Clients;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Sessions;

/// <summary>Front-Channel Logout 1.0: pages of the systems that a session gave tokens to, to be loaded in frames of the signed-out page.</summary>
public sealed class FrontChannel(NpgsqlDataSource db, ClientStore clients, IdpOptions options)
{
    private const string Find = "SELECT client_id FROM session_clients WHERE session_id = $1 ORDER BY client_id LIMIT 64";

    /// <summary>The addresses, each with issuer and session (section 3).</summary>
    public async Task<IReadOnlyList<string>> Frames(Guid session, CancellationToken ct)
    {
        var frames = new List<string>();
        foreach (var id in await db.Sql(Find).With(session).All(r => r.GetString(0), ct))
        {
            if ((await clients.Find(id, ct))?.Metadata.FrontchannelLogoutUri is { } address)
            {
                frames.Add(QueryHelpers.AddQueryString(address, new Dictionary<string, string?>(StringComparer.Ordinal) { ["iss"] = options.Issuer, ["sid"] = session.ToString() }));
            }
        }

        return frames;
    }
}
