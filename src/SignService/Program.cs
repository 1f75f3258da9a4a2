using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Trust.Kernel.Hosting;
using Trust.Kernel.Keys;
using Trust.Kernel.LiveStatus;
using Trust.Kernel.Residency;
using Trust.SignService.Keys;
using Trust.SignService.Prescriptions;
using Trust.SignService.Retention;
using Trust.SignService.Seals;
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
        Sections = ["SignService"],
        Json = [SignJson.Default],
        Configure = Configure,
        Routes = Map.Routes,
        Provision = Provision,
    };

    /// <summary>Runs a verb: run, migrate or provision.</summary>
    public static Task<int> Main(string[] args) => ServiceHost.Run(args, Service);

    private static async Task Provision(IServiceProvider services, CancellationToken ct)
    {
        await services.GetRequiredService<TimeStampKey>().Provision(ct);
        await services.GetRequiredService<PersonKeys>().Provision(ct);
    }

    private static void Configure(WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton(builder.Configuration.Has("SignService")
            ? builder.Configuration.Section<SignOptions>("SignService") : new SignOptions());
        services.AddSingleton<TrustAnchors>().AddSingleton<TimeStampKey>().AddSingleton<SealStore>().AddSingleton<SealDirectory>();
        services.AddSingleton<StampMark>().AddSingleton(p => LedgerClock.Of(p.GetRequiredService<Outbound>(), p.GetRequiredService<TimeProvider>()));
        services.AddSingleton<TimeStampAuthority>();
        services.AddSingleton<CommitPoints>().AddSingleton<SignatureStore>().AddSingleton<FinishSignature>();
        services.AddSingleton<PrescriptionStore>().AddSingleton<PatientConsents>().AddSingleton<PersonalSigning>();
        services.AddSingleton<SystemStanding>().AddSingleton<Transition>().AddSingleton<SealPrescription>().AddSingleton<SealingPass>();
        services.AddLoop<SealingPass>("sealing", SealingPass.Pause, (pass, ct) => pass.Round(ct));
        services.AddPersonKeys(PatientShredding.Rules).AddSingleton<ClinicalText>().AddSingleton<SealStoredText>();
        services.AddLoop<SealStoredText>("seal-stored", SealStoredText.Pause, (old, ct) => old.Round(ct), (work, _) => work with { Patience = TimeSpan.FromHours(1) });
        services.AddSingleton<Deletion>().AddSingleton<DiscardDrafts>().AddSingleton<DeleteExpired>();
        services.AddLoop<DeleteExpired>("retention", DeleteExpired.Pause, (expired, ct) => expired.Round(ct), (work, _) => work with { Patience = TimeSpan.FromDays(1) });
        services.AddLoop<DiscardDrafts>("drafts", DiscardDrafts.Pause, (drafts, ct) => drafts.Round(ct));
        services.AddSingleton<SignatureJudge>().AddSingleton<StatusJudge>().AddSingleton<CertificateStatusClient>();
        services.AddKeyRegister(TimeStampKey.Ref);
        services.AddSingleton(p => new InstalledCertificate("time-stamp", () => p.GetRequiredService<TimeStampKey>().Installed));
        services.AddLiveStatus();
        foreach (var file in TrustAnchors.RequiredFiles)
        {
            services.AddSingleton(file);
        }

        services.AddSingleton<IReadinessCheck>(p => new ReadinessCheck("time-stamp", p.GetRequiredService<TimeStampKey>().Check));
    }
}
