using Trust.Kernel.Hosting;

namespace Trust.Witness;

/// <summary>
/// A witness for logs of this product (C2SP tlog-witness): before it cosigns it recomputes tree, subject index and every source's chain from the
/// log's entries. A process, a token and a folder of its own; run it on another machine, by other people.
/// </summary>
public static class Program
{
    /// <summary>The service as the host runs it.</summary>
    public static readonly ServiceDefinition Service = new()
    {
        Name = "witness",
        Assembly = typeof(Program),
        Sections = ["Witness"],
        Configure = builder => builder.Services
            .AddSingleton(builder.Configuration.Section<WitnessOptions>("Witness"))
            .AddSingleton<WitnessKey>()
            .AddSingleton<WholeAnswers>()
            .AddSingleton<WatchedLogs>()
            .AddHostedService(p => p.GetRequiredService<WatchedLogs>())
            .AddSingleton<IReadinessCheck>(p => new ReadinessCheck("logs", _ => ValueTask.FromResult(p.GetRequiredService<WatchedLogs>().Health()))),
        Routes = Map.Routes,
        Provision = Provision,
        HasDatabase = false,
        HasOutbox = false,
    };

    /// <summary>Runs one verb of the service.</summary>
    public static Task<int> Main(string[] args) => ServiceHost.Run(args, Service);

    // The key is born in the token; whoever trusts this witness gets its vkey from the public folder.
    private static async Task Provision(IServiceProvider services, CancellationToken ct)
    {
        var verifier = await services.GetRequiredService<WitnessKey>().Provision(ct);
        var file = Path.Combine(services.GetRequiredService<ServiceOptions>().PublicDirectory, "witnesses.vkeys");
        var others = File.Exists(file) ? (await File.ReadAllLinesAsync(file, ct)).Where(l => l.Length > 0 && l != verifier.VKey) : [];
        await File.WriteAllLinesAsync(file, [.. others, verifier.VKey], ct);
        await File.WriteAllTextAsync(Path.Combine(services.GetRequiredService<ServiceOptions>().PublicDirectory, "witness.vkey"), verifier.VKey + "\n", ct);
    }
}
