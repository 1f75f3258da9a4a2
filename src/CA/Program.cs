using System.ComponentModel.DataAnnotations;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Trust.CA.Ceremony;
using Trust.CA.Certificates;
using Trust.CA.Enrolment;
using Trust.CA.Entitlements;
using Trust.CA.Feed;
using Trust.CA.Officers;
using Trust.CA.Persons;
using Trust.CA.Registry;
using Trust.CA.Residency;
using Trust.CA.Revocation;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.Pkcs11;

namespace Trust.CA;

/// <summary>Entry point of the CA service; the only place that knows every slice.</summary>
public static class Program
{
    private const string Declaring = "residency";

    /// <summary>What the CA adds to the common host.</summary>
    public static ServiceDefinition Service { get; } = new()
    {
        Name = "ca",
        Assembly = typeof(Program),
        Sections = ["Ca"],
        Json = [CaJson.Default],
        Configure = Configure,
        Routes = Map.Routes,
        Use = Listen,
        Provision = Provision,
        Places = Places,
        DeclaringVerb = Declaring,
        Verbs = new Dictionary<string, Func<WebApplication, string[], CancellationToken, Task<int>>>(StringComparer.Ordinal)
        {
            ["ceremony"] = HoldCeremony.RunVerb,
            [Declaring] = ResidencyVerb.RunVerb,
        },
    };

    /// <summary>Runs the service or one of its verbs.</summary>
    public static Task<int> Main(string[] args) => ServiceHost.Run(args, Service);

    // The root's token stands where the service's does, and is judged when the ceremony uses it.
    private static IEnumerable<UsedPlace> Places(IConfiguration configuration) =>
        configuration.Has("Token") ? [UsedPlace.Token(configuration.Section<CaOptions>("Ca").RootTokenLabel, UsedPlace.RegionOfToken(configuration), essential: false)] : [];

    // A database that closed the service is not asked either: what mends it comes by file (decision 120).
    private static DeclarationSource Newest(IServiceProvider services) => ct =>
        services.GetRequiredService<ResidencyGate>().IsClosedBy(PlaceKind.Database) ? Task.FromResult<byte[]?>(null) : services.GetRequiredService<DeclarationStore>().Newest(ct);

    private static void Configure(WebApplicationBuilder builder)
    {
        var services = builder.Services;
        var options = builder.Configuration.Section<CaOptions>("Ca");
        var peers = builder.Configuration.Has("Peers") ? builder.Configuration.Section<List<PeerOptions>>("Peers").Select(p => p.Name).ToList() : [];
        if (((string?[])[options.Persons.Registrar, .. options.Persons.Askers]).FirstOrDefault(p => p is not null && !peers.Contains(p, StringComparer.Ordinal)) is { } unknown)
        {
            throw new ValidationException($"Configuration section Ca: Persons names {unknown}, which is none of Peers.");
        }

        services.AddSingleton(options);
        services.AddSingleton<RegistryReaders>();
        services.AddSingleton<DeclarationStore>().AddSingleton<DeclarationSource>(Newest);
        services.AddKeyRegister([AnswerEntitlement.Key, PersonTags.Key, .. RegistryKeys.Keys, .. OcspResponders.Keys]);
        services.AddSingleton<PersonTags>().AddSingleton<PersonRegister>().AddSingleton<PersonIdentifiers>().AddSingleton<TagKnownPersons>();
        services.AddLoop<TagKnownPersons>("tag-known-persons", TagKnownPersons.Pause, (persons, ct) => persons.Round(ct));
        services.AddSingleton<ImportRows>().AddSingleton<ImportProposals>();
        services.AddSingleton<RegistryKeys>().AddSingleton<RegistryStore>().AddSingleton<RegistrySnapshot>().AddSingleton<OfficerDirectory>();
        services.AddSingleton<CommitPoints>().AddSingleton<ProfileSet>().AddSingleton<IssuerDirectory>().AddSingleton<CaKeys>();
        services.AddSingleton<CertificateStore>().AddSingleton<CertificateChains>().AddSingleton<Issuance>();
        services.AddSingleton<RequestStore>().AddSingleton<RequestStates>().AddSingleton<ApprovalJudge>().AddSingleton<RefusedRequests>();
        services.AddSingleton<CrlPublication>().AddSingleton<OcspResponders>();
        services.AddSingleton<FeedHub>().AddLoop<FeedHub>(
            "change-feed", TimeSpan.Zero, (hub, ct) => hub.Round(ct), (work, _) => work with { LongestPause = TimeSpan.FromSeconds(1) });
        services.AddSingleton<CrlPublisher>().AddSingleton<IReadinessCheck>(p => p.GetRequiredService<CrlPublisher>()).AddLoop<CrlPublisher>(
            "crl-publisher", CrlPublisher.Pause, (publisher, ct) => publisher.Round(ct), (work, _) => work with { LongestPause = CrlPublisher.Pause });
        services.AddSingleton<ApplyDueChanges>().AddLoop<ApplyDueChanges>(
            "registry-due-changes", ApplyDueChanges.Pause, (changes, ct) => changes.Round(ct));
        services.AddSingleton<ResumeIssuance>().AddLoop<ResumeIssuance>("resume-issuance", ResumeIssuance.Pause, (resume, ct) => resume.Round(ct));
    }

    // Made now, so that its cache listens before the feed starts.
    private static void Listen(WebApplication app) => _ = app.Services.GetRequiredService<AnswerOcsp>();

    private static async Task Provision(IServiceProvider services, CancellationToken ct)
    {
        var token = services.GetRequiredService<IToken>();
        await RegistryKeys.Provision(token, ct);
        if (services.GetRequiredService<CaOptions>().Persons.IsRegistrar)
        {
            _ = await token.FindOrGenerate(PersonTags.Key, KeyAlgorithm.EcdhP256, ct);
        }

        var key = await token.FindOrGenerate(AnswerEntitlement.Key, KeyAlgorithm.EcdsaP256, ct);
        var directory = services.GetRequiredService<ServiceOptions>().PublicDirectory;
        await File.WriteAllBytesAsync(Path.Combine(directory, "entitlement.spki"), key.SubjectPublicKeyInfo.ToArray(), ct);
    }
}
