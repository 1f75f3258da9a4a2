using System.Net;
using DnsClient;

namespace Trust.Kernel.Residency;

/// <summary>
/// Resolves host names by the configured resolvers alone, which are declared places: the machine's own resolver could be set to anything, and what is
/// asked there tells where we connect.
/// </summary>
public sealed class NameResolver
{
    private readonly LookupClient? _client;

    /// <param name="resolvers"><c>address:port</c> each; none when every peer is an address.</param>
    public NameResolver(IReadOnlyList<string> resolvers)
    {
        ArgumentNullException.ThrowIfNull(resolvers);
        if (resolvers.Count > 0)
        {
            _client = new LookupClient(new LookupClientOptions([.. resolvers.Select(r => IPEndPoint.Parse(r))])
            {
                AutoResolveNameServers = false, Timeout = TimeSpan.FromSeconds(2), Retries = 1, UseCache = true, MaximumCacheTimeout = TimeSpan.FromMinutes(1), ThrowDnsErrors = false,
            });
        }
    }

    /// <summary>The addresses of a name; a literal is its own.</summary>
    /// <exception cref="UndeclaredPeerException">It is a name, and no resolver is configured.</exception>
    public async Task<IReadOnlyList<IPAddress>> Resolve(string host, CancellationToken ct)
    {
        if (IPAddress.TryParse(host, out var literal))
        {
            return [literal];
        }

        if (host is "localhost")
        {
            // RFC 6761 6.3: never asked of anyone.
            return [IPAddress.Loopback];
        }

        if (_client is null)
        {
            throw new UndeclaredPeerException($"{host} is a name, and Service:Resolvers names no resolver to ask.");
        }

        var four = await _client.QueryAsync(host, QueryType.A, cancellationToken: ct);
        var six = await _client.QueryAsync(host, QueryType.AAAA, cancellationToken: ct);
        return [.. four.Answers.ARecords().Select(a => a.Address), .. six.Answers.AaaaRecords().Select(a => a.Address)];
    }
}
