using Trust.Idp.Access;
using Trust.Idp.Admin;
using Trust.Idp.Authorize;
using Trust.Idp.Clients;
using Trust.Idp.Decoupled;
using Trust.Idp.Keys;
using Trust.Idp.Login;
using Trust.Idp.Pages;
using Trust.Idp.Patients;
using Trust.Idp.Registration;
using Trust.Idp.Retention;
using Trust.Idp.Sessions;
using Trust.Idp.Token;
using Trust.Kernel.Hosting;
using Trust.Kernel.Keys;
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
        Sections = ["Idp"],
        Json = [IdpJson.Default],
        HasForms = true,
        Configure = Configure,
        Routes = Map.Routes,
        Use = Use,
        Provision = Provision,
        Verbs = new Dictionary<string, Func<WebApplication, string[], CancellationToken, Task<int>>>(StringComparer.Ordinal) { ["import-clients"] = ImportClients.Run, ["issue-registration-token"] = IssueRegistrationToken.Run },
    };

    /// <summary>Runs a verb.</summary>
    public static Task<int> Main(string[] args) => ServiceHost.Run(args, Service);

    private static void Configure(WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton(builder.Configuration.Section<IdpOptions>("Idp"));
        services.AddKeyRegister(RegisterPatient.LookupKey, RegisterPatient.SealKey, Subjects.Key);
        services.AddPersonKeys(PatientShredding.Rules).AddSingleton<SealStoredIdentities>();
        services.AddLoop<SealStoredIdentities>("seal-stored", SealStoredIdentities.Pause, (old, ct) => old.Round(ct), (work, _) => work with { Patience = TimeSpan.FromHours(1) });
        services.AddSingleton<SigningKeys>().AddHostedService<FirstKeys>();
        services.AddLoop<SigningKeys>("key-rotation", TimeSpan.FromMinutes(1), (keys, ct) => keys.Refresh(ct), (work, _) => work with { Patience = TimeSpan.FromMinutes(10) });
        services.AddSingleton<RegisteredAddresses>().AddSingleton<RegistrationStore>().AddSingleton<ClientStore>().AddSingleton<ClientKeys>().AddSingleton<ClientAssertions>().AddSingleton<ClientCertificates>().AddSingleton<ClientAuthentication>();
        services.AddSingleton<AuthorizationRequests>().AddSingleton<IdTokenHint>().AddSingleton<SessionStore>().AddSingleton<CardHolders>().AddSingleton<CardThrottle>().AddSingleton<CardLogin>().AddSingleton<Acknowledgements>();
        services.AddSingleton<TokenIssuer>().AddSingleton<Senders>().AddSingleton<IssueTokens>().AddSingleton<RefreshFamilies>();
        services.AddSingleton<RedeemCode>().AddSingleton<RefreshGrant>().AddSingleton<TokenExchange>().AddSingleton<ClientCredentials>().AddSingleton<LiveToken>();
        services.AddSingleton<OfficerCards>().AddSingleton<ClientChanges>();
        services.AddSingleton<IssueCode>();
        services.AddSingleton<DecoupledRequests>().AddSingleton<DecoupledGrant>().AddSingleton<DeviceTries>();
        services.AddSingleton<CibaPings>().AddLoop<CibaPings>("ciba-pings", CibaPings.Pause, (pings, ct) => pings.Round(ct), (work, _) => work with { Patience = TimeSpan.FromMinutes(10) });
        services.AddSingleton<Subjects>().AddSingleton<LogoutTicket>().AddSingleton<FrontChannel>().AddSingleton<HintedPerson>();
        services.AddSingleton<LogoutNotices>().AddLoop<LogoutNotices>("logout-notices", LogoutNotices.Pause, (notices, ct) => notices.Round(ct));
        services.AddSingleton<RequestObjects>().AddSingleton<PushedRequests>().AddSingleton<AuthorizationParameters>().AddSingleton<AuthorizationAnswer>();
        services.AddSingleton<EndOnSuspension>().AddSingleton<StatusChanged>(p => p.GetRequiredService<EndOnSuspension>().Apply);
        services.AddLiveStatus();
        foreach (var file in CardLogin.RequiredFiles)
        {
            services.AddSingleton(file);
        }

        services.AddSingleton<ExpirySweep>().AddLoop<ExpirySweep>("expiry-sweep", ExpirySweep.Pause, (sweep, ct) => sweep.Round(ct), (work, _) => work with { Patience = TimeSpan.FromHours(1) });
        services.AddSingleton<DiscardExpired>().AddLoop<DiscardExpired>("retention", DiscardExpired.Pause, (expired, ct) => expired.Round(ct), (work, _) => work with { Patience = TimeSpan.FromDays(1) });
        FormProtection.Add(services);
    }

    private static void Use(WebApplication app)
    {
        app.Use((context, next) => PageSecurity.Apply(context, c => next(c)));
        OnlyCardsOnTheCardHost(app);
        app.Services.GetRequiredService<RouteTable>().Cover(app.MapRazorPages());
    }

    // The card host asks every browser for a certificate; nothing else may live there, or a card would be asked for it too. The same holds for the
    // host at which clients show theirs.
    private static void OnlyCardsOnTheCardHost(WebApplication app)
    {
        app.Use((context, next) =>
        {
            if (context.ListenerName is "Card" or ClientCertificates.Listener or OfficerCards.Listener && !LivesThere(context))
            {
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return Task.CompletedTask;
            }

            return next(context);
        });
    }

    private static bool LivesThere(HttpContext context) =>
        context.Request.Path.StartsWithSegments("/health", StringComparison.Ordinal)
        || (context.ListenerName is "Card" ? context.Request.Path == "/card"
            : context.ListenerName is OfficerCards.Listener ? context.Request.Path.StartsWithSegments("/admin", StringComparison.Ordinal)
            : context.Request.Path.Value is "/token" or "/revoke" or "/introspect" or "/userinfo" or "/par" or "/device_authorization" or "/bc-authorize");

    private static async Task Provision(IServiceProvider services, CancellationToken ct)
    {
        var token = services.GetRequiredService<IToken>();
        foreach (var (key, algorithm) in new[] { (RegisterPatient.LookupKey, KeyAlgorithm.HmacSha256), (RegisterPatient.SealKey, KeyAlgorithm.Aes256), (Subjects.Key, KeyAlgorithm.HmacSha256) })
        {
            _ = await token.FindOrGenerate(key, algorithm, ct);
        }

        await services.GetRequiredService<PersonKeys>().Provision(ct);
    }
}
