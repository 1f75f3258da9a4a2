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
/// The one place that opens outbound connections. A peer is reachable only when configuration declares it with a region
/// inside the mainland, at the address declared, and when it proves its exact service name.
/// </summary>
public sealed class Outbound : IDisposable
{
    private const int BulkBuffer = 256 * 1024;

    // Of an answer read into memory; the largest of ours, the receipts of a full batch, has a fraction of it.
    private const int MostAnswer = 16 * 1024 * 1024;

    private readonly Dictionary<string, PeerOptions> _peers;
    private readonly ServiceIdentity? _identity;
    private readonly PeerClocks? _clocks;
    private readonly Dictionary<string, HttpClient> _clients = [];
    private readonly Lock _gate = new();

    /// <summary>Checks every declaration at once, so that a misplaced peer stops the start.</summary>
    /// <exception cref="UndeclaredPeerException">A peer lies outside, or a host name lacks its networks.</exception>
    /// <param name="peers">What configuration declares.</param>
    /// <param name="identity">What this service proves itself with; null reaches peers without TLS only.</param>
    /// <param name="clocks">Told what time each answer says; null for nobody.</param>
    public Outbound(IEnumerable<PeerOptions> peers, ServiceIdentity? identity, PeerClocks? clocks = null)
    {
        _clocks = clocks;
        _peers = peers.ToDictionary(peer => peer.Name, StringComparer.Ordinal);
        _identity = identity;
        foreach (var peer in _peers.Values)
        {
            if (!Regions.IsInside(peer.Region))
            {
                throw new UndeclaredPeerException($"Peer {peer.Name} is declared in region {peer.Region}, which is not inside the mainland.");
            }

            if (!IPAddress.TryParse(peer.Address.Host, out _) && peer.Networks.Count == 0)
            {
                throw new UndeclaredPeerException($"Peer {peer.Name} is a host name; declare the networks it may resolve into.");
            }
        }
    }

    /// <summary>A client for a declared peer, over mutual TLS when its address is https. Shared; do not dispose.</summary>
    /// <exception cref="UndeclaredPeerException">The peer is not declared.</exception>
    public HttpClient Client(string peer)
    {
        if (!_peers.TryGetValue(peer, out var declared))
        {
            throw new UndeclaredPeerException($"Peer {peer} is not declared in configuration.");
        }

        lock (_gate)
        {
            if (!_clients.TryGetValue(peer, out var client))
            {
                _clients[peer] = client = Create(declared);
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
    /// <exception cref="UndeclaredPeerException">The database's region is outside or unknown.</exception>
    public static NpgsqlDataSource Database(DatabaseOptions options, bool asOwner = false, bool bulk = false)
    {
        if (!Regions.IsInside(options.Region))
        {
            throw new UndeclaredPeerException($"The database is declared in region {options.Region}, which is not inside the mainland.");
        }

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

    private HttpClient Create(PeerOptions peer)
    {
        HttpMessageHandler handler = peer.Address.Scheme == Uri.UriSchemeHttps
            ? new CurrentIdentityHandler(
                _identity ?? throw new UndeclaredPeerException("No service certificate is configured for mutual TLS."), (identity, own) => Plain(peer, Tls(peer, identity, own)))
            : Plain(peer, null);
        if (_clocks is { } clocks)
        {
            handler = new ClockReadingHandler(handler, peer.Name, clocks);
        }

#pragma warning disable RS0030 // The one factory.
        return new HttpClient(handler) { BaseAddress = peer.Address, Timeout = TimeSpan.FromSeconds(30), MaxResponseContentBufferSize = MostAnswer };
#pragma warning restore RS0030
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

    private static SocketsHttpHandler Plain(PeerOptions peer, SslClientAuthenticationOptions? tls)
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
        TargetHost = ServiceIdentity.TlsName(peer.Name),
        EnabledSslProtocols = SslProtocols.Tls13,
        CertificateChainPolicy = ServiceIdentity.NoDownloads(),
        // Offline: chosen in a callback instead, the certificate's issuer would be fetched from the address inside it at every handshake.
        ClientCertificateContext = SslStreamCertificateContext.Create(own, null, offline: true),
        RemoteCertificateValidationCallback = (_, certificate, _, _) => identity.IsPeer(certificate, peer.Name),
    };

    // The address is checked where it is used: checking DNS first and letting the handler resolve again would leave a rebinding gap.
    private static async ValueTask<Stream> Connect(PeerOptions peer, DnsEndPoint target, CancellationToken ct)
    {
        if (target.Host != peer.Address.Host || target.Port != peer.Address.Port)
        {
            throw new UndeclaredPeerException($"{target.Host}:{target.Port} is not the declared address of peer {peer.Name}.");
        }

        var address = IPAddress.TryParse(target.Host, out var literal)
            ? literal
            : (await Dns.GetHostAddressesAsync(target.Host, ct)).FirstOrDefault(a => peer.Networks.Any(n => IPNetwork.Parse(n).Contains(a)))
              ?? throw new UndeclaredPeerException($"{target.Host} resolves to no address inside the networks declared for peer {peer.Name}.");
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

/// <summary>A connection was asked for that configuration does not declare, or declares outside the mainland.</summary>
public sealed class UndeclaredPeerException(string message) : Exception(message);
