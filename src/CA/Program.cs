using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Trust.CA.Ceremony;
using Trust.CA.Certificates;
using Trust.CA.Enrolment;
using Trust.CA.Entitlements;
using Trust.CA.Feed;
using Trust.CA.Officers;
using Trust.CA.Registry;
using Trust.CA.Revocation;
using Trust.Kernel.Hosting;
using Trust.Pkcs11;

namespace Trust.CA;

/// <summary>Entry point of the CA service; the only place that knows every slice.</summary>
public static class Program
{
    /// <summary>What the CA adds to the common host.</summary>
    public static ServiceDefinition Service { get; } = new()
    {
        Name = "ca",
        Assembly = typeof(Program),
        Json = [CaJson.Default],
        Configure = Configure,
        Map = Map,
        Provision = Provision,
        Verbs = new Dictionary<string, Func<WebApplication, string[], CancellationToken, Task<int>>>(StringComparer.Ordinal)
        {
            ["ceremony"] = HoldCeremony.Run,
        },
    };

    /// <summary>Runs the service or one of its verbs.</summary>
    public static Task<int> Main(string[] args) => ServiceHost.Run(args, Service);

    private static void Configure(WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton(builder.Configuration.Section<CaOptions>("Ca"));
        services.AddSingleton<RegistryKeys>().AddSingleton<RegistryStore>().AddSingleton<RegistrySnapshot>();
        services.AddSingleton<CommitPoints>().AddSingleton<ProfileSet>().AddSingleton<IssuerDirectory>().AddSingleton<CaKeys>().AddSingleton<CertificateStore>().AddSingleton<Issuance>();
        services.AddSingleton<RequestStore>().AddSingleton<StateOfRequest>().AddSingleton<OfficerDirectory>();
        services.AddSingleton<CrlPublication>().AddSingleton<OcspResponders>().AddSingleton<AnswerOcsp>();
        services.AddSingleton<FeedHub>().AddHostedService(p => p.GetRequiredService<FeedHub>());
        services.AddSingleton<CrlPublisher>().AddHostedService(p => p.GetRequiredService<CrlPublisher>());
        services.AddSingleton<IReadinessCheck>(p => p.GetRequiredService<CrlPublisher>());
        services.AddSingleton<ResumeIssuance>().AddHostedService(p => p.GetRequiredService<ResumeIssuance>());
    }

    private static void Map(WebApplication app)
    {
        // Made now, so that its cache listens before the feed starts.
        _ = app.Services.GetRequiredService<AnswerOcsp>();
        ImportRegistry.Map(app);
        ChangePractitionerState.Map(app);
        CloseInstitution.Map(app);
        RequestCertificate.Map(app);
        ApproveRequest.Map(app);
        RenewServiceCertificate.Map(app);
        ChangeCertificateState.Map(app);
        AnswerEntitlement.Map(app);
        ShowHolder.Map(app);
        StreamFeed.Map(app);
        AnswerOcsp.Map(app);
        ServeLists.Map(app);
    }

    private static async Task Provision(IServiceProvider services, CancellationToken ct)
    {
        var token = services.GetRequiredService<IToken>();
        await RegistryKeys.Provision(token, ct);
        var key = await token.FindOrGenerate(AnswerEntitlement.Key, KeyAlgorithm.EcdsaP256, ct);
        var directory = services.GetRequiredService<ServiceOptions>().PublicDirectory;
        await File.WriteAllBytesAsync(Path.Combine(directory, "entitlement.spki"), key.SubjectPublicKeyInfo.ToArray(), ct);
    }
}
