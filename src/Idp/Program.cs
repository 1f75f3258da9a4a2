using System.Reflection;
using System.Text.Json.Serialization;
using Trust.Idp.Access;
using Trust.Idp.Authorize;
using Trust.Idp.Clients;
using Trust.Idp.Discovery;
using Trust.Idp.Keys;
using Trust.Idp.Login;
using Trust.Idp.Pages;
using Trust.Idp.Patients;
using Trust.Idp.Sessions;
using Trust.Idp.Token;
using Trust.Kernel.Hosting;
using Trust.Kernel.LiveStatus;
using Trust.Pkcs11;

namespace Trust.Idp;

/// <summary>The OpenID provider.</summary>
public static class Program
{
    /// <summary>What the provider adds to the common host.</summary>
    public static ServiceDefinition Service { get; } = new()
    {
        Name = "idp",
        Assembly = typeof(Program),
        Json = [IdpJson.Default],
        HasForms = true,
        Configure = Configure,
        Map = Map,
        Provision = Provision,
        Verbs = new Dictionary<string, Func<WebApplication, string[], CancellationToken, Task<int>>>(StringComparer.Ordinal) { ["import-clients"] = ImportClients.Run },
    };

    /// <summary>Runs a verb.</summary>
    public static Task<int> Main(string[] args) => ServiceHost.Run(args, Service);

    private static void Configure(WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton(builder.Configuration.Section<IdpOptions>("Idp"));
        services.AddSingleton<SigningKeys>().AddHostedService<KeyRotation>();
        services.AddSingleton<ClientStore>().AddSingleton<ClientAuthentication>();
        services.AddSingleton<AuthorizationRequests>().AddSingleton<SessionStore>().AddSingleton<CardHolders>().AddSingleton<CardLogin>().AddSingleton<Acknowledgements>();
        services.AddSingleton<TokenIssuer>().AddSingleton<RedeemCode>().AddSingleton<ClientCredentials>().AddSingleton<LiveToken>();
        services.AddSingleton<RegisterPatient>().AddSingleton<Consents>();
        services.AddSingleton<EndOnSuspension>().AddSingleton<StatusChanged>(p => p.GetRequiredService<EndOnSuspension>().Apply);
        services.AddLiveStatus();
        services.AddHostedService<ExpirySweep>();
        FormProtection.Add(services);
    }

    private static void Map(WebApplication app)
    {
        app.Use((context, next) => PageSecurity.Apply(context, c => next(c)));
        OnlyCardsOnTheCardHost(app);
        DiscoveryEndpoints.Map(app);
        AuthorizeEndpoint.Map(app);
        LoginFlow.Map(app);
        TokenEndpoint.Map(app);
        IntrospectionEndpoint.Map(app);
        UserInfoEndpoint.Map(app);
        EndSessionEndpoint.Map(app);
        RegisterPatient.Map(app);
        Consents.Map(app);
        Asset(app, "trust.css", "text/css");
        Asset(app, "mark.svg", "image/svg+xml");
        app.MapRazorPages().AllowAnonymous();
    }

    // The card host asks every browser for a certificate; nothing else may live there, or a card would be asked for it too.
    private static void OnlyCardsOnTheCardHost(WebApplication app)
    {
        var card = app.Configuration.Section<ListenerOptions>("Listen:Card").Url.Port;
        app.Use((context, next) =>
        {
            if (context.Connection.LocalPort == card && context.Request.Path != "/card" && !context.Request.Path.StartsWithSegments("/health", StringComparison.Ordinal))
            {
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return Task.CompletedTask;
            }

            return next(context);
        });
    }

    private static void Asset(WebApplication app, string name, string type)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("Trust.Idp.Assets." + name)
            ?? throw new InvalidOperationException($"The asset {name} is not embedded.");
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        var bytes = memory.ToArray();
        app.MapGet("/assets/" + name, (HttpContext context) =>
        {
            context.Response.Headers.CacheControl = "public, max-age=3600";
            return Results.Bytes(bytes, type);
        }).AllowAnonymous();
    }

    private static async Task Provision(IServiceProvider services, CancellationToken ct)
    {
        var token = services.GetRequiredService<IToken>();
        foreach (var (key, algorithm) in new[] { (RegisterPatient.LookupKey, KeyAlgorithm.HmacSha256), (RegisterPatient.SealKey, KeyAlgorithm.Aes256) })
        {
            _ = await token.FindOrGenerate(key, algorithm, ct);
        }
    }
}

/// <summary>JSON contracts of the provider.</summary>
[JsonSerializable(typeof(CardHolder))]
[JsonSerializable(typeof(OAuthErrorBody))]
[JsonSerializable(typeof(TokenBody))]
[JsonSerializable(typeof(PatientRequest))]
[JsonSerializable(typeof(PatientAnswer))]
[JsonSerializable(typeof(ConsentRequest))]
[JsonSerializable(typeof(ConsentAnswer))]
internal sealed partial class IdpJson : JsonSerializerContext;
