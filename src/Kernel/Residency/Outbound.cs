using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Npgsql;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;

namespace Trust.Kernel.Residency;

/// <summary>
/// The one place that opens outbound connections. A peer is reachable only when configuration names it, the residency declaration declares it as a place
/// inside, the address connected to lies in a declared network inside, and it proves its exact service name.
/// </summary>
public sealed class Outbound : IDisposable
{
    private const int BulkBuffer = 256 * 1024;

    // Of an answer read into memory; the largest of ours, the receipts of a full batch, has a fraction of it.
    private const int MostAnswer = 16 * 1024 * 1024;

    private readonly Dictionary<string, PeerOptions> _peers;
    private readonly ServiceIdentity? _identity;
    private readonly ResidencyGate _gate;
    private readonly NameResolver _resolver;
    private readonly PeerClocks? _clocks;
    private readonly Dictionary<string, HttpClient> _clients = [];
    private readonly Lock _making = new();

    /// <summary>Connects to nothing yet.</summary>
    /// <param name="peers">What configuration names.</param>
    /// <param name="identity">What this service proves itself with; null reaches peers without TLS only.</param>
    /// <param name="gate">Judges each request and each address.</param>
    /// <param name="resolver">Resolves names.</param>
    /// <param name="clocks">Told what time each answer says; null for nobody.</param>
    public Outbound(IEnumerable<PeerOptions> peers, ServiceIdentity? identity, ResidencyGate gate, NameResolver resolver, PeerClocks? clocks = null)
    {
        (_identity, _gate, _resolver, _clocks) = (identity, gate, resolver, clocks);
        _peers = peers.ToDictionary(peer => peer.Name, StringComparer.Ordinal);
    }

    /// <summary>True when configuration names the peer.</summary>
    public bool Knows(string peer) => _peers.ContainsKey(peer);

    /// <summary>A client for a declared peer, over mutual TLS when its address is https. Shared; do not dispose.</summary>
    /// <exception cref="UndeclaredPeerException">The peer is not declared.</exception>
    public HttpClient Client(string peer)
    {
        if (!_peers.TryGetValue(peer, out var declared))
        {
            throw new UndeclaredPeerException($"Peer {peer} is not declared in configuration.");
        }

        lock (_making)
        {
            if (!_clients.TryGetValue(peer, out var client))
            {
                _clients[peer] = client = Create(declared);
            }

            return client;
        }
    }

    /// <summary>The declared peer at an address, compared by scheme, host and port; null when there is none.</summary>
    public string? PeerAt(Uri address)
    {
        ArgumentNullException.ThrowIfNull(address);
        return address.IsAbsoluteUri && address.UserInfo.Length == 0
            ? _peers.Values.FirstOrDefault(p => p.Address.Scheme == address.Scheme && UsedPlace.HostPort(p.Address) == UsedPlace.HostPort(address))?.Name : null;
    }

    /// <summary>True when a peer is at that host, or at that host and port when one is written.</summary>
    public bool KnowsHost(string host) => _peers.Values.Any(p => p.Address.IdnHost == host || UsedPlace.HostPort(p.Address) == host);

    /// <summary>
    /// A client for an address that somebody registered (a client's keys, its logout notices): the declared peer that stands there, and nothing else. Registering an
    /// address opens no door; declaring the peer does. It follows no redirect. Shared; do not dispose.
    /// </summary>
    /// <exception cref="UndeclaredPeerException">No declared peer is at that address.</exception>
    public HttpClient Registered(Uri address) => Client(PeerAt(address) ?? throw new UndeclaredPeerException($"{address.GetLeftPart(UriPartial.Authority)} is not the address of a peer."));

    /// <summary>The client by which telemetry leaves: through the same checks as everything for the peer at that address, and held to the receiver's own place besides.</summary>
    /// <exception cref="UndeclaredPeerException">No peer is at that address.</exception>
    public HttpClient TelemetryClient(Uri address)
    {
        var peer = _peers.Values.FirstOrDefault(p => UsedPlace.HostPort(p.Address) == UsedPlace.HostPort(address)) ?? throw new UndeclaredPeerException($"{address} is not the address of a peer.");
        lock (_making)
        {
            // No peer has an empty name.
            if (!_clients.TryGetValue("", out var client))
            {
                _clients[""] = client = Create(peer, UsedPlace.Telemetry(address));
            }

            return client;
        }
    }

    /// <summary>True when an absolute address is that of a declared peer (used for telemetry exporters).</summary>
    public bool Declares(Uri address) => _peers.Values.Any(peer => peer.Address.Host == address.Host && peer.Address.Port == address.Port);

    /// <summary>The data source of a declared database.</summary>
    /// <param name="options">Where it is.</param>
    /// <param name="asOwner">As the role that owns the schema.</param>
    /// <param name="bulk">To read gigabytes by one connection that nothing else uses: with a buffer to match, because each read is a call into the system.</param>
    /// <remarks>Whether its place is in order is judged by the gate before the process serves, and from then on.</remarks>
    public static NpgsqlDataSource Database(DatabaseOptions options, bool asOwner = false, bool bulk = false)
    {
        var builder = new NpgsqlConnectionStringBuilder(options.ConnectionString)
        {
            SearchPath = options.Schema,
            // All SQL is constant text: what a connection has run twice stays parsed and planned there.
            MaxAutoPrepare = 200,
            AutoPrepareMinUsages = 2,
            // Nothing here leaves a setting, cursor or temporary table behind, and whoever takes a session lock gives it back: no round of resets for each use.
            NoResetOnClose = true,
        };
        var file = options.PasswordFile;
        if (asOwner)
        {
            builder.Username = options.OwnerUsername ?? throw new UndeclaredPeerException("No owner role is configured for migrations.");
            builder.Pooling = false;
            file = options.OwnerPasswordFile ?? throw new UndeclaredPeerException("No owner password file is configured for migrations.");
        }

        if (bulk)
        {
            (builder.Pooling, builder.ReadBufferSize) = (false, BulkBuffer);
        }

        builder.Password = File.ReadAllText(file).Trim();
#pragma warning disable RS0030 // The one factory.
        return new NpgsqlDataSourceBuilder(builder.ConnectionString).Build();
#pragma warning restore RS0030
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var client in _clients.Values)
        {
            client.Dispose();
        }
    }

    private HttpClient Create(PeerOptions peer, params ReadOnlySpan<UsedPlace> besides)
    {
        UsedPlace[] places = [UsedPlace.Peer(peer), .. besides];
        HttpMessageHandler handler = peer.Address.Scheme == Uri.UriSchemeHttps
            ? new CurrentIdentityHandler(
                _identity ?? throw new UndeclaredPeerException("No service certificate is configured for mutual TLS."), (identity, own) => Plain(peer, Tls(peer, identity, own)))
            : Plain(peer, null);
        if (_clocks is { } clocks)
        {
            handler = new ClockReadingHandler(handler, peer.Name, clocks);
        }

        handler = new GatedHandler(handler, places, _gate);
#pragma warning disable RS0030 // The one factory.
        return new HttpClient(handler) { BaseAddress = peer.Address, Timeout = TimeSpan.FromSeconds(30), MaxResponseContentBufferSize = MostAnswer };
#pragma warning restore RS0030
    }

    // Asked at each request: a connection that is open already ends with its declaration.
    private sealed class GatedHandler(HttpMessageHandler inner, IReadOnlyList<UsedPlace> places, ResidencyGate gate) : DelegatingHandler(inner)
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Judge();
            return base.SendAsync(request, cancellationToken);
        }

        protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Judge();
            return base.Send(request, cancellationToken);
        }

        private void Judge()
        {
            foreach (var place in places)
            {
                if (gate.Judge(place) is { } refusal)
                {
                    throw new PlaceRefusedException(refusal);
                }
            }
        }
    }

    private sealed class ClockReadingHandler(HttpMessageHandler inner, string peer, PeerClocks clocks) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var sent = clocks.Now;
            var answer = await base.SendAsync(request, cancellationToken);
            if (answer.Headers.Date is { } date)
            {
                clocks.Note(peer, sent, date);
            }

            return answer;
        }
    }

    private SocketsHttpHandler Plain(PeerOptions peer, SslClientAuthenticationOptions? tls)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            // A moved peer is found again within minutes.
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            ConnectTimeout = TimeSpan.FromSeconds(3),
            ConnectCallback = (context, ct) => Connect(peer, context.DnsEndPoint, ct),
        };
        if (tls is not null)
        {
            handler.SslOptions = tls;
        }

        return handler;
    }

    private static SslClientAuthenticationOptions Tls(PeerOptions peer, ServiceIdentity identity, X509Certificate2 own) => new()
    {
        TargetHost = ServiceIdentity.TlsName(peer.Proves),
        EnabledSslProtocols = SslProtocols.Tls13,
        CertificateChainPolicy = ServiceIdentity.NoDownloads(),
        // Offline: chosen in a callback instead, the certificate's issuer would be fetched from the address inside it at every handshake.
        ClientCertificateContext = SslStreamCertificateContext.Create(own, null, offline: true),
        RemoteCertificateValidationCallback = (_, certificate, _, _) => identity.IsPeer(certificate, peer.Name),
    };

    // The address is checked where it is used: checking DNS first and letting the handler resolve again would leave a rebinding gap.
    private async ValueTask<Stream> Connect(PeerOptions peer, DnsEndPoint target, CancellationToken ct)
    {
        if (target.Host != peer.Address.Host || target.Port != peer.Address.Port)
        {
            throw new UndeclaredPeerException($"{target.Host}:{target.Port} is not the declared address of peer {peer.Name}.");
        }

        var place = UsedPlace.Peer(peer);
        var address = (await _resolver.Resolve(target.Host, ct)).FirstOrDefault(a => _gate.Admits(a, place))
            ?? throw new UndeclaredPeerException($"{target.Host} has no address in a declared network that peer {peer.Name} may be reached in.");
#pragma warning disable RS0030 // The one factory.
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
#pragma warning restore RS0030
        try
        {
            await socket.ConnectAsync(address, target.Port, ct);
            // The handler asks for it once more, outside of what it turns into a HttpRequestException: of a peer that has died by then, that would
            // be a SocketException, which nobody expects of a request. Asked for here it is known from now on, or the connection has failed.
            _ = socket.RemoteEndPoint;
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>A connection was asked for that is not declared, or declared outside the mainland. To its caller it is a peer that cannot be reached.</summary>
public sealed class UndeclaredPeerException(string message) : HttpRequestException(message);
