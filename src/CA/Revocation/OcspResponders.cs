using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Trust.CA.Certificates;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.Pkcs11;

namespace Trust.CA.Revocation;

/// <summary>A delegated responder of one issuer.</summary>
/// <param name="Issuer">The CA whose certificates it speaks for.</param>
/// <param name="Certificate">Its own, short-lived certificate.</param>
/// <param name="Suite">Its suite.</param>
/// <param name="Signer">Its key.</param>
public sealed record OcspResponder(Authority Issuer, Certificate Certificate, SignatureSuite Suite, DigestSigner Signer);

/// <summary>
/// Keeps one delegated responder per issuer, its 30-day certificate renewed by the service itself at half its life. The key is the
/// OCSP key of the token (an SM2 one for SM2 issuers), never the CA's. The certificate is issued for the service, not for whoever asked
/// first: a caller who hangs up stops nothing. While none can be issued, the one before is used for as long as it is valid, and after a
/// failure it is not tried again for each question.
/// </summary>
public sealed class OcspResponders(
    NpgsqlDataSource db, IssuerDirectory issuers, CaKeys keys, IToken token, Issuance issuance, ProfileSet profiles, CaOptions options, TimeProvider clock,
    IHostApplicationLifetime lifetime, ILogger<OcspResponders> log)
    : IDisposable
{
    private const string Newest = """
        SELECT der FROM certificates WHERE issuer = $1 AND profile = 'ocsp' AND state = 'good' AND spki_sha256 = $2 ORDER BY not_after DESC LIMIT 1
        """;

    /// <summary>The responders' keys, where the token holds them.</summary>
    internal static IReadOnlyList<KeyRef> Keys { get; } = [new("ocsp"), new("ocsp-sm2")];

    private readonly ConcurrentDictionary<string, OcspResponder> _ready = new(StringComparer.Ordinal);
    private readonly Backoff<string> _backoff = new(TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(1), clock);
    private readonly SemaphoreSlim _one = new(1, 1);

    /// <summary>The CA that a question is about; null when it is none of ours or is a root, whose certificates its list alone speaks of.</summary>
    public async Task<Authority?> FindIssuer(CertificateId id, CancellationToken ct)
    {
        foreach (var issuer in await issuers.All(ct))
        {
            if (issuer.Parent is not null && id.IsIssuedBy(issuer.Certificate))
            {
                return issuer;
            }
        }

        return null;
    }

    /// <summary>The responder that speaks for a CA; null while there is none and none can be made.</summary>
    public async Task<OcspResponder?> Find(Authority issuer, CancellationToken ct)
    {
        var kept = _ready.GetValueOrDefault(issuer.Name);
        if (kept is not null && !IsAging(kept.Certificate))
        {
            return kept;
        }

        if (_backoff.IsDue(issuer.Name))
        {
            await _one.WaitAsync(ct);
            try
            {
                await Renew(issuer);
            }
            finally
            {
                _ = _one.Release();
            }
        }

        return _ready.TryGetValue(issuer.Name, out var ready) && clock.GetUtcNow() <= ready.Certificate.NotAfter ? ready : null;
    }

    /// <inheritdoc/>
    public void Dispose() => _one.Dispose();

    // A caller that waited for the gate finds the renewal done, or just failed and backing off.
    private async Task Renew(Authority issuer)
    {
        if ((_ready.TryGetValue(issuer.Name, out var ready) && !IsAging(ready.Certificate)) || !_backoff.IsDue(issuer.Name))
        {
            return;
        }

        try
        {
            _ready[issuer.Name] = await Make(issuer, lifetime.ApplicationStopping);
            _backoff.Done(issuer.Name);
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            throw;
        }
#pragma warning disable CA1031 // Whatever failed, the question is answered with what there is.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _backoff.Failed(issuer.Name);
            CaLog.ResponderFailed(log, issuer.Name, e);
        }
    }

    private async Task<OcspResponder> Make(Authority issuer, CancellationToken ct)
    {
        var (label, algorithm) = issuer.Suite == SignatureSuite.Sm2Sm3 ? ("ocsp-sm2", KeyAlgorithm.Sm2) : ("ocsp", KeyAlgorithm.EcdsaP256);
        // Anyone may ask, and a nonce makes every question a new signature.
        var (spki, signer) = await keys.Ensure(token, label, algorithm, TokenLane.Anonymous, ct);
        var suite = SignatureSuite.ForKey(spki) ?? throw new InvalidOperationException("The OCSP key has no suite.");
        if (await FindKept(issuer, spki, ct) is { } kept)
        {
            // A certificate that is due for renewal still serves until the new one is there.
            var before = new OcspResponder(issuer, kept, suite, signer);
            _ready[issuer.Name] = before;
            if (!IsAging(kept))
            {
                return before;
            }
        }

        var plan = CertificatePlan.Make(
            profiles["ocsp"], issuer, issuer.Suite, new CertificateSubject($"OCSP {issuer.Name}", null, []), spki, clock.GetUtcNow(), options.Base);
        var made = await issuance.IssueForSystem(plan, "ca", await keys.SignerOf(issuer.KeyLabel, ct), new Actor("ca"));
        return new OcspResponder(issuer, made, suite, signer);
    }

    private async Task<Certificate?> FindKept(Authority issuer, ReadOnlyMemory<byte> spki, CancellationToken ct) =>
        await db.Sql(Newest).With(issuer.Name).With(SHA256.HashData(spki.Span)).One(r => r.GetFieldValue<byte[]>(0), ct) is { } der
            ? Certificate.Parse(der) : null;

    private bool IsAging(Certificate certificate) =>
        clock.GetUtcNow() > certificate.NotBefore + ((certificate.NotAfter - certificate.NotBefore) / 2);
}
