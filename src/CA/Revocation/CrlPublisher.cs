using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Trust.CA.Certificates;
using Trust.Kernel.Hosting;
using Trust.Pkcs11;

namespace Trust.CA.Revocation;

/// <summary>Publishes a new CRL within a second of a change, and at the latest every interval. Roots publish at the ceremony.</summary>
public sealed class CrlPublisher(CrlPublication publication, IssuerDirectory issuers, CaKeys keys, CaOptions options, TimeProvider clock, ILogger<CrlPublisher> log)
    : BackgroundService, IReadinessCheck
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);
    private long _succeededAt = -1;

    /// <inheritdoc/>
    public string Name => "crl";

    /// <inheritdoc/>
    public ValueTask<Readiness> Check(CancellationToken ct)
    {
        var at = Interlocked.Read(ref _succeededAt);
        var age = at < 0 ? TimeSpan.MaxValue : clock.GetElapsedTime(at);
        return ValueTask.FromResult(age < TimeSpan.FromSeconds(30)
            ? new Readiness(true, "current")
            : new Readiness(false, at < 0 ? "no CRL published yet" : $"no CRL could be published for {age.TotalSeconds:F0} s"));
    }

    /// <summary>Publishes what is due.</summary>
    public async Task Run(CancellationToken ct)
    {
        foreach (var issuer in (await issuers.All(ct)).Where(a => a.Parent is not null))
        {
            if (await publication.IsDue(issuer.Name, ct))
            {
                _ = await publication.Publish(issuer, await keys.SignerOf(issuer.KeyLabel, ct), options.CrlLifetime, ct);
            }
        }

        Interlocked.Exchange(ref _succeededAt, clock.GetTimestamp());
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var tick = new PeriodicTimer(Look, clock);
        do
        {
            try
            {
                await Run(stoppingToken);
            }
            catch (Exception e) when (e is NpgsqlException or TokenException)
            {
                CaLog.CrlFailed(log, e);
            }
        }
        while (await tick.WaitForNextTickAsync(stoppingToken));
    }
}
