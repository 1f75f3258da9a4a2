using Microsoft.Extensions.Configuration;

namespace Trust.Idp.Tests;

/// <summary>The route table; that the running provider answers by it, and by nothing else, is shown from outside in EndToEnd.Tests.</summary>
public sealed class MapTests
{
    // Whoever opens a route to others, or makes a key needless, changes this list too.
    [Fact]
    public void Callers_limits_and_keys_of_every_route_are_these()
    {
        string[] table =
        [
            "GET /.well-known/openid-configuration | anyone | Read | ByProtocol",
            "GET /.well-known/oauth-authorization-server | anyone | Read | ByProtocol",
            "GET /jwks | anyone | Read | ByProtocol",
            "GET /authorize | anyone | Login | ByProtocol",
            "POST /authorize | anyone | Login | ByProtocol",
            "POST /par | anyone | Read | ByProtocol",
            "GET /card | anyone | Login | ByProtocol",
            "GET /login/card | anyone | Login | ByProtocol",
            "POST /token | anyone | Read | ByProtocol",
            "POST /introspect | anyone | Read | ByProtocol",
            "POST /revoke | anyone | Read | ByProtocol",
            "GET /userinfo | anyone | Read | ByProtocol",
            "POST /userinfo | anyone | Read | ByProtocol",
            "GET /end-session | anyone | Login | ByProtocol",
            "POST /end-session | anyone | Login | ByProtocol",
            "POST /patients | token with scope patient.register | Client | FirstAnswer",
            "POST /consents | token with scope consent.record | Client | FirstAnswer",
            "POST /consents/{id}/withdrawal | token with scope consent.record | Client | FirstAnswer",
            "GET /consents | service sign | None | ByProtocol",
            "PUT /shreddings/{id:guid} | service ledger | None | ByProtocol",
            "GET /admin/clients | card of a registration officer | Card | ByProtocol",
            "GET /admin/clients/{id} | card of a registration officer | Card | ByProtocol",
            "POST /admin/clients/{id}/disable | card of a registration officer | Card | FirstAnswer",
            "POST /admin/client-changes | card of a registration officer | Card | FirstAnswer",
            "GET /admin/client-changes | card of a registration officer | Card | ByProtocol",
            "GET /admin/client-changes/{id:guid} | card of a registration officer | Card | ByProtocol",
            "POST /admin/client-changes/{id:guid}/approvals | card of a registration officer | Card | FirstAnswer",
            "GET /admin/sessions | card of a registration officer | Card | ByProtocol",
            "POST /admin/sessions/{person}/end | card of a registration officer | Card | FirstAnswer",
            "GET /admin/keys | card of a registration officer | Card | ByProtocol",
            "POST /admin/keys/{algorithm}/rotation | card of a registration officer | Card | FirstAnswer",
            "POST /device_authorization | anyone | Read | ByProtocol",
            "POST /bc-authorize | anyone | Read | ByProtocol",
            "GET /ciba | anyone | Login | ByProtocol",
            "POST /ciba/{id:guid}/decision | anyone | Login | ByProtocol",
            "POST /register | anyone | Login | ByProtocol",
            "GET /register/{clientId} | anyone | Login | ByProtocol",
            "PUT /register/{clientId} | anyone | Login | ByProtocol",
            "DELETE /register/{clientId} | anyone | Login | ByProtocol",
            "GET / | anyone | Login | ByProtocol",
            "GET /login | anyone | Login | ByProtocol",
            "GET /consent | anyone | Login | ByProtocol",
            "GET /device | anyone | Login | ByProtocol",
            "GET /error | anyone | Login | ByProtocol",
            "GET /sign-out | anyone | Login | ByProtocol",
            "GET /session | anyone | Read | ByProtocol",
            "GET /signed-out | anyone | Login | ByProtocol",
            "GET /assets/trust.css | anyone | Read | ByProtocol",
            "GET /favicon.ico | anyone | Read | ByProtocol",
            "GET /assets/session.js | anyone | Read | ByProtocol",
            "GET /assets/mark.svg | anyone | Read | ByProtocol",
            "GET /assets/submit.js | anyone | Read | ByProtocol",
        ];
        var rows = Program.Service.Routes(new ConfigurationBuilder().Build()).Routes;
        Assert.Equal(table, rows.Select(r => $"{r.Method} {r.Path} | {r.Who} | {r.Limit} | {r.Repeats}"));
        // What is no fact of the database, and what only takes away.
        Assert.Equal(
            [
                "GET /.well-known/openid-configuration", "GET /.well-known/oauth-authorization-server", "GET /jwks", "POST /revoke", "GET /end-session", "POST /end-session",
                "POST /consents/{id}/withdrawal", "POST /admin/clients/{id}/disable", "POST /admin/sessions/{person}/end", "GET /", "GET /error", "GET /sign-out", "GET /session",
                "GET /signed-out", "GET /assets/trust.css", "GET /favicon.ico", "GET /assets/session.js", "GET /assets/mark.svg", "GET /assets/submit.js",
            ],
            rows.Where(r => r.AnswersUncompared).Select(r => $"{r.Method} {r.Path}"));
        Assert.All(rows, r => Assert.EndsWith(".", r.Summary, StringComparison.Ordinal));
    }
}
