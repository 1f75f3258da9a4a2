using Trust.AuditLedger.Anchoring;
using Trust.AuditLedger.Checkpoints;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Evidence;
using Trust.AuditLedger.Fsck;
using Trust.AuditLedger.Index;
using Trust.AuditLedger.Intake;
using Trust.AuditLedger.Proofs;
using Trust.AuditLedger.Retention;
using Trust.AuditLedger.Shredding;
using Trust.AuditLedger.Tiles;
using Trust.AuditLedger.Watching;
using Trust.AuditLedger.Witnessing;
using Trust.Kernel.Hosting;
using Trust.Kernel.Keys;
using Trust.Kernel.LockStore;
using Trust.Kernel.Residency;

namespace Trust.AuditLedger;

/// <summary>Entry point of the AuditLedger service.</summary>
public static class Program
{
    /// <summary>The service as the host runs it.</summary>
    public static readonly ServiceDefinition Service = new()
    {
        Name = "ledger",
        IsLedger = true,
        Assembly = typeof(Program),
        Sections = ["AuditLedger"],
        Json = [LedgerJson.Default, AnchorJson.Default],
        Configure = Configure,
        Routes = Map.Routes,
        Provision = Provision,
        Places = Places,
        Verbs = new Dictionary<string, Func<WebApplication, string[], CancellationToken, Task<int>>>(StringComparer.Ordinal)
        {
            ["fsck"] = FsckCommand.Run,
            ["prune"] = PruneCommand.Run,
        },
    };

    private static readonly TimeSpan HalfHour = TimeSpan.FromMinutes(30);

    /// <summary>Runs one verb of the service.</summary>
    public static Task<int> Main(string[] args) => ServiceHost.Run(args, Service);

    private static IEnumerable<UsedPlace> Places(IConfiguration configuration)
    {
        var options = configuration.Section<AuditLedgerOptions>("AuditLedger");
        yield return UsedPlace.Folder(PlaceKind.LockStore, options.LockStoreDirectory);
        if (options.MirrorDirectory is { } mirror)
        {
            yield return UsedPlace.Folder(PlaceKind.Mirror, mirror);
        }
    }

    private static void Configure(WebApplicationBuilder builder)
    {
        var options = builder.Configuration.Section<AuditLedgerOptions>("AuditLedger");
        builder.Services
            .AddSingleton(options)
            .AddSingleton<Sources>()
            .AddSingleton<ILockStore>(_ => new FileLockStore(options.LockStoreDirectory))
            .AddSingleton<SoftwareKeys>()
            .AddSingleton<StandbyGate>()
            .AddSingleton<CheckpointSigner>()
            .AddSingleton<LedgerFaults>()
            .AddSingleton(new IndexPace())
            .AddSingleton<Alarms>()
            .AddSingleton<AccessWatch>()
            .AddSingleton<IntakeWatch>()
            .AddSingleton<Scrub>()
            .AddSingleton<IReadinessCheck>(p => new ReadinessCheck("scrub", _ => ValueTask.FromResult(p.GetRequiredService<Scrub>().Health())))
            .AddSingleton<LiveIndex>()
            .AddSingleton<CompletenessProver>()
            .AddSingleton<Sequencer>()
            .AddSingleton<Sm3Follower>()
            .AddSingleton<WitnessSet>()
            .AddSingleton<CosignatureRounds>()
            .AddSingleton<IReadinessCheck>(p => new ReadinessCheck("witnesses", _ => ValueTask.FromResult(p.GetRequiredService<CosignatureRounds>().Health())))
            .AddSingleton<AnchorStore>()
            .AddSingleton<AnchorRounds>()
            .AddSingleton<IReadinessCheck>(p => new ReadinessCheck("anchors", _ => ValueTask.FromResult(p.GetRequiredService<AnchorRounds>().Health())))
            .AddSingleton<Volumes>()
            .AddSingleton<Admission>()
            .AddSingleton<IReadinessCheck>(p => new ReadinessCheck("volumes", _ => ValueTask.FromResult(p.GetRequiredService<Admission>().Health())))
            .AddSingleton<ReaderGate>()
            .AddSingleton<TileStore>()
            .AddSingleton<BundleReaders>()
            .AddSingleton<Mirror>()
            .AddSingleton<RetentionSchedule>()
            .AddSingleton<SubjectKeyVault>()
            .AddSingleton<ShreddingElsewhere>()
            .AddSingleton<Shredder>()
            .AddSingleton<EvidenceStore>()
            .AddSingleton<SigningEvidence>()
            .AddSingleton<EvidenceDesk>()
            .AddSingleton<EvidenceMaker>()
            .AddSingleton<IReadinessCheck>(p => new ReadinessCheck("sequencer", _ =>
            {
                var why = p.GetRequiredService<Sequencer>().NotLeading;
                return ValueTask.FromResult(new Readiness(why is null, why ?? "leads"));
            }));
        AddLoops(builder.Services, options);
    }

    // Patience is long where a failure keeps nothing from being taken in: it is logged at once, and the service stays ready meanwhile.
    private static void AddLoops(IServiceCollection services, AuditLedgerOptions options)
    {
        services.AddLoop<Admission>("intake-admission", Admission.Pause, (admission, ct) => admission.Round(ct))
            // Leading lasts; what became of it is told by the check "sequencer".
            .AddLoop<Sequencer>("sequencing", Sequencer.Pause, (sequencer, ct) => sequencer.Round(ct), (work, sequencer) => work with
            {
                LongestPause = Sequencer.Pause, Patience = TimeSpan.MaxValue, Last = sequencer.StoreIndex,
            })
            .AddLoop<CosignatureRounds>("cosignature-rounds", TimeSpan.Zero, (rounds, ct) => rounds.Round(ct), (work, _) => work with { Patience = HalfHour })
            .AddLoop<Sm3Follower>("sm3-follower", Sm3Follower.Pause, (follower, ct) => follower.Round(ct), (work, _) => work with { Patience = HalfHour })
            .AddLoop<Shredder>("shredder", TimeSpan.Zero, (shredder, ct) => shredder.Round(ct), (work, _) => work with { LongestPause = Shredder.LongestWait, Patience = HalfHour })
            .AddLoop<Alarms>("alarms", TimeSpan.Zero, (alarms, ct) => alarms.Round(ct), (work, _) => work with { Patience = HalfHour });
        if (options.Anchoring.Authorities.Count > 0)
        {
            services.AddLoop<AnchorRounds>("anchor-rounds", AnchorRounds.PauseOf(options.Anchoring), (rounds, ct) => rounds.Round(ct), (work, _) => work with { Patience = HalfHour });
        }

        if (options.MirrorDirectory is not null)
        {
            services.AddLoop<Mirror>("mirror", Mirror.Pause, (mirror, ct) => mirror.Extend(ct), (work, _) => work with { Patience = HalfHour });
        }

        if (options.Watching.ScrubEvery > TimeSpan.Zero)
        {
            services.AddLoop<Scrub>("log-check", Scrub.Pause, (scrub, ct) => scrub.Round(ct));
        }
    }

    // Keys are born in the token at set-up; their verifiers are published for everyone who checks a checkpoint.
    private static async Task Provision(IServiceProvider services, CancellationToken ct)
    {
        var signer = services.GetRequiredService<CheckpointSigner>();
        await signer.Provision(ct);
        var verifiers = await signer.Verifiers(ct);
        var file = Path.Combine(services.GetRequiredService<ServiceOptions>().PublicDirectory, "ledger.vkeys");
        await File.WriteAllTextAsync(file, string.Concat(verifiers.Select(v => v.VKey + "\n")), ct);
    }
}
