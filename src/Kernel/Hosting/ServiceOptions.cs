using System.ComponentModel.DataAnnotations;

namespace Trust.Kernel.Hosting;

/// <summary>What every service's configuration says of the process itself.</summary>
public sealed record ServiceOptions
{
    /// <summary>GB/T 2260 code of the place the process runs in.</summary>
    [Required, RegularExpression(@"^\d{6}$")]
    public required string Region { get; init; }

    /// <summary>Name of this instance, unique among the service's instances; appears in events as <c>where.node</c>.</summary>
    [Required, RegularExpression("^[a-z0-9-]{1,40}$")]
    public required string Node { get; init; }

    /// <summary>Folder of public material written at set-up: roots, issuing certificates, public keys, trusted list.</summary>
    [Required]
    public required string PublicDirectory { get; init; }

    /// <summary>Folder that only this service can read: TLS key and certificate.</summary>
    [Required]
    public required string DataDirectory { get; init; }

    /// <summary>
    /// Folder with the signed residency declaration (<c>residency.jws</c>) and the keys that it is believed by (<c>root.pem</c>, <c>entitlement.spki</c>);
    /// the public folder unless named.
    /// </summary>
    public string? ResidencyDirectory { get; init; }

    /// <summary>Servers that host names are resolved by, <c>address:port</c>; declared places. None when every peer is an address.</summary>
    public IReadOnlyList<string> Resolvers { get; init; } = [];

    /// <summary>Servers that this machine's clock is set by, as its time daemon names them; declared places.</summary>
    public IReadOnlyList<string> TimeSources { get; init; } = [];

    /// <summary>How long an Idempotency-Key and the answer kept under it can be repeated; the same key is a new request afterwards.</summary>
    [Range(typeof(TimeSpan), "1.00:00:00", "365.00:00:00")]
    public TimeSpan IdempotencyRetention { get; init; } = TimeSpan.FromDays(7);

    /// <summary>OTLP endpoint for traces and metrics; must be a declared peer. Absent: no telemetry leaves.</summary>
    public Uri? OtlpEndpoint { get; init; }

    /// <summary>
    /// Listener for the operator alone: metrics for Prometheus at <c>/metrics</c>, and health. <c>http</c> on a loopback address, or <c>https</c>, where
    /// the caller shows a service certificate. Absent: no metrics are served.
    /// </summary>
    public Uri? OperatorListener { get; init; }
}

/// <summary>How a listener treats the TLS client certificate.</summary>
public enum ClientCertificate
{
    /// <summary>Not asked for: browsers and token-bearing callers.</summary>
    None,

    /// <summary>Asked for; when shown it must be a service certificate under the service-issuing CA, or the handshake fails.</summary>
    Peer,

    /// <summary>
    /// Asked for in the initial handshake and handed to the application, which builds the path and checks status itself;
    /// sessions are never resumed, because a resumed session would outlive a pulled card (docs/THREAT-MODEL.md).
    /// </summary>
    Card,

    /// <summary>
    /// Asked for and handed to the application: any certificate, also one that is signed by its own key. The handshake proves possession of the key,
    /// and the application compares it with what a client registered or a token is bound to (RFC 8705). It makes nobody a service.
    /// </summary>
    Client,
}

/// <summary>One address the service listens on.</summary>
public sealed record ListenerOptions
{
    /// <summary><c>https://host:port</c> or, for public CRL and OCSP only, <c>http://host:port</c>. Port 0 picks a free one.</summary>
    [Required]
    public required Uri Url { get; init; }

    /// <summary>What is asked of the caller's certificate.</summary>
    public ClientCertificate ClientCertificate { get; init; }

    /// <summary>Issuers named in the certificate request, as PEM files of the public folder, so that a browser offers only fitting cards.</summary>
    public IReadOnlyList<string> AcceptedIssuers { get; init; } = [];

    /// <summary>Connections open at once on this listener; one more is closed. 0 for no limit.</summary>
    [Range(0, 1_000_000)]
    public int MaxConnections { get; init; } = 10_000;

    /// <summary>Of these, from one address (of IPv6, from one /64). 0 for no limit, as behind a balancer, whose address all callers share.</summary>
    [Range(0, 1_000_000)]
    public int MaxConnectionsPerAddress { get; init; } = 1_000;
}
