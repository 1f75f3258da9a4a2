using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Trust.Kernel.Residency;

namespace Trust.SignService.Validation;

/// <summary>The registry's word on a certificate.</summary>
/// <param name="Status">good, hold, revoked or expired.</param>
public sealed record Holder(string Status);

/// <summary>Asks the CA about a certificate.</summary>
public sealed class HolderClient(Outbound outbound, ILogger<HolderClient> log)
{
    /// <summary>good, hold, revoked or expired; null when there is no answer.</summary>
    public async Task<string?> Status(string certificateSha256, CancellationToken ct)
    {
        try
        {
            using var answer = await outbound.Client("ca").GetAsync("holders/" + certificateSha256, ct);
            return answer.StatusCode == HttpStatusCode.OK
                ? (await answer.Content.ReadFromJsonAsync(SignPeerJson.Default.Holder, ct))?.Status
                : null;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            SignLog.PeerAway(log, e.GetType().Name);
            return null;
        }
    }
}
