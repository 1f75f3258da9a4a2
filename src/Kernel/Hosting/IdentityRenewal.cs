using System.Net.Http.Headers;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Trust.Kernel.Residency;

namespace Trust.Kernel.Hosting;

/// <summary>Renews the service's TLS certificate at two thirds of its life, over the current one, without a restart.</summary>
internal sealed class IdentityRenewal(ServiceIdentity identity, Outbound outbound, TimeProvider clock, ILogger<IdentityRenewal> log)
{
    /// <summary>Between two looks.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    /// <summary>Renews when it is time.</summary>
    public async Task Round(CancellationToken ct)
    {
        if (clock.GetUtcNow() < identity.RenewAt)
        {
            return;
        }

        try
        {
            await Renew(ct);
            HostLog.Renewed(log, identity.NotAfter);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            HostLog.RenewalFailed(log, identity.NotAfter, e);
            throw;
        }
    }

    private async Task Renew(CancellationToken ct)
    {
        var (key, request) = identity.PrepareRenewal();
        using (key)
        {
            using var content = new ByteArrayContent(request) { Headers = { ContentType = new MediaTypeHeaderValue("application/pkcs10") } };
            using var message = new HttpRequestMessage(HttpMethod.Post, "service-certificates") { Content = content };
            message.Headers.Add("Idempotency-Key", Convert.ToHexStringLower(SHA256.HashData(request)));
            using var response = await outbound.Client("ca").SendAsync(message, ct);
            response.EnsureSuccessStatusCode();
            identity.Renew(key, await response.Content.ReadAsStringAsync(ct));
        }
    }
}
