using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;
using Trust.Kernel.Residency;

namespace Trust.Idp.Clients;

/// <summary>
/// A client's public keys: those it registered, or those at its <c>jwks_uri</c>, which is read through the one door for outbound connections and so from a
/// declared peer only. What was read serves for five minutes; a key that is not among them is looked for at once, at most once in five seconds.
/// </summary>
public sealed class ClientKeys(Outbound outbound, TimeProvider clock, ILogger<ClientKeys> log)
{
    private const int MostBytes = 64 * 1024;
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);
    private readonly ConcurrentDictionary<string, (IReadOnlyList<JsonWebKey> Keys, DateTimeOffset ReadAt)> _read = new(StringComparer.Ordinal);

    /// <summary>The keys that may have made a signature.</summary>
    /// <param name="client">Whose.</param>
    /// <param name="kid">As the header names it; null when it names none: with one key there is nothing to tell apart (RFC 7515 4.1.4).</param>
    /// <param name="ct">Cancels the wait.</param>
    public async ValueTask<IReadOnlyList<SecurityKey>> Of(Client client, string? kid, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(client);
        var now = clock.GetUtcNow();
        return client.Metadata.JwksUri is { } address && _read.TryGetValue(address, out var known) && now - known.ReadAt < Life
            && Matching(known.Keys, kid) is { Count: > 0 } found ? found : Matching(await All(client, ct), kid);
    }

    /// <summary>All of them.</summary>
    public async ValueTask<IReadOnlyList<JsonWebKey>> All(Client client, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(client);
        if (client.Metadata.JwksUri is not { } address)
        {
            return client.Keys;
        }

        var now = clock.GetUtcNow();
        if (_read.TryGetValue(address, out var known) && now - known.ReadAt < Pause)
        {
            return known.Keys;
        }

        var keys = await Read(address, ct) ?? (known.Keys is { } old && now - known.ReadAt < Life ? old : []);
        _read[address] = (keys, now);
        return keys;
    }

    private static IReadOnlyList<SecurityKey> Matching(IReadOnlyList<JsonWebKey> keys, string? kid) =>
        string.IsNullOrEmpty(kid) ? keys.Count == 1 ? keys : [] : [.. keys.Where(k => k.KeyId == kid)];

    private async Task<IReadOnlyList<JsonWebKey>?> Read(string address, CancellationToken ct)
    {
        try
        {
            using var response = await outbound.Registered(new Uri(address)).GetAsync(new Uri(address), HttpCompletionOption.ResponseHeadersRead, ct);
            response.EnsureSuccessStatusCode();
            await response.Content.LoadIntoBufferAsync(MostBytes, ct);
            var set = new JsonWebKeySet(await response.Content.ReadAsStringAsync(ct));
            return [.. set.Keys.Where(k => !k.HasPrivateKey && k.Kty is "EC" or "RSA")];
        }
        // Away, undeclared, too long, or no key set: the client has no keys then, and its signatures do not verify.
        catch (Exception e) when (e is HttpRequestException or ArgumentException or JsonException or UriFormatException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            IdpLog.ClientKeysUnreadable(log, address, e.Message);
            return null;
        }
    }
}
