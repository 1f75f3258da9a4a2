using Microsoft.Extensions.DependencyInjection;
using Trust.Kernel.Hosting;

namespace Trust.Kernel.Residency;

/// <summary>Registers the gate and its watch.</summary>
internal static class ResidencyServices
{
    // The service that keeps declarations, and where it gives out the newest.
    private const string Keeper = "ca";
    private const string Path = "residency/declaration";

    /// <summary>Adds the gate, its readiness, and the loop that looks for what is new; from ca where that is a peer.</summary>
    public static void AddResidency(this IServiceCollection services, ResidencyGate gate, Outbound outbound)
    {
        services.AddSingleton(gate).AddSingleton<IReadinessCheck>(gate).AddSingleton<ResidencyWatch>();
        // What cannot be read or judged here is a fault of ours and told soon.
        services.AddLoop<ResidencyWatch>("residency-watch", ResidencyGate.Pause, (watch, ct) => watch.Round(ct), (work, _) => work with { WhileClosed = true });
        // ca away is told by those who need it; the declaration in force goes on until its places end.
        services.AddLoop<ResidencyWatch>("residency-asking", ResidencyGate.Pause, (watch, ct) => watch.Ask(ct), (work, _) => work with { Patience = TimeSpan.FromHours(12), WhileClosed = true });
        if (outbound.Knows(Keeper))
        {
            services.AddSingleton<DeclarationSource>(async ct =>
            {
                using var answer = await outbound.Client(Keeper).GetAsync(Path, ct);
                return answer.IsSuccessStatusCode ? await answer.Content.ReadAsByteArrayAsync(ct) : null;
            });
        }
    }
}
