using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Trust.Crypto.Jose;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;

namespace Trust.Kernel.LiveStatus;

/// <summary>
/// Asks the registry whether a right holds now. A permit may be reused only while the change feed proves that nothing about
/// its subject has changed: it is void when the heartbeat is three seconds old. No answer is a denial (docs/ARCHITECTURE.md §7).
/// </summary>
public sealed class EntitlementClient(Outbound outbound, StatusFeed feed, ServiceOptions options, PeerClocks clocks, TimeProvider clock)
{
    /// <summary>File of the public folder with the key that answers are verified by.</summary>
    public const string KeyFile = "entitlement.spki";

    /// <summary>The <c>typ</c> of an answer (RFC 7519 5.1).</summary>
    public const string AnswerType = "entitlement+jwt";

    private const string NoRule = "none";
    private const int LongestAnswer = 16 * 1024;
    private const int MaximumCached = 50_000;
    private static readonly TimeSpan MaximumAge = TimeSpan.FromSeconds(60);
    private readonly ConcurrentDictionary<EntitlementQuestion, Cached> _cache = new();
    private byte[]? _key;

    /// <summary>The answer as of now.</summary>
    public async Task<Entitlement> Check(EntitlementQuestion question, CancellationToken ct)
    {
        if (_cache.TryGetValue(question, out var cached) && IsStillTrue(cached, question))
        {
            return cached.Permit;
        }

        try
        {
            return await Ask(question, ct);
        }
        catch (Exception e) when (e is HttpRequestException or FormatException or CryptographicException or KeyNotFoundException or InvalidOperationException or JsonException or IOException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return new Entitlement.Deny(Entitlement.Deny.StatusUnknown, NoRule);
        }
    }

    private bool IsStillTrue(Cached cached, EntitlementQuestion question) =>
        feed.IsFresh && clock.GetUtcNow() - cached.At < MaximumAge && feed.LastChange(question) <= cached.Feed;

    private async Task<Entitlement> Ask(EntitlementQuestion question, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(TimeSpan.FromSeconds(3));
        using var response = await outbound.Client("ca").GetAsync(Query(question), limit.Token);
        if (!response.IsSuccessStatusCode)
        {
            return new Entitlement.Deny(Entitlement.Deny.StatusUnknown, NoRule);
        }

        using var answer = Verify(await response.Content.ReadAsStringAsync(limit.Token));
        var root = answer.RootElement;
        if (!Matches(root, "person", question.Person) || !Matches(root, "institution", question.Institution) || !Matches(root, "act", question.Act)
            || !Matches(root, "certificate", question.Certificate)
            || (question.At is { } at && root.GetProperty("at").GetDateTimeOffset() != at))
        {
            return new Entitlement.Deny(Entitlement.Deny.StatusUnknown, NoRule);
        }

        var rule = root.GetProperty("ruleVersion").GetString()!;
        if (root.GetProperty("decision").GetString() != "permit")
        {
            return new Entitlement.Deny(root.GetProperty("reason").GetString() ?? "denied", rule);
        }

        var permit = Read(root, rule);
        // An older permit played back would carry its own instant. Which of the two clocks is wrong, nobody here knows; that they differ is said.
        if ((clock.GetUtcNow() - permit.VerifiedAt).Duration() > PeerClocks.Most)
        {
            return new Entitlement.Deny(clocks.SkewOf("ca").Duration() >= PeerClocks.Tolerance ? Entitlement.Deny.ClockSkew : Entitlement.Deny.StatusUnknown, rule);
        }

        Remember(question, permit, root.GetProperty("feed").GetInt64());
        return permit;
    }

    private void Remember(EntitlementQuestion question, Entitlement.Permit permit, long at)
    {
        if (question.At is not null)
        {
            return;
        }

        if (_cache.Count >= MaximumCached)
        {
            _cache.Clear();
        }

        _cache[question] = new Cached(permit, at, clock.GetUtcNow());
    }

    private static Entitlement.Permit Read(JsonElement root, string rule)
    {
        var licence = root.TryGetProperty("licence", out var l) && l.ValueKind is JsonValueKind.Object
            ? new LicenceStatus(
                l.GetProperty("number_last4").GetString() ?? "", l.GetProperty("category").GetString() ?? "",
                [.. l.GetProperty("scope").EnumerateArray().Select(s => s.GetString() ?? "")], l.GetProperty("status").GetString() ?? "")
            {
                Number = Text(l, "number"),
            }
            : null;
        return new Entitlement.Permit(
            Text(root, "role"), licence, Text(root, "region") ?? "", root.GetProperty("verified_at").GetDateTimeOffset(), rule)
        {
            Name = Text(root, "name"),
            InstitutionName = Text(root, "institution_name"),
        };
    }

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;

    private static bool Matches(JsonElement root, string name, string? asked) =>
        Text(root, name) == asked;

    // The answer is signed by the CA token's entitlement key: a proxy in between can delay it, not turn a denial round.
    private JsonDocument Verify(string jws) => Jws.TryVerify(jws, LongestAnswer, AnswerType, Key(), out var answer)
        ? JsonDocument.Parse(answer)
        : throw new CryptographicException("Not an entitlement answer, or its signature does not verify.");

    private byte[] Key() => _key ??= File.ReadAllBytes(Path.Combine(options.PublicDirectory, KeyFile));

    private static string Query(EntitlementQuestion question)
    {
        var query = new StringBuilder("entitlements?act=").Append(Uri.EscapeDataString(question.Act));
        foreach (var (name, value) in new[] { ("person", question.Person), ("institution", question.Institution), ("certificate", question.Certificate), ("at", question.At?.ToUniversalTime().ToString("O")) })
        {
            if (value is not null)
            {
                query.Append(CultureInfo.InvariantCulture, $"&{name}={Uri.EscapeDataString(value)}");
            }
        }

        return query.ToString();
    }

    private sealed record Cached(Entitlement.Permit Permit, long Feed, DateTimeOffset At);
}
