using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Trust.Kernel.Hosting;

namespace Trust.CA.Tests;

/// <summary>A loop that does nothing, where a stand-in does the loop's work.</summary>
internal static class Idle
{
    /// <summary>The relay does nothing; the stand-in for the ledger answers events.</summary>
    public static void InsteadOfTheRelay(IServiceCollection services) => services.AddKeyedSingleton("relay", (p, _) => new Loop(
        new LoopWork("relay", TimeSpan.FromHours(1), _ => Task.CompletedTask), p.GetRequiredService<TimeProvider>(), p.GetRequiredService<ProcessEnd>(), NullLogger<Loop>.Instance));
}
