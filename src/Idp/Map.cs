using Trust.Idp.Access;
using Trust.Idp.Admin;
using Trust.Idp.Authorize;
using Trust.Idp.Decoupled;
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
    private static readonly Who Officer = Who.Card("registration officer", OfficerCards.Admit);

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
            .Get<ShowClients>("/admin/clients", Officer, Limit.Card, e => e.List, "Registered clients.")
            .Get<ShowClients>("/admin/clients/{id}", Officer, Limit.Card, e => e.Show, "One client, whole.")
            .Post<DisableClient>("/admin/clients/{id}/disable", Officer, Limit.Card, e => e.Handle, "Takes a client's rights, at once and by one officer.", Route.Uncompared)
            .Post<ProposeClientChange>("/admin/client-changes", Officer, Limit.Card, e => e.Handle, "Proposes a client; two officers' cards sign it.")
            .Get<ShowClientChanges>("/admin/client-changes", Officer, Limit.Card, e => e.List, "Proposed clients.")
            .Get<ShowClientChanges>("/admin/client-changes/{id:guid}", Officer, Limit.Card, e => e.Show, "One of them, with the bytes that cards sign.")
            .Post<ApproveClientChange>("/admin/client-changes/{id:guid}/approvals", Officer, Limit.Card, e => e.Handle, "An officer's signature; the second registers the client.")
            .Get<ShowSessions>("/admin/sessions", Officer, Limit.Card, e => e.Handle, "Who is logged in now.")
            .Post<EndSessions>("/admin/sessions/{person}/end", Officer, Limit.Card, e => e.Handle, "Ends every session of a person.", Route.Uncompared)
            .Get<ShowTokenKeys>("/admin/keys", Officer, Limit.Card, e => e.List, "Keys that sign tokens.")
            .Post<ShowTokenKeys>("/admin/keys/{algorithm}/rotation", Officer, Limit.Card, e => e.Rotate, "Puts the next token key to work.")
            .Protocol<BeginDevice>("/device_authorization", Who.Anyone, Limit.Read, e => e.Handle, "Device authorization; the client proves itself or names itself.", OAuth)
            .Protocol<BeginCiba>("/bc-authorize", Who.Anyone, Limit.Read, e => e.Handle, "Back-channel authentication; the client proves itself.", OAuth)
            .Get<DecideCiba>("/ciba", Who.Anyone, Limit.Login, e => e.List, "What the person of this browser's session is asked by back channel.", r => r with { Data = DataClass.Identity })
            .Protocol<DecideCiba>("/ciba/{id:guid}/decision", Who.Anyone, Limit.Login, e => e.Decide, "The person's decision, for a browser in which the session stands.", OAuth)
            .Protocol<RegisterClient>("/register", Who.Anyone, Limit.Login, e => e.Handle, "Dynamic registration; an initial access token is the caller.", Registering)
            .Get<RegisterClient>("/register/{clientId}", Who.Anyone, Limit.Login, e => e.Show, "A client's registration; its registration access token is the caller.", Registering)
            .Put<RegisterClient>("/register/{clientId}", Who.Anyone, Limit.Login, e => e.Replace, "A registration is replaced.", Registering)
            .Delete<RegisterClient>("/register/{clientId}", Who.Anyone, Limit.Login, e => e.Remove, "A registration ends.", Registering)
            .Page("/login", Limit.Login, "Asks for the card.", Browser)
            .Page("/consent", Limit.Login, "Institution to act for, and the notice.", Browser)
            .Page("/device", Limit.Login, "Takes the code that a device shows, and the decision.", Browser)
            .Page("/error", Limit.Login, "Why a login cannot go on.", Route.Uncompared)
            .Page("/sign-out", Limit.Login, "Asks before the session ends.", Route.Uncompared)
            .Get("/session", Who.Anyone, Limit.Read, ShowSessionFrame.Handle, "Session Management frame: says whether the session is still the one that a relying party knows.", Route.Uncompared)
            .Page("/signed-out", Limit.Login, "The session has ended.", Route.Uncompared)
            .Get("/assets/trust.css", Who.Anyone, Limit.Read, Asset.Of("trust.css", "text/css"), "Style sheet of the pages.", Route.Uncompared)
            .Get("/assets/session.js", Who.Anyone, Limit.Read, Asset.Of("session.js", "text/javascript"), "Script of the session frame.", Route.Uncompared)
            .Get("/assets/mark.svg", Who.Anyone, Limit.Read, Asset.Of("mark.svg", "image/svg+xml"), "Mark of the pages.", Route.Uncompared)
            .Get("/assets/submit.js", Who.Anyone, Limit.Read, Asset.Of("submit.js", "text/javascript"), "Sends an answer's form off.", Route.Uncompared);
    }

    // A person looks at these: what the host refuses is told on a page.
    private static Route Browser(Route route) => route with { ProtocolBody = RefusalPage.Render, Data = DataClass.Identity };

    private static Route Registering(Route route) => OAuth(route) with { MaximumBody = RegistrationRequest.LargestBody };

    private static Route OAuth(Route route) => route with { ProtocolBody = OAuthError.Render, Data = DataClass.Identity };
}
