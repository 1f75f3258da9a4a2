using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Hosting;

/// <summary>A service on the real host: its own configuration file, TLS identity and listeners on free ports; no database unless asked for.</summary>
internal sealed class TestService : IAsyncDisposable
{
    private readonly WebApplication _app;

    private TestService(WebApplication app, string directory) => (_app, Directory) = (app, directory);

    /// <summary>Folder of its files.</summary>
    public string Directory { get; }

    /// <summary>Where it listens, in the order of the listeners' names.</summary>
    public IReadOnlyList<Uri> Addresses => [.. _app.Urls.Select(u => new Uri(u))];

    /// <summary>Its parts.</summary>
    public IServiceProvider Services => _app.Services;

    /// <summary>What is asked of a test service.</summary>
    internal sealed record Wish
    {
        /// <summary>Its routes.</summary>
        public required Func<RouteTable> Routes { get; init; }

        /// <summary>Listeners by name; one on plain HTTP by default.</summary>
        public JsonObject Listen { get; init; } = new() { ["A"] = new JsonObject { ["Url"] = "http://127.0.0.1:0" } };

        /// <summary>Further configuration sections.</summary>
        public Dictionary<string, JsonNode?> Sections { get; init; } = [];

        /// <summary>Changes its residency declaration before it is signed.</summary>
        public Func<Declaration, Declaration>? Declare { get; init; }

        /// <summary>Its clock; the system's when null.</summary>
        public TimeProvider? Clock { get; init; }

        /// <summary>Registers more.</summary>
        public Action<WebApplicationBuilder>? With { get; init; }

        /// <summary>Adds middleware.</summary>
        public Action<WebApplication>? Use { get; init; }
    }

    public static async Task<TestService> Start(Wish wish)
    {
        var (app, directory) = Build(wish);
        await app.StartAsync();
        return new TestService(app, directory);
    }

    /// <summary>Builds and does not start.</summary>
    public static (WebApplication App, string Directory) Build(Wish wish)
    {
        var directory = Scratch.Directory("service");
        WriteIdentity(directory);
        var config = new JsonObject
        {
            ["Service"] = new JsonObject { ["Region"] = "510000", ["Node"] = "test-1", ["PublicDirectory"] = directory, ["DataDirectory"] = directory },
            ["Listen"] = wish.Listen.DeepClone(),
        };
        foreach (var (name, section) in wish.Sections)
        {
            if (name == "Service")
            {
                section!.AsObject().ToList().ForEach(member => config["Service"]![member.Key] = member.Value?.DeepClone());
                continue;
            }

            config[name] = section?.DeepClone();
        }

        var file = Path.Combine(directory, "test.json");
        File.WriteAllText(file, config.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        var service = new ServiceDefinition
        {
            Name = "test", Assembly = typeof(TestService), HasDatabase = wish.Sections.ContainsKey("Database"), HasOutbox = false, Routes = _ => wish.Routes(), Use = wish.Use,
            Configure = builder =>
            {
                builder.Logging.ClearProviders();
                if (wish.Clock is { } clock)
                {
                    builder.Services.AddSingleton(clock);
                }

                wish.With?.Invoke(builder);
            },
        };
        TestDeclaration.Write(file, service, wish.Declare);
        return (ServiceHost.Build(["run", "--config", file], service), directory);
    }

    /// <summary>A client of one listener.</summary>
    public HttpClient Client(int listener = 0, X509Certificate2? certificate = null)
    {
        var handler = new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true }, AllowAutoRedirect = false };
        if (certificate is not null)
        {
            handler.SslOptions.ClientCertificates = [certificate];
        }

        return new HttpClient(handler) { BaseAddress = Addresses[listener], Timeout = TimeSpan.FromSeconds(30) };
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    /// <summary>A self-signed client certificate.</summary>
    public static X509Certificate2 Certificate(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var made = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddHours(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), null);
    }

    private static void WriteIdentity(string directory)
    {
        var now = DateTimeOffset.UtcNow;
        using var issuerKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Service issuing", issuerKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        using var issuer = request.CreateSelfSigned(now.AddMinutes(-5), now.AddDays(2));
        File.WriteAllText(Path.Combine(directory, "service-issuing.pem"), issuer.ExportCertificatePem());
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var own = new CertificateRequest("CN=test", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(ServiceIdentity.TlsName("test"));
        own.CertificateExtensions.Add(names.Build());
        own.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], false));
        own.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        using var certificate = own.Create(issuer, now.AddMinutes(-5), now.AddDays(1), [1, 2, 3]);
        var tls = System.IO.Directory.CreateDirectory(Path.Combine(directory, "tls")).FullName;
        File.WriteAllText(Path.Combine(tls, "key.pem"), key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(Path.Combine(tls, "certificate.pem"), certificate.ExportCertificatePem());
    }
}
