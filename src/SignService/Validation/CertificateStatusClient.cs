using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Trust.Kernel.Residency;

namespace Trust.SignService.Validation;

/// <summary>The CA's word on a certificate at an instant.</summary>
/// <param name="Status">good, hold, revoked, expired or not-yet-valid then; unknown when the CA never issued it.</param>
/// <param name="RevokedAt">When it was revoked, before or after that instant; null when it was not.</param>
/// <param name="InvalidityDate">Since when its key is thought to be lost.</param>
public sealed record CertificateStatus(string Status, DateTimeOffset? RevokedAt = null, DateTimeOffset? InvalidityDate = null);

/// <summary>Asks the CA about a certificate.</summary>
public sealed class CertificateStatusClient(Outbound outbound, ILogger<CertificateStatusClient> log)
{
    /// <summary>The status at an instant; null when there is no answer.</summary>
    public async Task<CertificateStatus?> Find(string certificateSha256, DateTimeOffset at, CancellationToken ct)
    {
        try
        {
            var instant = Uri.EscapeDataString(at.UtcDateTime.ToString("O", CultureInfo.InvariantCulture));
            using var answer = await outbound.Client("ca").GetAsync($"certificates/{certificateSha256}/status?at={instant}", ct);
            return answer.StatusCode switch
            {
                HttpStatusCode.OK => await answer.Content.ReadFromJsonAsync(SignPeerJson.Default.CertificateStatus, ct),
                HttpStatusCode.NotFound => new CertificateStatus("unknown"),
                _ => null,
            };
        }
        catch (Exception e) when (e is HttpRequestException or JsonException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            SignLog.PeerAway(log, e.GetType().Name);
            return null;
        }
    }
}
