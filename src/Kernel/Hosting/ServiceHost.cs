using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Constraints;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting.Senders;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.Pkcs11;

namespace Trust.Kernel.Hosting;

/// <summary>Composes a service: one configuration file, listeners, identity, database, token, health, refusals.</summary>
public static class ServiceHost
{
    /// <summary>Largest body any endpoint reads unless it says otherwise, in bytes.</summary>
    public const long MaximumBody = 256 * 1024;

    /// <summary>Exit code for a command line or configuration that is wrong: a supervisor that restarts the process changes nothing.</summary>
    public const int Misconfigured = 78;

    /// <summary>
    /// Runs one verb: <c>run</c> (default), <c>migrate</c>, <c>provision</c> or one of the service's own; <c>--check-config</c>, <c>--version</c> and
    /// <c>--help</c> instead of one.
    /// </summary>
    /// <returns>0; 1 when it failed; 2 for an unknown verb; <see cref="Misconfigured"/> with one sentence that says what is wrong.</returns>
    public static async Task<int> Run(string[] args, ServiceDefinition service)
    {
        ArgumentNullException.ThrowIfNull(args);
        ArgumentNullException.ThrowIfNull(service);
        if (args.Contains("--help", StringComparer.Ordinal) || args.Contains("--version", StringComparer.Ordinal))
        {
            Console.WriteLine(args.Contains("--help", StringComparer.Ordinal) ? Usage(service) : $"{service.Name} {Version(service)}");
            return 0;
        }

        try
        {
            if (VerbOf(args) == "places")
            {
                // Of the file alone: neither token nor database need be there.
                Console.WriteLine(ResidencyGate.DraftOf(Configured(args, service).Configuration, service, TimeProvider.System.GetUtcNow()));
                return 0;
            }

            await using var app = Build(args, service);
            return args.Contains("--check-config", StringComparer.Ordinal) ? Checked(service) : await Run(app, args, service);
        }
        catch (Exception e) when (Explain(e) is { } sentence)
        {
            await Console.Error.WriteLineAsync($"{service.Name}: {sentence}");
            return e is ValidationException ? Misconfigured : 1;
        }
    }

    private static int Checked(ServiceDefinition service)
    {
        Console.WriteLine($"{service.Name}: the configuration holds what the service needs.");
        return 0;
    }

    private static async Task<int> Run(WebApplication app, string[] args, ServiceDefinition service)
    {
        var verb = VerbOf(args);
        var stopping = app.Lifetime.ApplicationStopping;
        switch (verb)
        {
            case "run":
                var log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Trust." + service.Name);
                app.Lifetime.ApplicationStarted.Register(() => HostLog.Started(log, service.Name, Version(service), string.Join(", ", app.Urls)));
                return await RunToEnd(app);
            case "migrate" when service.HasDatabase:
                await Migrate(app, service, stopping);
                return 0;
            case "provision":
                await Provision(app, service, stopping);
                return 0;
            default:
                if (!service.Verbs.TryGetValue(verb, out var own))
                {
                    await Console.Error.WriteLineAsync($"Unknown verb '{verb}'. Known: {KnownVerbs(service)}.");
                    return 2;
                }

                return await own(app, args, stopping);
        }
    }

    // What an operator can mend is told in a sentence; anything else is a fault of the program, whose stack is wanted.
    private static string? Explain(Exception e) => e switch
    {
        ValidationException => e.Message,
        TokenException => "the token cannot be used: " + e.Message,
        MigrationException => e.Message,
        NpgsqlException => "the database does not answer as it should: " + e.Message,
        IOException { InnerException: Microsoft.AspNetCore.Connections.AddressInUseException } => "an address of Listen is taken: " + e.Message,
        IOException or UnauthorizedAccessException or System.Net.Sockets.SocketException => e.Message,
        _ => null,
    };

    private static string Usage(ServiceDefinition service) => $"""
        {service.Name} [{KnownVerbs(service).Replace(", ", "|", StringComparison.Ordinal)}] --config FILE
          run is meant when no verb is named; places prints a draft of the residency declaration that the configuration needs. Instead of a verb: --check-config (reads the configuration and ends), --version, --help.
          Ends with 0; 1 when it failed; 2 for an unknown verb; {Misconfigured} when command line or configuration are wrong.
        """;

    private static string KnownVerbs(ServiceDefinition service) =>
        string.Join(", ", ((string[])["run", .. service.HasDatabase ? (string[])["migrate"] : [], "provision", "places"]).Concat(service.Verbs.Keys));

    private static string Version(ServiceDefinition service) =>
        service.Assembly.Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    // A part that must not go on stops the host and says with which code the process ends; it may do so before the host listens.
    private static async Task<int> RunToEnd(WebApplication app)
    {
        // Asked for before the run, whose end disposes of the services.
        var end = app.Services.GetRequiredService<ProcessEnd>();
        var parts = app.Services.GetServices<IHostedService>().OfType<BackgroundService>().ToList();
        try
        {
            await app.RunAsync();
        }
        catch (OperationCanceledException) when (app.Lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // Stopped before it listened.
        }

        // A part whose exception escaped has stopped the host; whoever supervises the process must not take that for a wish.
        var escaped = parts.Exists(s => s.ExecuteTask is { IsFaulted: true });
        return end.Code is not 0 and var decided ? decided : escaped ? 1 : Environment.ExitCode;
    }

    /// <summary>Builds the application without starting it.</summary>
    /// <param name="args">Must hold <c>--config FILE</c>.</param>
    /// <param name="service">The service.</param>
    public static WebApplication Build(string[] args, ServiceDefinition service)
    {
        var builder = Configured(args, service);
        AddCommon(builder, service, Gate(args, builder.Configuration, service));
        service.Configure(builder);
        var routes = Routes(builder, service);
        KeyRing.NotAtStart(builder.Services);
        var app = builder.Build();
        Pipeline(app, service);
        service.Use?.Invoke(app);
        // The table makes the endpoints, and those take what they need at once: keys and files that another verb may still have to make.
        if (VerbOf(args) == "run")
        {
            routes.Map(app);
        }

        return app;
    }

    private static WebApplicationBuilder Configured(string[] args, ServiceDefinition service)
    {
        var file = Argument(args, "--config") ?? throw new ValidationException("Name the configuration file: --config FILE.");
        // Its own folder is the content root and nothing in it is watched: by default every change of a file below the working directory would wake the service.
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            ApplicationName = service.Assembly.Assembly.GetName().Name, ContentRootPath = AppContext.BaseDirectory, Args = ["--hostBuilder:reloadConfigOnChange=false"],
        });
        builder.Logging.ClearProviders().AddConsole(o => o.FormatterName = ClosedLog.FormatName).AddConsoleFormatter<ClosedLog, ConsoleFormatterOptions>();
        ConfigurationFile.Add(builder, file, service);
        return builder;
    }

    private static string VerbOf(string[] args) => args is [var first, ..] && !first.StartsWith("--", StringComparison.Ordinal) ? first : "run";

    private static RouteTable Routes(WebApplicationBuilder builder, ServiceDefinition service)
    {
        var routes = new RouteTable().With(service.Routes(builder.Configuration));
        Health.Map(routes);
        ApiDocument.Map(routes);
        if (builder.Services.Any(s => s.ServiceType == typeof(Outbox)))
        {
            GetSentEvent.Map(routes);
        }

        routes.Register(builder.Services);
        builder.Services.AddSingleton(routes);
        return routes;
    }

    /// <summary>Whether a section stands in the file, be it empty: all its members may have defaults.</summary>
    public static bool Has(this IConfiguration configuration, string section) =>
        configuration.GetSection(section).Exists()
        || configuration[ConfigurationFile.Empty + section] is not null;

    /// <summary>Reads, validates and returns one configuration section.</summary>
    /// <exception cref="ValidationException">A member is missing or malformed; the message names it.</exception>
    public static T Section<T>(this IConfiguration configuration, string name) where T : class
    {
        T options;
        try
        {
            options = configuration.GetSection(name).Get<T>(o => o.ErrorOnUnknownConfiguration = true)
                // Empty is not missing: every member may have a default.
                ?? (configuration.Has(name) ? Activator.CreateInstance<T>() : throw new ValidationException($"Configuration section {name} is missing."));
        }
        // The binder names the member that is unknown, or cannot be read.
        catch (InvalidOperationException e)
        {
            throw new ValidationException($"Configuration section {name}: {e.Message} {e.InnerException?.Message}", e);
        }

        var failures = new List<ValidationResult>();
        return Validator.TryValidateObject(options, new ValidationContext(options), failures, validateAllProperties: true)
            ? options
            : throw new ValidationException($"Configuration section {name}: {string.Join("; ", failures.Select(f => f.ErrorMessage))}");
    }

    /// <summary>The value after a named argument, or null.</summary>
    public static string? Argument(string[] args, string name)
    {
        var at = Array.IndexOf(args, name);
        return at >= 0 && at + 1 < args.Length ? args[at + 1] : null;
    }

    // A check reads the configuration alone, and what mends a declaration must not be closed by it.
    private static ResidencyGate Gate(string[] args, IConfiguration configuration, ServiceDefinition service)
    {
        var checks = args.Contains("--check-config", StringComparer.Ordinal);
        return VerbOf(args) is "run" && !checks
            ? ResidencyGate.Open(configuration, service, TimeProvider.System)
            : ResidencyGate.ForSetUp(configuration, service, TimeProvider.System, byClaims: checks || VerbOf(args) == service.DeclaringVerb);
    }

    private static void AddCommon(WebApplicationBuilder builder, ServiceDefinition service, ResidencyGate gate)
    {
        var configuration = builder.Configuration;
        var options = configuration.Section<ServiceOptions>("Service");
        var services = builder.Services;
        services.AddSingleton(options).AddSingleton(service).AddSingleton(TimeProvider.System).AddSingleton<SenderConstraints>();
        var peers = configuration.Has("Peers") ? configuration.Section<List<PeerOptions>>("Peers") : [];
        var identity = new ServiceIdentity(service.Name, options, TimeProvider.System, peers);
        var clocks = new PeerClocks(TimeProvider.System);
        var outbound = new Outbound(peers, identity, gate, new NameResolver(options.Resolvers, gate), clocks);
        services.AddResidency(gate, outbound);
        services.AddSingleton(identity).AddSingleton(outbound).AddSingleton(clocks).AddSingleton<IReadinessCheck>(clocks);
        services.AddSingleton<RequiredFiles>().AddSingleton<IReadinessCheck>(p => p.GetRequiredService<RequiredFiles>()).AddSingleton(new RequiredFile("service-issuing.pem"));
        foreach (var issuer in peers.Select(p => p.IssuerFile).OfType<string>())
        {
            services.AddSingleton(new RequiredFile(issuer));
        }

        if (service.HasDatabase)
        {
            AddDatabase(services, configuration);
        }

        AddToken(services, configuration);
        if (configuration.Has("Tokens"))
        {
            TokenValidation.Add(services, configuration.Section<AccessTokenOptions>("Tokens"));
        }

        if (service.HasForms)
        {
            KeyRing.Add(services, service.Name);
        }

        if (service.HasOutbox && configuration.Has("Ledger"))
        {
            services.AddAudit(configuration.Section<LedgerOptions>("Ledger"), service.Name, options);
        }

        services.AddSingleton(configuration.Has("RateLimits") ? configuration.Section<RateLimitOptions>("RateLimits") : new RateLimitOptions());
        services.AddSingleton<RateLimits>();
        services.AddSingleton(p => new ProcessEnd(p.GetRequiredService<IHostApplicationLifetime>().StopApplication));
        services.AddSingleton<IdentityRenewal>().AddLoop<IdentityRenewal>("identity-renewal", IdentityRenewal.Pause, (renewal, ct) => renewal.Round(ct), (work, _) => work with { Patience = TimeSpan.FromHours(12) });
        services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(10));
        // A body that cannot be bound reaches the fault handler, which names the rule; the default is an empty 400.
        services.Configure<RouteHandlerOptions>(o => o.ThrowOnBadRequest = true);
        services.Configure<RouteOptions>(o => o.SetParameterPolicy<RegexInlineRouteConstraint>("regex"));
        services.ConfigureHttpJsonOptions(o => Strict(o.SerializerOptions, service));
        services.AddSingleton<ReadinessAnswers>();
        ApiDocument.Add(services, service.Name);
        Telemetry.Add(services, service.Name, options, outbound);
        Listeners.Add(builder, options, identity);
    }

    private static void AddDatabase(IServiceCollection services, ConfigurationManager configuration)
    {
        var database = configuration.Section<DatabaseOptions>("Database");
        services.AddSingleton(database).AddSingleton(_ => Outbound.Database(database)).AddSingleton<GroupCommit>();
        services.AddSingleton<ProcessMark>().AddLoop<ProcessMark>("process-mark", ProcessMark.Pause, (mark, ct) => mark.Hold(ct)).AddSingleton<IdempotencyStore>();
        services.AddLoop<IdempotencyStore>("idempotency-leases", IdempotencyStore.Pause, (store, _) => store.Renew());
        services.AddSingleton<DpopReplays>()
            .AddLoop<DpopReplays>("dpop-sweep", DpopReplays.Pause, (replays, ct) => replays.Sweep(ct), (work, _) => work with { Patience = TimeSpan.FromHours(1) });
        services.AddLoop<IdempotencyStore>("idempotency-sweep", TimeSpan.FromMinutes(10), (store, ct) => store.DeleteExpired(ct), (work, _) => work with { Patience = TimeSpan.FromDays(1) });
        services.AddSingleton<IReadinessCheck>(p => new ReadinessCheck("database", async ct =>
        {
            if (p.GetRequiredService<ResidencyGate>().IsClosedBy(PlaceKind.Database))
            {
                return new Readiness(false, "not asked, because residency does not let it be used");
            }

            await p.GetRequiredService<NpgsqlDataSource>().Sql("SELECT 1").Scalar<int>(ct);
            return new Readiness(true, "answers");
        }));
    }

    private static void AddToken(IServiceCollection services, ConfigurationManager configuration)
    {
        var token = configuration.GetSection("Token");
        if (token.Exists())
        {
            var place = UsedPlace.Token(token["TokenLabel"] ?? "", UsedPlace.RegionOfToken(configuration));
            var options = token.Get<TokenOptions>() ?? throw new ValidationException("Configuration section Token is malformed.");
            services.AddSingleton(options).AddSingleton<IToken>(p => new GatedToken(
                OpenToken(options, p.GetRequiredService<TimeProvider>(), p.GetRequiredService<ILoggerFactory>().CreateLogger<IToken>()), place, p.GetRequiredService<ResidencyGate>()));
            services.AddSingleton<IReadinessCheck>(p => new ReadinessCheck("token", async ct =>
            {
                var health = await p.GetRequiredService<IToken>().Probe(ct);
                return new Readiness(health.Ready, health.Detail);
            }));
        }
    }

    private static Pkcs11Token OpenToken(TokenOptions options, TimeProvider clock, ILogger log)
    {
        var token = Pkcs11Token.Open(options, clock, CancellationToken.None).AsTask().GetAwaiter().GetResult();
        if (token.Description is { } d)
        {
            HostLog.TokenOpened(log, d.Label, d.Manufacturer, d.Model, d.SerialNumber, d.Firmware, token.Keys.Count, string.Join(' ', d.Mechanisms.Select(m => "0x" + m.ToString("x", System.Globalization.CultureInfo.InvariantCulture))));
        }

        return token;
    }

    // RFC 8259 leaves duplicates open; two parsers reading two values is how checks are bypassed, so they are refused.
    private static void Strict(JsonSerializerOptions json, ServiceDefinition service)
    {
        json.AllowDuplicateProperties = false;
        json.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
        json.RespectNullableAnnotations = true;
        json.RespectRequiredConstructorParameters = true;
        json.PropertyNameCaseInsensitive = false;
        json.MaxDepth = 32;
        for (var i = 0; i < service.Json.Count; i++)
        {
            json.TypeInfoResolverChain.Insert(i, service.Json[i]);
        }
    }

    private static void Pipeline(WebApplication app, ServiceDefinition service)
    {
        var services = app.Services;
        TokenValidation.Check(services);
        var log = services.GetRequiredService<ILoggerFactory>().CreateLogger("Trust." + service.Name);
        services.GetRequiredService<ResidencyGate>().Log = log;
        services.GetRequiredService<PeerClocks>().Told = (peer, skew) => HostLog.ClockOf(log, peer, skew);
        app.UseExceptionHandler(errors => errors.Run(context => Faults.Answer(context, log)));
        Telemetry.Use(app, services.GetRequiredService<ServiceOptions>());
        app.UseStatusCodePages(context => Faults.Explain(context.HttpContext));
        app.UseRouting();
        app.Use(MediaTypes.Normalise);
        var doors = new Doors(
            services.GetRequiredService<ServiceIdentity>(), services.GetService<AccessTokenOptions>() is not null, services.GetRequiredService<RateLimits>(),
            services.GetService<RefusalCounter>() is { } counter ? counter.Count : null,
            service.IsLedger ? null : services.GetService<OutboxState>(), services.GetRequiredService<ResidencyGate>(), service.Name);
        app.Use((context, next) => EndpointAccess.Enforce(context, c => next(c), doors));
        if (service.HasDatabase)
        {
            var keys = services.GetRequiredService<IdempotencyStore>();
            app.Use((context, next) => Idempotency.Enforce(context, c => next(c), keys));
        }
    }

    private static async Task Migrate(WebApplication app, ServiceDefinition service, CancellationToken ct)
    {
        var database = app.Services.GetRequiredService<DatabaseOptions>();
        await using var owner = Outbound.Database(database, asOwner: true);
        var runtime = new NpgsqlConnectionStringBuilder(database.ConnectionString).Username
            ?? throw new ValidationException("The connection string names no runtime role.");
        await Migrator.Apply(owner, runtime, database.Region, [typeof(ServiceHost).Assembly, service.Assembly.Assembly], app.Services.GetRequiredService<ResidencyGate>().Storable(), ct);
    }

    private static async Task Provision(WebApplication app, ServiceDefinition service, CancellationToken ct)
    {
        if (service.HasDatabase)
        {
            await Migrate(app, service, ct);
        }

        var options = app.Services.GetRequiredService<ServiceOptions>();
        var hosts = app.Configuration.GetSection("Listen").GetChildren().Select(s => app.Configuration.Section<ListenerOptions>(s.Path).Url.Host);
        app.Services.GetRequiredService<ServiceIdentity>().Provision(hosts);
        if (app.Services.GetService<IToken>() is { } token && service.HasOutbox)
        {
            var key = new KeyRef(app.Configuration.Section<LedgerOptions>("Ledger").BatchKey);
            var batch = await token.FindOrGenerate(key, KeyAlgorithm.EcdsaP256, ct);
            await File.WriteAllBytesAsync(Path.Combine(options.PublicDirectory, $"{service.Name}-{key.Label}.spki"), batch.SubjectPublicKeyInfo.ToArray(), ct);
        }

        if (service.HasForms && app.Services.GetService<IToken>() is { } ring)
        {
            _ = await ring.FindOrGenerate(KeyRing.Key, KeyAlgorithm.Aes256, ct);
        }

        if (service.Provision is { } own)
        {
            await own(app.Services, ct);
        }
    }
}
