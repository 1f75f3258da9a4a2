using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Logging;
using Trust.CA.Certificates;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;

namespace Trust.CA.Revocation;

/// <summary>
/// Publishes a new CRL within a second of a change, and at the latest every interval. Roots publish at the ceremony. An issuer whose
/// list cannot be signed waits by itself, while the others' lists go on; the round fails for as long as any of them waits.
/// </summary>
public sealed class CrlPublisher(
    CrlPublication publication, IssuerDirectory issuers, CaKeys keys, CaOptions options, OutboxState head, TimeProvider clock, ILogger<CrlPublisher> log) : IReadinessCheck
{
    /// <summary>From one round to the next, whether it failed or not.</summary>
    internal static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly Backoff<string> _backoff = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30), clock);
    private readonly Dictionary<string, Exception> _failing = new(StringComparer.Ordinal);
    private volatile bool _published;

    /// <inheritdoc/>
    public string Name => "crl";

    /// <inheritdoc/>
    public ValueTask<Readiness> Check(CancellationToken ct) =>
        ValueTask.FromResult(_published ? new Readiness(true, "every issuer has a list") : new Readiness(false, "no CRL published yet"));

    /// <summary>Publishes what is due.</summary>
    public async Task Round(CancellationToken ct)
    {
        // From an older database would come a list that lacks revocations, under a number that was used.
        if (!head.HeadCompared)
        {
            return;
        }

        foreach (var issuer in (await issuers.All(ct)).Where(a => a.Parent is not null && _backoff.IsDue(a.Name)))
        {
            await Publish(issuer, ct);
        }

        if (_failing.Values.FirstOrDefault() is { } e)
        {
            ExceptionDispatchInfo.Throw(e);
        }

        _published = true;
    }

    private async Task Publish(Authority issuer, CancellationToken ct)
    {
        try
        {
            if (await publication.IsDue(issuer.Name, ct))
            {
                await publication.Publish(issuer, await keys.SignerOf(issuer.KeyLabel, ct), options.CrlLifetime, ct);
            }

            _failing.Remove(issuer.Name);
            _backoff.Done(issuer.Name);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            throw;
        }
#pragma warning disable CA1031 // Whatever is wrong with this issuer, the others' lists must go on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            if (_failing.TryAdd(issuer.Name, e))
            {
                CaLog.CrlFailed(log, issuer.Name, e);
            }

            _backoff.Failed(issuer.Name);
        }
    }
}
