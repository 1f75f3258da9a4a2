using System.Net;
using DnsClient;

namespace Trust.Kernel.Residency;

/// <summary>
/// Resolves host names by the configured resolvers alone, which are declared places and judged at each question: the machine's own resolver could be set to anything,
/// and what is asked there tells where we connect.
/// </summary>
public sealed class NameResolver
{
    private readonly LookupClient? _client;
    private readonly IReadOnlyList<(UsedPlace Place, NameServer Server)> _resolvers;
    private readonly ResidencyGate _gate;

    /// <param name="resolvers"><c>address:port</c> each; none when every peer is an address.</param>
    /// <param name="gate">Judges each of them at each question.</param>
    public NameResolver(IReadOnlyList<string> resolvers, ResidencyGate gate)
    {
        ArgumentNullException.ThrowIfNull(resolvers);
        _gate = gate;
        _resolvers = [.. resolvers.Select(r => (UsedPlace.Resolver(r), new NameServer(IPEndPoint.Parse(r))))];
        if (resolvers.Count > 0)
        {
            _client = new LookupClient(new LookupClientOptions([.. _resolvers.Select(r => r.Server)])
            {
                AutoResolveNameServers = false, Timeout = TimeSpan.FromSeconds(2), Retries = 1, UseCache = true, MaximumCacheTimeout = TimeSpan.FromMinutes(1), ThrowDnsErrors = false,
            });
        }
    }

    /// <summary>The addresses of a name; a literal is its own.</summary>
    /// <exception cref="UndeclaredPeerException">It is a name, and no resolver is configured.</exception>
    /// <exception cref="PlaceRefusedException">No resolver may be asked.</exception>
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

        var judged = _resolvers.Select(r => (r.Server, Refusal: _gate.Judge(r.Place))).ToList();
        List<NameServer> asked = [.. judged.Where(j => j.Refusal is null).Select(j => j.Server)];
        if (asked.Count == 0)
        {
            throw new PlaceRefusedException(judged[0].Refusal!);
        }

        var four = await _client.QueryServerAsync(asked, host, QueryType.A, cancellationToken: ct);
        var six = await _client.QueryServerAsync(asked, host, QueryType.AAAA, cancellationToken: ct);
        return [.. four.Answers.ARecords().Select(a => a.Address), .. six.Answers.AaaaRecords().Select(a => a.Address)];
    }
}
