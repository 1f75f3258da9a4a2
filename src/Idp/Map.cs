using Trust.Idp.Access;
using Trust.Idp.Authorize;
using Trust.Idp.Discovery;
using Trust.Idp.Login;
using Trust.Idp.Pages;
using Trust.Idp.Patients;
using Trust.Idp.Registration;
using Trust.Idp.Sessions;
using Trust.Idp.Token;
using Trust.Kernel.Hosting;
using Trust.Kernel.Keys;
using Route = Trust.Kernel.Hosting.Route;
using Trust.Kernel.Residency;

namespace Trust.Idp;

/// <summary>Every route of the provider.</summary>
internal static class Map
{
    /// <summary>The table.</summary>
    public static RouteTable Routes(IConfiguration configuration)
    {
        _ = configuration;
        return new RouteTable()
            .Get<ShowMetadata>("/.well-known/openid-configuration", Who.Anyone, Limit.Read, e => e.Handle, "OpenID Connect Discovery metadata.", Route.Uncompared)
            .Get<ShowMetadata>("/.well-known/oauth-authorization-server", Who.Anyone, Limit.Read, e => e.Handle, "RFC 8414 metadata, the same document.", Route.Uncompared)
            .Get<ShowKeys>("/jwks", Who.Anyone, Limit.Read, e => e.Handle, "Keys that tokens verify with.", Route.Uncompared)
            .Get<AnswerAuthorizationRequest>("/authorize", Who.Anyone, Limit.Login, e => e.Handle, "Authorization endpoint: a browser begins.", Browser)
            .Protocol<AnswerAuthorizationRequest>("/authorize", Who.Anyone, Limit.Login, e => e.HandlePost, "Authorization endpoint, by form.", Browser)
            .Protocol<PushRequest>("/par", Who.Anyone, Limit.Read, e => e.Handle, "Pushed authorization requests; the client proves itself.", r => OAuth(r) with { MaximumBody = PushRequest.MaximumBody })
            .Get<ShowCard>("/card", Who.Anyone, Limit.Login, e => e.Handle, "Card host: the card of the handshake is judged.", Browser)
            .Get<ReturnFromCard>("/login/card", Who.Anyone, Limit.Login, e => e.Handle, "Back from the card host: the session opens in the browser that began.", Browser)
            .Protocol<AnswerTokenRequest>("/token", Who.Anyone, Limit.Read, e => e.Handle, "Token endpoint; the client proves itself in the body.", OAuth)
            .Protocol<IntrospectToken>("/introspect", Who.Anyone, Limit.Read, e => e.Handle, "Whether a token counts now; the client proves itself in the body.", OAuth)
            .Protocol<RevokeToken>("/revoke", Who.Anyone, Limit.Read, e => e.Handle, "Ends a token of the client's own; the client proves itself in the body.", r => OAuth(Route.Uncompared(r)))
            .Get<ShowUserInfo>("/userinfo", Who.Anyone, Limit.Read, e => e.Handle, "The person an access token speaks for.", r => r with { Data = DataClass.Identity })
            .Protocol<ShowUserInfo>("/userinfo", Who.Anyone, Limit.Read, e => e.Handle, "The same, by POST.", OAuth)
            .Get<EndSession>("/end-session", Who.Anyone, Limit.Login, e => e.Handle, "RP-initiated logout.", Route.Uncompared)
            .Protocol<EndSession>("/end-session", Who.Anyone, Limit.Login, e => e.HandlePost, "RP-initiated logout, by form.", r => OAuth(Route.Uncompared(r)))
            .Post<RegisterPatient>("/patients", Who.Token("patient.register"), Limit.Client, e => e.Handle, "A patient's pseudonym, minted or found.")
            .Post<PatientConsents>("/consents", Who.Token("consent.record"), Limit.Client, e => e.Record, "What a patient acknowledged is recorded.")
            .Post<PatientConsents>("/consents/{id}/withdrawal", Who.Token("consent.record"), Limit.Client, e => e.Withdraw, "A consent is withdrawn.", Route.Uncompared)
            .Get<PatientConsents>("/consents", Who.Peers("sign"), Limit.None, e => e.Find, "Whether a consent stands.")
            .Put<PersonShredding>("/shreddings/{id:guid}", Who.Peers("ledger"), Limit.None, e => e.Handle, "Destroys what leads a patient's pseudonym back to the patient; answers where that stands.")
            .Protocol<RegisterClient>("/register", Who.Anyone, Limit.Login, e => e.Handle, "Dynamic registration; an initial access token is the caller.", Registering)
            .Get<RegisterClient>("/register/{clientId}", Who.Anyone, Limit.Login, e => e.Show, "A client's registration; its registration access token is the caller.", Registering)
            .Put<RegisterClient>("/register/{clientId}", Who.Anyone, Limit.Login, e => e.Replace, "A registration is replaced.", Registering)
            .Delete<RegisterClient>("/register/{clientId}", Who.Anyone, Limit.Login, e => e.Remove, "A registration ends.", Registering)
            .Page("/", Limit.Login, "Start page.", Route.Uncompared)
            .Page("/login", Limit.Login, "Asks for the card.", Browser)
            .Page("/consent", Limit.Login, "Institution to act for, and the notice.", Browser)
            .Page("/error", Limit.Login, "Why a login cannot go on.", Route.Uncompared)
            .Page("/sign-out", Limit.Login, "Asks before the session ends.", Route.Uncompared)
            .Get("/session", Who.Anyone, Limit.Read, ShowSessionFrame.Handle, "Session Management frame: says whether the session is still the one that a relying party knows.", Route.Uncompared)
            .Page("/signed-out", Limit.Login, "The session has ended.", Route.Uncompared)
            .Get("/assets/trust.css", Who.Anyone, Limit.Read, Asset.Of("trust.css", "text/css"), "Style sheet of the pages.", Route.Uncompared)
            .Get("/favicon.ico", Who.Anyone, Limit.Read, Asset.Of("mark.svg", "image/svg+xml"), "Mark of the pages, where browsers look for it by themselves.", Route.Uncompared)
            .Get("/assets/session.js", Who.Anyone, Limit.Read, Asset.Of("session.js", "text/javascript"), "Script of the session frame.", Route.Uncompared)
            .Get("/assets/mark.svg", Who.Anyone, Limit.Read, Asset.Of("mark.svg", "image/svg+xml"), "Mark of the pages.", Route.Uncompared)
            .Get("/assets/submit.js", Who.Anyone, Limit.Read, Asset.Of("submit.js", "text/javascript"), "Sends an answer's form off.", Route.Uncompared);
    }

    // A person looks at these: what the host refuses is told on a page.
    private static Route Browser(Route route) => route with { ProtocolBody = RefusalPage.Render, Data = DataClass.Identity };

    private static Route Registering(Route route) => OAuth(route) with { MaximumBody = RegistrationRequest.LargestBody };

    private static Route OAuth(Route route) => route with { ProtocolBody = OAuthError.Render, Data = DataClass.Identity };
}
