using Microsoft.Extensions.DependencyInjection;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.LogFormat.Index;
using Trust.Pkcs11;

namespace Trust.Kernel.Audit;

/// <summary>Registers the outbox.</summary>
public static class AuditServices
{
    /// <summary>Adds <see cref="Outbox"/>, its relay and the counter of refused strangers, as configured in section <c>Ledger</c>.</summary>
    public static IServiceCollection AddAudit(this IServiceCollection services, LedgerOptions ledger, string source, ServiceOptions service)
    {
        services.AddSingleton(_ => Options(ledger, source, service));
        services.AddSingleton<OutboxState>();
        services.AddSingleton<ReceiptBoard>();
        services.AddSingleton<Outbox>();
        services.AddSingleton(p => new LedgerLink(p.GetRequiredService<Outbound>().Client(ledger.Peer), source));
        services.AddSingleton<HoldQuestion>();
        services.AddSingleton<RefusalCounter>();
        services.AddLoop<RefusalCounter>("refusal-counter", TimeSpan.FromMinutes(1), (counter, ct) => counter.Flush(ct), (work, counter) => work with { Last = counter.Flush });
        // Its own waiting ends when there is work.
        services.AddSingleton<Relay>().AddLoop<Relay>("relay", TimeSpan.Zero, (relay, ct) => relay.Round(ct));
        services.AddSingleton<CheckpointWatch>().AddLoop<CheckpointWatch>("checkpoint-watch", CheckpointWatch.Pause, (watch, ct) => watch.Look(ct), (work, _) => work with { Patience = TimeSpan.FromHours(1) });
        services.AddSingleton<IReadinessCheck>(p => new ReadinessCheck("ledger", _ => ValueTask.FromResult(Ready(p.GetRequiredService<OutboxState>()))));
        // Without them this service would believe whatever calls itself the ledger's checkpoint.
        services.AddSingleton<IReadinessCheck>(p => new ReadinessCheck("ledger-keys", _ => ValueTask.FromResult(p.GetRequiredService<AuditOptions>().LedgerKeys.Count > 0
            ? new Readiness(true, "are known")
            : new Readiness(false, $"{Path.Combine(service.PublicDirectory, "ledger.vkeys")} held no verifier key when the service started: no checkpoint is verified"))));
        return services;
    }

    private static AuditOptions Options(LedgerOptions ledger, string source, ServiceOptions service)
    {
        var keys = Path.Combine(service.PublicDirectory, "ledger.vkeys");
        return new AuditOptions
        {
            Source = source,
            Region = service.Region,
            Node = service.Node,
            Peer = ledger.Peer,
            BatchKey = new KeyRef(ledger.BatchKey),
            BudgetAge = ledger.BudgetAge,
            BudgetCount = ledger.BudgetCount,
            ConfirmWithin = ledger.ConfirmWithin,
            LedgerKeys = File.Exists(keys) ? [.. File.ReadAllLines(keys).Where(line => line.Length > 0)] : [],
        };
    }

    // The relay looks every second; it stands still when its token, its database or the instance that holds its lock does.
    private static readonly TimeSpan LongestView = TimeSpan.FromSeconds(30);

    private static Readiness Ready(OutboxState state) => state switch
    {
        { HeadBehind: { } why } => new Readiness(false, why),
        { HeadCompared: false } => new Readiness(false, "head-not-compared: the ledger has not answered since the start, so this database may be an older one; only what takes rights away is done"),
        { LedgerReached: true, SeenAge: var age } when age > LongestView => new Readiness(false, $"the relay has not looked for {age:c} at what waits"),
        { LedgerReached: true } => new Readiness(true, $"{state.Pending} events wait"),
        _ => new Readiness(false, $"away; {state.Pending} events wait, the oldest for {state.OldestAge:c}"),
    };
}

/// <summary>Configuration section <c>Ledger</c> of a service that records events.</summary>
public sealed record LedgerOptions
{
    /// <summary>Declared peer that is the ledger.</summary>
    public string Peer { get; init; } = "ledger";

    /// <summary>
    /// Label of the key in the service's token that signs its batches, which <c>provision</c> makes. Another label is another key: the ledger then
    /// declares the one before among its source's earlier keys.
    /// </summary>
    [System.ComponentModel.DataAnnotations.RegularExpression("^batch(-[a-z0-9]{1,24})?$")]
    public string BatchKey { get; init; } = "batch";

    /// <summary>Longest time the oldest event may wait before traced acts are refused.</summary>
    public TimeSpan BudgetAge { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Most events that may wait before traced acts are refused.</summary>
    [System.ComponentModel.DataAnnotations.Range(1, 10_000_000)]
    public long BudgetCount { get; init; } = 10_000;

    /// <summary>Longest wait of a confirmed act for its receipt.</summary>
    public TimeSpan ConfirmWithin { get; init; } = TimeSpan.FromSeconds(5);
}
