using System.Text.Json.Nodes;
using Trust.EndToEnd.Tests.Browser;

namespace Trust.EndToEnd.Tests.Authorize;

/// <summary>Authorization details (RFC 9396): what a person is asked for exactly, by a card shown for it.</summary>
public sealed class DetailedAuthorizationTests(RunningTrust trust)
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Documents_to_sign_are_told_in_words_for_a_login_of_this_minute_and_travel_with_the_code()
    {
        using var client = await RelyingParty.Register(trust, "fapi2", ("authorization_details_types", new JsonArray("prescription_sign")));
        using var browser = new HandBrowser(trust);
        var (urn, card) = await trust.NewPhysician(None);
        await browser.LogIn(card);
        var details = Signing(trust.World.Institutions[0]);
        // The login of this minute will do; an older one will not.
        Assert.Equal("/consent", (await browser.Location(await client.Pushed(("authorization_details", details)))).AbsolutePath);
        await trust.Installation.Cluster!.Sql("trust", $"UPDATE idp.sessions SET authenticated_at = authenticated_at - interval '2 minutes' WHERE person = '{urn}'", None);
        var begin = await client.Pushed(("authorization_details", details));
        var login = await browser.Location(begin);
        Assert.Equal("/login", login.AbsolutePath);
        var consent = await browser.LogIn(card, login);
        Assert.Contains("签署 2 份处方", System.Net.WebUtility.HtmlDecode(await browser.Http.GetStringAsync(consent + "&lang=zh")), StringComparison.Ordinal);
        Assert.Contains("sign 2 prescriptions", await browser.Http.GetStringAsync(consent + "&lang=en"), StringComparison.Ordinal);
        var answer = await browser.Accept(consent);
        Assert.Equal(43, RelyingParty.Of(answer, "code")?.Length);
        Assert.Equal(details, (await trust.Installation.Cluster!.Sql("trust", $"SELECT authorization_details FROM idp.codes WHERE client_id = '{client.Id}'", None)).Trim());
        // Asked again, the person decides again: no silent answer, no page passed by.
        var silent = await browser.Location(await client.Pushed(("authorization_details", details), ("prompt", "none")));
        Assert.Equal("consent_required", RelyingParty.Of(silent, "error"));
    }

    [Fact]
    public async Task An_institution_that_the_person_does_not_act_for_is_access_denied()
    {
        using var client = await RelyingParty.Register(trust, "fapi2", ("authorization_details_types", new JsonArray("prescription_sign")));
        using var browser = new HandBrowser(trust);
        var (_, card) = await trust.NewPhysician(None);
        var answer = await RelyingParty.Answer(browser, card, await client.Pushed(("authorization_details", Signing(trust.World.Institutions[2]))));
        Assert.Equal("access_denied", RelyingParty.Of(answer, "error"));
    }

    [Fact]
    public async Task A_type_that_is_not_registered_is_refused_and_access_to_a_record_is_told_with_its_bounds()
    {
        using var client = await RelyingParty.Register(trust, "fapi2", ("authorization_details_types", new JsonArray("record_access")));
        var refused = await client.Post("/par", client.Request(("authorization_details", Signing(trust.World.Institutions[0]))));
        Assert.Equal((400, "invalid_authorization_details"), (refused.Status, refused.Json!["error"]!.GetValue<string>()));
        using var browser = new HandBrowser(trust);
        var until = TimeProvider.System.GetUtcNow().AddHours(1).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);
        var details = new JsonArray(new JsonObject
        {
            ["type"] = "record_access", ["patient"] = "urn:mdid:pat:01J9ZZZZZZZZZZZZZZZZZZZZP1", ["classes"] = new JsonArray("diagnosis"), ["purpose"] = "treatment", ["expires_at"] = until,
        }).ToJsonString();
        var consent = await browser.LogIn(trust.World.Physician, await browser.Location(await client.Pushed(("authorization_details", details))));
        Assert.Contains("read the record of patient urn:mdid:pat:01J9ZZZZZZZZZZZZZZZZZZZZP1 (diagnosis) for the purpose treatment", await browser.Http.GetStringAsync(consent + "&lang=en"), StringComparison.Ordinal);
    }

    private static string Signing(string institution) => new JsonArray(new JsonObject
    {
        ["type"] = "prescription_sign",
        ["digests"] = new JsonArray(new JsonObject { ["alg"] = "sha-256", ["value"] = new string('1', 64) }, new JsonObject { ["alg"] = "sha-256", ["value"] = new string('2', 64) }),
        ["count"] = 2, ["institution"] = institution,
    }).ToJsonString();
}
