using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Trust.Kernel.Residency;

namespace Trust.Kernel.Hosting;

/// <summary>What one service adds to the common host.</summary>
public sealed record ServiceDefinition
{
    /// <summary>Service name: event source, peer name, problem namespace.</summary>
    public required string Name { get; init; }

    /// <summary>Any type of the service's assembly, which holds its migrations.</summary>
    public required Type Assembly { get; init; }

    /// <summary>Source-generated JSON contracts of the service's bodies.</summary>
    public IReadOnlyList<IJsonTypeInfoResolver> Json { get; init; } = [];

    /// <summary>Names of the service's own configuration sections.</summary>
    public IReadOnlyList<string> Sections { get; init; } = [];

    /// <summary>Registers the service's own parts.</summary>
    public required Action<WebApplicationBuilder> Configure { get; init; }

    /// <summary>The route table; it may depend on what is configured, for example on who the declared sources are.</summary>
    public Func<IConfiguration, RouteTable> Routes { get; init; } = _ => new RouteTable();

    /// <summary>Adds middleware before the routes, and pages.</summary>
    public Action<WebApplication>? Use { get; init; }

    /// <summary>Creates keys in the token at set-up; run by the <c>provision</c> verb, repeatable.</summary>
    public Func<IServiceProvider, CancellationToken, Task>? Provision { get; init; }

    /// <summary>Further verbs, for example <c>ceremony</c>; each gets the built application (not started) and the remaining arguments.</summary>
    public IReadOnlyDictionary<string, Func<WebApplication, string[], CancellationToken, Task<int>>> Verbs { get; init; } =
        new Dictionary<string, Func<WebApplication, string[], CancellationToken, Task<int>>>(StringComparer.Ordinal);

    /// <summary>The verb that puts a residency declaration into force, where the service has one: it must run although a declaration does not let the service's places be used.</summary>
    public string? DeclaringVerb { get; init; }

    /// <summary>Places that the service's own configuration names besides the common ones: mirrors, lock stores.</summary>
    public Func<IConfiguration, IEnumerable<UsedPlace>>? Places { get; init; }

    /// <summary>False for a service without tables: no migrations, and no endpoint takes an idempotency key.</summary>
    public bool HasDatabase { get; init; } = true;

    /// <summary>False for a service that never writes audit events of its own through the common outbox.</summary>
    public bool HasOutbox { get; init; } = true;

    /// <summary>
    /// True for the ledger itself, whose database is held against its lock store before it answers at all; nobody else's doors open before the ledger was asked.
    /// </summary>
    public bool IsLedger { get; init; }

    /// <summary>True for a service whose pages have forms: it keeps a key ring in its database, wrapped by its token.</summary>
    public bool HasForms { get; init; }
}
