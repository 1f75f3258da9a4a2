using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Trust.TestKit;

namespace Trust.SignService.Tests;

/// <summary>A certificate as the CA has it.</summary>
internal sealed record IssuedCertificate(string Profile, string Holder)
{
    public DateTimeOffset? RevokedAt { get; init; }

    public DateTimeOffset? HeldAt { get; init; }

    public DateTimeOffset? InvalidityDate { get; init; }
}

/// <summary>
/// The three services that the signing service asks, on one plain listener and speaking their real formats: answers that the real ones
/// give only after an enrolment of minutes, or not at all (a ledger that is away for one exchange).
/// </summary>
internal sealed class PeerStandIn : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ECDsa entitlementKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly IssuerStandIn issuer = new("https://idp.example");
    private readonly ConcurrentDictionary<string, string> denials = new(StringComparer.Ordinal);
    private readonly LedgerStandIn ledger = new("sign");
    private volatile IReadOnlyList<string> changes = [];

    private PeerStandIn(WebApplication app) => this.app = app;

    public Uri Address { get; private set; } = null!;

    /// <summary>While true the ledger's paths break off.</summary>
    public bool LedgerAway
    {
        get => ledger.Away;
        set => ledger.Away = value;
    }

    /// <summary>Called with each action before the ledger takes it (false) and after it has (true), while its answer is held back.</summary>
    public Action<string, bool>? OnEvent
    {
        get => ledger.OnEvent;
        set => ledger.OnEvent = value;
    }

    /// <summary>Keys of subjects on which a hold is open.</summary>
    public ConcurrentDictionary<string, bool> Held => ledger.Held;

    /// <summary>How far the peers' clocks are ahead.</summary>
    public TimeSpan ClockAhead { get; set; }

    /// <summary>While true entitlements break off.</summary>
    public bool RegistryAway { get; set; }

    /// <summary>While true the change feed beats.</summary>
    public bool FeedOn { get; set; }

    public bool ConsentGranted { get; set; } = true;

    public byte[] EntitlementSpki => entitlementKey.ExportSubjectPublicKeyInfo();

    public string PatientKey { get; set; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    /// <summary>Certificates that the CA issued, by SHA-256; it knows no other.</summary>
    public ConcurrentDictionary<string, IssuedCertificate> Issued { get; } = new(StringComparer.Ordinal);

    /// <summary>While true the CA answers nothing about certificates.</summary>
    public bool StatusAway { get; set; }

    /// <summary>Roles of persons that are not what their act asks for.</summary>
    public ConcurrentDictionary<string, string> Roles { get; } = new(StringComparer.Ordinal);

    /// <summary>Bodies the ledger accepted, in order.</summary>
    public IReadOnlyList<JsonElement> Events => ledger.Events;

    /// <summary>Their actions, without those by which the service tells of its own keys after its start.</summary>
    public IEnumerable<string> Actions => Events.Where(e => e.GetProperty("actor").GetProperty("subject").GetString() != "sign" || !e.GetProperty("action").GetString()!.StartsWith("KEY.", StringComparison.Ordinal))
        .Select(e => e.GetProperty("action").GetString()!);

    public static async Task<PeerStandIn> Start()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var stand = new PeerStandIn(builder.Build());
        stand.Map();
        await stand.app.StartAsync();
        stand.Address = new Uri(stand.app.Urls.First());
        return stand;
    }

    /// <summary>From now on the registry denies this person or institution.</summary>
    public void Deny(string urn, string reason) => denials[urn] = reason;

    /// <summary>The registry permits again.</summary>
    public void Permit(string urn) => denials.TryRemove(urn, out _);

    /// <summary>The same, announced on the change feed.</summary>
    public void Announce(string person, string state)
    {
        Deny(person, state);
        changes = [.. changes, new JsonObject { ["seq"] = changes.Count + 1, ["kind"] = "practitioner", ["id"] = person, ["person"] = person, ["state"] = state }.ToJsonString()];
    }

    /// <summary>An access token as the identity provider issues it.</summary>
    public string Token(string subject, string scope, string? role, string institution, string audience) => subject.StartsWith("urn:mdid:p:", StringComparison.Ordinal)
        ? issuer.OfPerson(subject, "hospital-system", scope, audience, role!, institution, "510000")
        : issuer.OfSystem(subject, scope, audience, role ?? "hospital-system", institution, "510000");

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
        entitlementKey.Dispose();
        issuer.Dispose();
    }

    private static string Jws(string header, JsonObject payload, ECDsa key)
    {
        var signed = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header)) + "." + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(payload.ToJsonString()));
        return signed + "." + Base64Url.EncodeToString(key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256));
    }

    private void Map()
    {
        app.Use(async (context, next) =>
        {
            if (RegistryAway && context.Request.Path.StartsWithSegments("/entitlements", StringComparison.Ordinal))
            {
                context.Abort();
                return;
            }

            if (ClockAhead != TimeSpan.Zero)
            {
                context.Response.Headers.Date = (DateTimeOffset.UtcNow + ClockAhead).ToString("R");
            }

            await next(context);
        });
        issuer.Map(app);
        app.MapGet("/consents", () => Results.Text(
            new JsonObject { ["granted"] = ConsentGranted, ["noticeVersion"] = "1", ["consentId"] = "c1", ["subjectKey"] = PatientKey }.ToJsonString(), "application/json"));
        app.MapGet("/entitlements", Entitlement);
        app.MapGet("/certificates/{sha}/status", CertificateStatus);
        app.MapGet("/feed", Feed);
        ledger.Map(app);
    }

    // Off by default: a permit kept while the feed is fresh would make denials a matter of timing.
    private async Task Feed(HttpContext context)
    {
        if (!FeedOn)
        {
            context.Response.StatusCode = 503;
            return;
        }

        using var beat = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        var sent = Math.Max(changes.Count, 0);
        for (var tick = 0; ; tick++)
        {
            for (; sent < changes.Count; sent++)
            {
                await context.Response.WriteAsync(changes[sent] + "\n", context.RequestAborted);
            }

            if (tick % 20 == 0)
            {
                await context.Response.WriteAsync(new JsonObject { ["heartbeat"] = sent, ["at"] = DateTimeOffset.UtcNow.ToString("O") }.ToJsonString() + "\n", context.RequestAborted);
            }

            await context.Response.Body.FlushAsync(context.RequestAborted);
            await beat.WaitForNextTickAsync(context.RequestAborted);
        }
    }

    private IResult CertificateStatus(string sha, string? at)
    {
        if (StatusAway)
        {
            return Results.StatusCode(503);
        }

        if (!Issued.TryGetValue(sha, out var known))
        {
            return Results.NotFound();
        }

        var instant = at is null ? DateTimeOffset.UtcNow : DateTimeOffset.Parse(at, System.Globalization.CultureInfo.InvariantCulture);
        return Results.Text(new JsonObject
        {
            ["sha256"] = sha, ["profile"] = known.Profile, ["holder"] = known.Holder, ["at"] = instant,
            ["status"] = known.RevokedAt <= instant ? "revoked" : known.HeldAt <= instant ? "hold" : "good",
            ["revokedAt"] = known.RevokedAt, ["invalidityDate"] = known.InvalidityDate,
        }.ToJsonString(), "application/json");
    }

    private IResult Entitlement(string act, string? person, string? institution, string? certificate, string? at)
    {
        var reason = new[] { person, institution, certificate }.Select(u => u is not null && denials.TryGetValue(u, out var r) ? r : null).FirstOrDefault(r => r is not null)
            ?? (person is not null && Roles.TryGetValue(person, out var other) && other != (act is "prescribe" ? "physician" : "pharmacist") ? "not-in-role" : null);
        var payload = new JsonObject
        {
            ["person"] = person, ["institution"] = institution, ["act"] = act, ["certificate"] = certificate, ["at"] = at, ["decision"] = reason is null ? "permit" : "deny", ["reason"] = reason ?? "permitted",
            ["ruleVersion"] = "test-1", ["verified_at"] = (DateTimeOffset.UtcNow + ClockAhead).ToString("O"), ["feed"] = 0, ["region"] = "510100", ["institution_name"] = institution == SignRig.Pharmacy ? "示例大药房" : "示例市人民医院",
        };
        if (person is not null)
        {
            payload["role"] = act switch { "prescribe" => "physician", "review" => "pharmacist", _ => "retail-pharmacist" };
            payload["name"] = person == SignRig.Doctor ? "陈晓明" : "王样例";
            payload["filing"] = true;
            payload["licence"] = new JsonObject
            {
                ["number_last4"] = "2345", ["number"] = "110510000012345", ["category"] = "clinical", ["scope"] = new JsonArray("内科专业"), ["status"] = "active",
            };
        }

        return Results.Text(Jws("""{"alg":"ES256","typ":"entitlement+jwt"}""", payload, entitlementKey), "application/jwt");
    }
}
