using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Trust.Kernel.Hosting;
using Trust.Kernel.LiveStatus;
using Trust.SignService.Keys;
using Trust.SignService.Prescriptions;
using Trust.SignService.Signatures;
using Trust.SignService.Timestamps;
using Trust.SignService.Validation;

namespace Trust.SignService;

/// <summary>The signing service: signatures, time-stamps, seals and the prescription chain.</summary>
public static class Program
{
    /// <summary>What this service adds to the common host.</summary>
    public static readonly ServiceDefinition Service = new()
    {
        Name = "sign",
        Assembly = typeof(Program),
        Json = [SignJson.Default],
        Configure = Configure,
        Map = Map,
        Provision = (services, ct) => services.GetRequiredService<TimeStampKey>().Provision(ct),
    };

    /// <summary>Runs a verb: run, migrate or provision.</summary>
    public static Task<int> Main(string[] args) => ServiceHost.Run(args, Service);

    private static void Configure(WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton(builder.Configuration.GetSection("SignService").Exists()
            ? builder.Configuration.Section<SignOptions>("SignService") : new SignOptions());
        services.AddSingleton<TrustAnchors>().AddSingleton<TimeStampKey>().AddSingleton<SealStore>().AddSingleton<SealDirectory>().AddSingleton<SealDocument.Sealing>();
        services.AddSingleton<TimeStampAuthority>();
        services.AddSingleton<CommitPoints>().AddSingleton<SignatureStore>().AddSingleton<FinishSignature>();
        services.AddSingleton<PrescriptionStore>().AddSingleton<ConsentClient>().AddSingleton<PersonalSigning>();
        services.AddSingleton<Transition>().AddSingleton<SealPrescription>().AddHostedService<SealingPass>();
        services.AddSingleton<SignatureJudge>().AddSingleton<HolderClient>();
        services.AddLiveStatus();
        services.AddSingleton<IReadinessCheck>(p => new ReadinessCheck("time-stamp", p.GetRequiredService<TimeStampKey>().Check));
    }

    private static void Map(WebApplication app)
    {
        PreparePrescription.Map(app);
        CompletePrescription.Map(app);
        ReviewPrescription.Map(app);
        ReturnPrescription.Map(app);
        ClaimPrescription.Map(app);
        DispensePrescription.Map(app);
        VoidPrescription.Map(app);
        ReadPrescription.Map(app);
        AnswerTimeStampRequest.Map(app);
        InstitutionSeals.Map(app);
        SealDocument.Map(app);
        ValidateSignatures.Map(app);
    }
}
