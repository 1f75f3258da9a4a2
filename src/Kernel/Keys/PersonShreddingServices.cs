using Microsoft.Extensions.DependencyInjection;
using Trust.Kernel.Hosting;

namespace Trust.Kernel.Keys;

/// <summary>Registers the shredding of persons.</summary>
public static class PersonShreddingServices
{
    private static readonly TimeSpan HalfHour = TimeSpan.FromMinutes(30);

    /// <summary>Adds keys of persons and what shreds them.</summary>
    public static IServiceCollection AddPersonKeys(this IServiceCollection services, ShreddingRules rules)
    {
        services.AddSingleton(rules).AddSingleton<PersonKeys>().AddSingleton<ShreddingPoints>().AddSingleton<PersonShredding>();
        return services.AddLoop<PersonShredding>(
            "person-shredding", TimeSpan.Zero, (shredding, ct) => shredding.Round(ct), (work, _) => work with { LongestPause = PersonShredding.LongestWait, Patience = HalfHour });
    }
}
