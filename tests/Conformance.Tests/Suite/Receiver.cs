using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Trust.Cli.Local;
using Trust.TestKit;

namespace Trust.Conformance.Tests.Suite;

/// <summary>A request that the provider made to the suite.</summary>
internal sealed record Received(string Method, string Path, string Body, IReadOnlyDictionary<string, string> Headers, DateTimeOffset At);

/// <summary>
/// Where the provider calls the suite: key sets, sector documents, logout and notification addresses. A declared peer named <c>suite</c>, certified by an issuer of
/// its own as a neighbouring installation's service is.
/// </summary>
internal sealed class Receiver : IAsyncDisposable
{
    private const string Name = "suite";
    private readonly ConcurrentQueue<Received> _received = new();
    private readonly ConcurrentDictionary<string, Func<HttpContext, Task>> _answers = new(StringComparer.Ordinal);
    private readonly string _issuerPem;
    private readonly X509Certificate2 _certificate;
    private WebApplication? _app;

    public Receiver()
    {
        (_issuerPem, _certificate) = Certify();
        Port = PostgresCluster.FreePort();
    }

    public int Port { get; }

    public string Address => FormattableString.Invariant($"https://127.0.0.9:{Port}");

    /// <summary>PEM of what its certificate is issued by.</summary>
    public string IssuerPem => _issuerPem;

    public IEnumerable<Received> At(string path) => _received.Where(r => r.Path == path);

    /// <summary>What an address answers from now on; without it, 200 and nothing.</summary>
    public string Serve(string path, Func<HttpContext, Task> answer)
    {
        _answers[path] = answer;
        return Address + path;
    }

    public string ServeJson(string path, Func<string> json) => Serve(path, async context =>
    {
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(json());
    });

    /// <summary>Opens one of its own addresses as a browser does; where it leads.</summary>
    public static async Task<string> Open(string url)
    {
#pragma warning disable CA5399, MA0039 // The suite's own certificate, on this machine.
        using var http = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false, ServerCertificateCustomValidationCallback = (_, _, _, _) => true });
#pragma warning restore CA5399, MA0039
        using var response = await http.GetAsync(url);
        return response.Headers.Location?.ToString() ?? throw new Xunit.Sdk.XunitException($"{url} leads nowhere: {(int)response.StatusCode}");
    }

    /// <summary>Waits for a request.</summary>
    public async Task<Received> Await(string path, TimeSpan? limit = null, int count = 1)
    {
        await Eventually.Holds(() => At(path).Count() >= count, $"the provider calls {path}", limit ?? TimeSpan.FromSeconds(20));
        return At(path).ElementAt(count - 1);
    }

    public async Task Start()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Parse("127.0.0.9"), Port, listen => listen.UseHttps(https =>
        {
            https.ServerCertificate = _certificate;
            https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
            https.ClientCertificateValidation = (_, _, _) => true;
        })));
        _app = builder.Build();
        _app.Run(Handle);
        await _app.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }
    }

    private async Task Handle(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        _received.Enqueue(new Received(
            context.Request.Method, context.Request.Path.Value!, await reader.ReadToEndAsync(), context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase),
            TimeProvider.System.GetUtcNow()));
        if (_answers.TryGetValue(context.Request.Path.Value!, out var answer))
        {
            await answer(context);
        }
    }

    private static (string IssuerPem, X509Certificate2 Certificate) Certify()
    {
        var now = TimeProvider.System.GetUtcNow();
        using var caKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var ca = new CertificateRequest("CN=Conformance suite", caKey, HashAlgorithmName.SHA256);
        ca.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        ca.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        ca.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(ca.PublicKey, critical: false));
        using var issuer = ca.CreateSelfSigned(now.AddHours(-1), now.AddDays(30));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var leaf = new CertificateRequest("CN=suite.trust.internal", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(Name + ".trust.internal");
        names.AddIpAddress(IPAddress.Parse("127.0.0.9"));
        leaf.CertificateExtensions.Add(names.Build());
        leaf.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));
        leaf.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        leaf.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], critical: false));
        leaf.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(issuer, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        leaf.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(leaf.PublicKey, critical: false));
        using var made = leaf.Create(issuer, now.AddMinutes(-5), now.AddDays(7), RandomNumberGenerator.GetBytes(12).Select((b, i) => i == 0 ? (byte)((b & 0x3f) | 0x40) : b).ToArray());
        using var withKey = made.CopyWithPrivateKey(key);
        return (issuer.ExportCertificatePem(), X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pkcs12), null));
    }
}
