using System.Net.Http.Headers;
using System.Security.Cryptography;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Trust.Kernel.Residency;

namespace Trust.Kernel.Hosting;

/// <summary>Renews the service's TLS certificate at two thirds of its life, over the current one, without a restart.</summary>
internal sealed class IdentityRenewal(ServiceIdentity identity, Outbound outbound, TimeProvider clock, ILogger<IdentityRenewal> log) : BackgroundService
{
    private static readonly TimeSpan Check = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Check, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            if (clock.GetUtcNow() < identity.RenewAt)
            {
                continue;
            }

            try
            {
                await Renew(stoppingToken);
                HostLog.Renewed(log, identity.NotAfter);
            }
            catch (Exception e) when (e is HttpRequestException or CryptographicException or IOException or UndeclaredPeerException or TaskCanceledException && !stoppingToken.IsCancellationRequested)
            {
                HostLog.RenewalFailed(log, identity.NotAfter, e);
            }
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
