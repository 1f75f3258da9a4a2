using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Trust.Kernel.Audit;

/// <summary>Registers the outbox.</summary>
public static class AuditServices
{
    /// <summary>Adds <see cref="Outbox"/> and its relay. Needs NpgsqlDataSource, TimeProvider, IToken and the outbound factory.</summary>
    public static IServiceCollection AddAudit(this IServiceCollection services, AuditOptions options)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(options);
        services.AddSingleton<OutboxState>();
        services.AddSingleton<ReceiptBoard>();
        services.AddSingleton<Outbox>();
        return services;
    }
}
