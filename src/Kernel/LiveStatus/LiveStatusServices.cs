using Microsoft.Extensions.DependencyInjection;
using Trust.Kernel.Hosting;

namespace Trust.Kernel.LiveStatus;

/// <summary>Registers the registry's live answers.</summary>
public static class LiveStatusServices
{
    /// <summary>Adds <see cref="EntitlementClient"/> and the feed it rests on; listeners are registered as <see cref="StatusChanged"/>.</summary>
    public static IServiceCollection AddLiveStatus(this IServiceCollection services) => services
        .AddSingleton<StatusFeed>()
        .AddLoop<StatusFeed>("status-feed-follower", StatusFeed.Pause, (feed, ct) => feed.Follow(ct), (work, _) => work with { LongestPause = StatusFeed.Pause })
        .AddSingleton<EntitlementClient>()
        .AddSingleton(new RequiredFile(EntitlementClient.KeyFile))
        .AddSingleton<IReadinessCheck>(p => p.GetRequiredService<StatusFeed>().Readiness);
}
