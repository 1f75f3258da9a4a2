using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Npgsql;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.EndToEnd.Tests.Browser;
using Trust.EndToEnd.Tests.Prescription;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests;

/// <summary>No fact without its event at the provider, whoever logs in, is registered or consents, and whatever runs beside it.</summary>
public sealed class CommittedStateTests(RunningTrust trust)
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly string[] Texts = ["2026-11", "", "x\",\"class\":\"RESTRICTED", "换行\n", "\u202e反", new string('x', 41), "知情同意书·二"];

    private static readonly Gen<Act> Acts =
        Gen.Select(Gen.Enum<Deed>(), Gen.Int[0, 1], Gen.Int[0, Texts.Length - 1], (deed, who, text) => new Act(deed, who, Texts[text]));

    private static readonly StateRow[] Rows =
    [
        new("sessions", r => [Text(r, "id")], "last_used_at", "institution"),
        new("tokens", r => ["token:" + Text(r, "jti"), Text(r, "client_id")]),
        new("clients", r => [StateRow.Subject(SubjectKey.Of("client", Text(r, "client_id")))]),
        new("registrations", r => [StateRow.Subject(SubjectKey.Of("client", Text(r, "client_id")))]),
        new("registration_grants", r => [Text(r, "id")]),
        new("acknowledgements", r => [Text(r, "person")]),
        new("consents", r => [Text(r, "id")]),
        new("signing_keys", r => [StateRow.Subject(SubjectKey.Of("key", Text(r, "kid")))]),
        new("key_register", r => ["\"reason\":\"" + Text(r, "label") + "\""]),
    ];

    private static readonly Dictionary<string, string> NoFacts = new(StringComparer.Ordinal)
    {
        ["audit_relay"] = "the outbox's own place in the ledger",
        ["authorization_requests"] = "a browser's wish, which lapses in minutes",
        ["card_throttles"] = "who waits after refusals, which are facts of their own",
        ["card_logins"] = "a card shown, until its browser comes back; the session is the fact",
        ["client_assertions"] = "marks against replay",
        ["codes"] = "a promise that lapses in a minute; the token is the fact",
        ["dpop_proofs"] = "marks against replay",
        ["idempotency"] = "answers kept for a retry",
        ["key_ring"] = "cookie keys of this service",
        ["migrations"] = "the schema's own version",
        ["session_clients"] = "whom a session's tokens went to; the token is the fact",
        ["logout_notices"] = "what is still to be told of a session's end, which is the fact",
        ["refresh_families"] = "what a code brought, told by the event of its first token; its end has an event of its own",
        ["refresh_tokens"] = "part of their family",
        ["client_changes"] = "a wish of one officer, told by an event as it is made and as it is granted",
        ["client_change_approvals"] = "a signature, told by the event of its change",
        ["storable_regions"] = "what the owner lets be stored here, by the rules",
        ["person_keys"] = "a patient's key, of which nothing lies under it yet; the row sealed under it is the fact",
        ["person_masters"] = "the change of master, told by the shredding's event",
        ["person_shreddings"] = "what the ledger asked for, which it recorded itself; carried out, it is told by KEY.destroy",
        ["decoupled_requests"] = "a client's wish, which lapses in minutes; the person's decision has its event, and the token is the fact",
        ["pushed_requests"] = "a client's wish, which lapses in a minute",
        ["patients"] = "bound by an event before it: judged by that event's identifier",
    };

    private enum Deed
    {
        LogIn, Leave, Redeem, RedeemAgain, SystemToken, Patient, Consent, Withdraw, Register, Suspend,
    }

    [Fact]
    public async Task Every_committed_row_is_named_by_an_event_of_its_own_transaction()
    {
        await using var idp = Provider();
        var commits = await RecordedCommits.Begin(idp, Rows, NoFacts);
        using var driver = new PrescriptionDriver(trust);
        await Acts.Array[20, 30].SampleAsync(
            async acts =>
            {
                Known[] known = [new Known(await trust.NewPhysician(None)), new Known(await trust.NewPhysician(None))];
                foreach (var act in acts)
                {
                    await Tolerantly(() => Deeds(driver, act, known[act.Who]));
                }

                var (_, silent) = await commits.Judge();
                Assert.True(silent.Count == 0, string.Join('\n', silent));
            },
            iter: 3, threads: 1);
        var (judged, _) = await commits.Judge();
        Assert.True(judged > 30, $"Only {judged} rows were judged.");

        const string bound = "SELECT encode(p.subject_key, 'base64'), convert_from(o.body, 'UTF8') FROM patients p LEFT JOIN audit_outbox o ON o.id = p.bound_by WHERE p.bound_by IS NOT NULL";
        var patients = await idp.Sql(bound).All(r => (Key: Convert.FromBase64String(r.GetString(0)), Event: r.Nullable<string>(1)), None);
        Assert.NotEmpty(patients);
        Assert.All(patients, p => Assert.Contains(StateRow.Subject(SubjectKey.Patient(p.Key)), p.Event, StringComparison.Ordinal));
    }

    private static string Text(JsonElement row, string column) => row.GetProperty(column).GetString()!;

    private NpgsqlDataSource Provider()
    {
        var settings = JsonNode.Parse(File.ReadAllText(Path.Combine(trust.Installation.Directory, "config", "idp.json")))!["Database"]!;
        return Outbound.Database(settings.Deserialize<DatabaseOptions>()!, asOwner: true);
    }

    private async Task Deeds(PrescriptionDriver driver, Act act, Known known)
    {
        switch (act.Deed)
        {
            case Deed.LogIn:
                using (var browser = new HandBrowser(trust))
                {
                    await browser.LogIn(known.Card);
                }

                break;
            case Deed.Redeem or Deed.RedeemAgain or Deed.Leave:
                await Redeem(act, known);
                break;
            case Deed.SystemToken:
                await trust.World.Client(act.Who == 0 ? "his-shuan" : "pharmacy-jincheng").OwnToken("rx.read", trust.Sign, None);
                break;
            case Deed.Patient:
                known.Patient = await driver.Patient();
                break;
            case Deed.Consent when known.Patient is { } patient:
                known.Consent = (await (await driver.System()).Send(HttpMethod.Post, "/consents", Consent(patient, act.Text), null, None)).Json?["consentId"]?.GetValue<string>() ?? known.Consent;
                break;
            case Deed.Withdraw when known.Consent is { } consent:
                await (await driver.System()).Send(HttpMethod.Post, $"/consents/{consent}/withdrawal", null, null, None);
                break;
            case Deed.Register:
                await trust.World.RegisterClients(None);
                break;
            case Deed.Suspend:
                await trust.World.Officers[1].Api.Post($"/practitioners/{known.Urn}/state", new JsonObject { ["state"] = "suspended", ["reason"] = "order" }, None);
                break;
            default:
                break;
        }
    }

    private async Task Redeem(Act act, Known known)
    {
        var his = trust.World.Client("his-shuan");
        var card = await known.Card.ForTls(Card.AuthenticationKey, None);
        if (await his.Authorize(card, RunningTrust.Redirect, "openid rx.read", trust.World.Institutions[0], trust.Sign, None) is not AuthorizeResult.Answered answered)
        {
            return;
        }

        var first = await his.Redeem(answered, RunningTrust.Redirect, None);
        if (act.Deed is Deed.RedeemAgain)
        {
            await his.Redeem(answered, RunningTrust.Redirect, None);
        }
        else if (act.Deed is Deed.Leave && first is LoginResult.Granted granted)
        {
            using var browser = new HandBrowser(trust);
            await browser.LogIn(known.Card);
            using (await browser.Http.GetAsync($"{browser.Issuer}/end-session?id_token_hint={granted.IdToken}"))
            {
                return;
            }
        }
    }

    private JsonObject Consent(string patient, string version) => new()
    {
        ["patient"] = patient, ["institution"] = trust.World.Institutions[0], ["kind"] = "online-care", ["noticeVersion"] = version,
        ["noticeSha256"] = new string('1', 64), ["acknowledgedAt"] = TimeProvider.System.GetUtcNow().ToString("O", CultureInfo.InvariantCulture), ["method"] = "app",
    };

    // A refusal is an answer like another: a code used twice, a suspended doctor's login that ends on a page.
    private static async Task Tolerantly(Func<Task> deed)
    {
        try
        {
            await deed();
        }
        catch (Exception e) when (e is DemoException or InvalidDataException or NullReferenceException or ArgumentNullException or UriFormatException)
        {
            return;
        }
    }

    private sealed record Act(Deed Deed, int Who, string Text);

    private sealed class Known((string Urn, Card Card) person)
    {
        public string Urn => person.Urn;

        public Card Card => person.Card;

        public string? Patient { get; set; }

        public string? Consent { get; set; }
    }
}
