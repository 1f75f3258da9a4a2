using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Trust.Crypto.Asn1;
using Trust.Kernel.Residency;

namespace Trust.Kernel.Hosting;

/// <summary>
/// The service's TLS identity: a P-256 key the service makes itself, in a file it alone can read, and a certificate of at
/// most seven days that is replaced without a restart. Also judges other services' certificates: only the service-issuing
/// CA counts, and one exact dNSName per peer; for a peer of another region's installation its own service-issuing CA.
/// </summary>
public sealed class ServiceIdentity : IDisposable
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";
    private readonly string _directory;
    private readonly string _service;
    private readonly TimeProvider _clock;
    private readonly Lazy<X509Certificate2> _issuer;
    private readonly List<OtherIssuer> _others;
    private readonly System.Collections.Concurrent.ConcurrentDictionary<ListenerOptions, (X509Certificate2 Certificate, SslServerAuthenticationOptions Options)> _serverOptions = new();
    private volatile X509Certificate2? _current;

    /// <param name="service">Service name, for example <c>ca</c>.</param>
    /// <param name="options">Names the private folder (<c>tls/</c> inside) and the public folder.</param>
    /// <param name="clock">Judges validity.</param>
    /// <param name="peers">Those among them that another installation certifies are known by its issuer.</param>
    public ServiceIdentity(string service, ServiceOptions options, TimeProvider clock, IEnumerable<PeerOptions>? peers = null)
    {
        _service = service;
        _directory = Path.Combine(options.DataDirectory, "tls");
        _clock = clock;
        _issuer = new Lazy<X509Certificate2>(() => X509CertificateLoader.LoadCertificateFromFile(Path.Combine(options.PublicDirectory, "service-issuing.pem")));
        _others = [.. (peers ?? []).Where(p => p.IssuerFile is not null).Select(p => new OtherIssuer(p.Name, p.Proves, Path.Combine(options.PublicDirectory, p.IssuerFile!)))];
    }

    /// <summary>The exact name a peer must prove.</summary>
    public static string TlsName(string service) => service + ".trust.internal";

    /// <summary>File of the PKCS#10 request that the ceremony or a renewal answers.</summary>
    public string RequestFile => Path.Combine(_directory, "request.p10");

    /// <summary>File of the certificate chain, leaf first, PEM.</summary>
    public string CertificateFile => Path.Combine(_directory, "certificate.pem");

    /// <summary>The certificate with its key, as of now.</summary>
    /// <exception cref="FileNotFoundException">The service has not been provisioned.</exception>
    public X509Certificate2 Current => _current ??= Load();

    /// <summary>The service-issuing CA certificate.</summary>
    public X509Certificate2 Issuer => _issuer.Value;

    /// <summary>Makes a new key and its PKCS#10 request; keeps an existing pair.</summary>
    /// <param name="addresses">Host names and IP addresses that outside callers reach the service by.</param>
    public void Provision(IEnumerable<string> addresses)
    {
        Directory.CreateDirectory(_directory);
        if (File.Exists(KeyFile) && File.Exists(RequestFile))
        {
            return;
        }

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        WriteKey(key, KeyFile);
        File.WriteAllBytes(RequestFile, Request(key, addresses));
    }

    /// <summary>When the current certificate ends.</summary>
    public DateTimeOffset NotAfter => new(Current.NotAfter.ToUniversalTime());

    /// <summary>When the certificate should be renewed: two thirds into its life.</summary>
    public DateTimeOffset RenewAt
    {
        get
        {
            var from = new DateTimeOffset(Current.NotBefore.ToUniversalTime());
            return from + ((NotAfter - from) * 2 / 3);
        }
    }

    /// <summary>A fresh key with its request, to be exchanged for a certificate over the current one.</summary>
    public (ECDsa Key, byte[] Request) PrepareRenewal()
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var names = Current.Extensions.OfType<X509SubjectAlternativeNameExtension>().Single();
        return (key, Request(key, names.EnumerateDnsNames().Where(n => n != TlsName(_service)).Concat(names.EnumerateIPAddresses().Select(a => a.ToString()))));
    }

    /// <summary>Puts a renewed certificate in use: files first, so that a crash between leaves a matching pair or the old one.</summary>
    /// <exception cref="CryptographicException">The certificate does not match the key or the service name.</exception>
    public void Renew(ECDsa key, string chainPem)
    {
        using var leaf = X509Certificate2.CreateFromPem(chainPem);
        using var matched = leaf.CopyWithPrivateKey(key);
        if (!IsPeer(leaf, _service))
        {
            throw new CryptographicException("The renewed certificate does not carry this service's name.");
        }

        // One file holds key and chain of a renewal: two renames could be torn apart by a crash.
        var next = Path.Combine(_directory, "identity.pem.next");
        WriteText(next, key.ExportPkcs8PrivateKeyPem() + "\n" + chainPem);
        File.Move(next, RenewedFile, overwrite: true);
        _current = Load();
    }

    /// <summary>True when <paramref name="certificate"/> is a valid service certificate with exactly the peer's name.</summary>
    public bool IsPeer(X509Certificate? certificate, string peer) => certificate is X509Certificate2 leaf && PeerName(leaf) == peer;

    /// <summary>
    /// The service name a certificate proves, or null when it is not a valid service certificate. A service of another installation is known by the name that our
    /// configuration gives it and by no other, so that neither its issuer nor ours can make it one of our own, or one of ours it.
    /// </summary>
    public string? PeerName(X509Certificate2 certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        if (!Allows(certificate, ServerAuthentication) || !Allows(certificate, ClientAuthentication) || NameIn(certificate) is not { } name)
        {
            return null;
        }

        return IsUnder(certificate, Issuer) ? _others.Exists(o => o.Peer == name) ? null : name
            : _others.Find(o => o.Service == name && o.Certificate() is { } issuer && IsUnder(certificate, issuer))?.Peer;
    }

    private static string? NameIn(X509Certificate2 certificate)
    {
        const string suffix = ".trust.internal";
        var names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().SelectMany(e => e.EnumerateDnsNames())
            .Where(n => n.EndsWith(suffix, StringComparison.Ordinal)).ToList();
        return names is [var only] ? only[..^suffix.Length] : null;
    }

    /// <summary>TLS server options for one listener, with the certificate of now; made once a certificate, because a context costs more than a handshake.</summary>
    public SslServerAuthenticationOptions ServerOptions(ListenerOptions listener, string publicDirectory)
    {
        var certificate = Current;
        if (_serverOptions.TryGetValue(listener, out var made) && ReferenceEquals(made.Certificate, certificate))
        {
            return made.Options;
        }

        var options = NewServerOptions(listener, publicDirectory, certificate);
        _serverOptions[listener] = (certificate, options);
        return options;
    }

    private SslServerAuthenticationOptions NewServerOptions(ListenerOptions listener, string publicDirectory, X509Certificate2 certificate)
    {
        var asks = listener.ClientCertificate is not ClientCertificate.None;
        var trust = listener.AcceptedIssuers.Count == 0 ? null : SslCertificateTrust.CreateForX509Collection(
            [.. listener.AcceptedIssuers.Select(file => X509CertificateLoader.LoadCertificateFromFile(Path.Combine(publicDirectory, file)))], sendTrustInHandshake: true);
        return new SslServerAuthenticationOptions
        {
            ServerCertificateContext = SslStreamCertificateContext.Create(certificate, [Issuer], offline: true, trust),
            ClientCertificateRequired = asks,
            AllowTlsResume = listener.ClientCertificate is ClientCertificate.None,
            CertificateChainPolicy = NoDownloads(),
            EncryptionPolicy = EncryptionPolicy.RequireEncryption,
            RemoteCertificateValidationCallback = (_, shown, _, _) => listener.ClientCertificate switch
            {
                ClientCertificate.Peer => shown is null || (shown is X509Certificate2 leaf && PeerName(leaf) is not null),
                // Possession is proved by the handshake; path, status and registry are the application's to judge, with a page that says why.
                ClientCertificate.Card or ClientCertificate.Client => true,
                _ => true,
            },
        };
    }

    /// <summary>
    /// The platform builds a chain before it asks our callback, and would fetch the issuer from an address inside the caller's certificate
    /// to do so: anyone with a card could make us connect anywhere. So it trusts nothing and downloads nothing; the callback judges.
    /// </summary>
    internal static X509ChainPolicy NoDownloads() => new()
    {
        TrustMode = X509ChainTrustMode.CustomRootTrust,
        RevocationMode = X509RevocationMode.NoCheck,
        DisableCertificateDownloads = true,
    };

    /// <inheritdoc/>
    public void Dispose() => _current?.Dispose();

    private string KeyFile => Path.Combine(_directory, "key.pem");

    private string RenewedFile => Path.Combine(_directory, "identity.pem");

    private X509Certificate2 Load()
    {
        using var certificate = File.Exists(RenewedFile)
            ? X509Certificate2.CreateFromPemFile(RenewedFile, RenewedFile)
            : X509Certificate2.CreateFromPemFile(CertificateFile, KeyFile);
        // A re-ceremony writes a newer certificate for the original key; the later of the two wins.
        if (File.Exists(RenewedFile) && File.Exists(CertificateFile))
        {
            var original = X509Certificate2.CreateFromPemFile(CertificateFile, KeyFile);
            if (original.NotBefore > certificate.NotBefore)
            {
                return original;
            }

            original.Dispose();
        }

        return new X509Certificate2(certificate);
    }

    // One hop below the pinned issuer; nothing is downloaded, no platform status is asked.
    private bool IsUnder(X509Certificate2 certificate, X509Certificate2 issuer) =>
        Certificate.TryParse(certificate.RawDataMemory, out var leaf, out _)
        && CertificatePath.Build(leaf, [], [Certificate.Parse(issuer.RawDataMemory)], _clock.GetUtcNow(), CertificateUsage.Client) is PathOutcome.Trusted;

    private static bool Allows(X509Certificate2 certificate, string usage) =>
        certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>().Any(e => e.EnhancedKeyUsages.Cast<Oid>().Any(o => o.Value == usage));

    private byte[] Request(ECDsa key, IEnumerable<string> addresses)
    {
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(TlsName(_service));
        foreach (var address in addresses.Distinct(StringComparer.Ordinal))
        {
            if (IPAddress.TryParse(address, out var ip))
            {
                names.AddIpAddress(ip);
            }
            else
            {
                names.AddDnsName(address);
            }
        }

        var request = new System.Security.Cryptography.X509Certificates.CertificateRequest($"CN={_service}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(names.Build());
        return request.CreateSigningRequest();
    }

    private static void WriteKey(ECDsa key, string path) => WriteText(path, key.ExportPkcs8PrivateKeyPem());

    private static void WriteText(string path, string text)
    {
        using var stream = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        stream.Write(System.Text.Encoding.ASCII.GetBytes(text));
        stream.Flush(flushToDisk: true);
    }

    // Its file is there once the other installation has held its ceremony; until then nobody is that peer, and readiness says which file is missing.
    private sealed class OtherIssuer(string peer, string service, string file)
    {
        private volatile X509Certificate2? _certificate;

        public string Peer => peer;

        public string Service => service;

        public X509Certificate2? Certificate() => _certificate ??= File.Exists(file) ? X509CertificateLoader.LoadCertificateFromFile(file) : null;
    }
}
