using System.Text.Json;
using Trust.Kernel.Residency;

namespace Trust.Idp.Clients;

/// <summary>
/// What must be so of a client's addresses beyond their form: those that the provider itself calls are at declared peers (docs/RESIDENCY.md), and the document that
/// names a sector lists every redirect URI (OpenID Connect Core 8.1). It is fetched at registration and never again.
/// </summary>
internal sealed class RegisteredAddresses(Outbound outbound)
{
    private const int LargestDocument = 64 * 1024;
    private static readonly TimeSpan FetchTime = TimeSpan.FromSeconds(5);

    /// <summary>The first rule that the client's addresses break, for its author; null when they keep all.</summary>
    public async Task<string?> Broken(Client client, CancellationToken ct)
    {
        var m = client.Metadata;
        foreach (var (name, address) in new[]
        {
            ("jwks_uri", m.JwksUri), ("sector_identifier_uri", m.SectorIdentifierUri), ("backchannel_logout_uri", m.BackchannelLogoutUri),
            ("backchannel_client_notification_endpoint", m.BackchannelClientNotificationEndpoint),
        })
        {
            if (address is not null && outbound.PeerAt(new Uri(address)) is null)
            {
                return $"{name} is not at a declared peer: declare its host and name it among Peers first.";
            }
        }

        return m.SectorIdentifierUri is { } sector && !await Lists(new Uri(sector), client.RedirectUris, ct)
            ? "sector_identifier_uri does not answer a JSON list of all redirect URIs (OpenID Connect Core 8.1)." : null;
    }

    private async Task<bool> Lists(Uri sector, IReadOnlyList<string> redirects, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(FetchTime);
        try
        {
            using var answer = await outbound.Registered(sector).GetAsync(sector, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            if (!answer.IsSuccessStatusCode || answer.Content.Headers.ContentLength is > LargestDocument)
            {
                return false;
            }

            await answer.Content.LoadIntoBufferAsync(LargestDocument, limit.Token);
            using var document = JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(limit.Token), new JsonDocumentOptions { MaxDepth = 2 });
            return document.RootElement.ValueKind is JsonValueKind.Array
                && redirects.All(r => document.RootElement.EnumerateArray().Any(e => e.ValueKind is JsonValueKind.String && e.ValueEquals(r)));
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or IOException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return false;
        }
    }
}
