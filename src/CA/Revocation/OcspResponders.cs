using System.Collections.Concurrent;
using Npgsql;
using Trust.CA.Certificates;
using Trust.Crypto.Asn1;
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
/// OCSP key of the token (an SM2 one for SM2 issuers), never the CA's.
/// </summary>
public sealed class OcspResponders(
    NpgsqlDataSource db, IssuerDirectory issuers, CaKeys keys, IToken token, Issuance issuance, ProfileSet profiles, CaOptions options, TimeProvider clock)
    : IDisposable
{
    private const string Newest = """
        SELECT der FROM certificates WHERE issuer = $1 AND profile = 'ocsp' AND state = 'good' AND spki_sha256 = $2 ORDER BY not_after DESC LIMIT 1
        """;

    private readonly ConcurrentDictionary<string, OcspResponder> _ready = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _one = new(1, 1);

    /// <summary>The responder of the CA that issued a certificate; null when it is none of ours or is a root.</summary>
    public async Task<OcspResponder?> For(CertificateId id, CancellationToken ct)
    {
        foreach (var issuer in await issuers.All(ct))
        {
            if (issuer.Parent is not null && id.IsIssuedBy(issuer.Certificate))
            {
                return await Of(issuer, ct);
            }
        }

        return null;
    }

    /// <inheritdoc/>
    public void Dispose() => _one.Dispose();

    private async Task<OcspResponder> Of(Authority issuer, CancellationToken ct)
    {
        if (_ready.TryGetValue(issuer.Name, out var ready) && !IsAging(ready.Certificate))
        {
            return ready;
        }

        await _one.WaitAsync(ct);
        try
        {
            return _ready[issuer.Name] = await Make(issuer, ct);
        }
        finally
        {
            _ = _one.Release();
        }
    }

    private async Task<OcspResponder> Make(Authority issuer, CancellationToken ct)
    {
        var (label, algorithm) = issuer.Suite == SignatureSuite.Sm2Sm3 ? ("ocsp-sm2", KeyAlgorithm.Sm2) : ("ocsp", KeyAlgorithm.EcdsaP256);
        // Anyone may ask, and a nonce makes every question a new signature.
        var (spki, signer) = await keys.Ensure(token, label, algorithm, TokenLane.Anonymous, ct);
        var suite = SignatureSuite.ForKey(spki) ?? throw new InvalidOperationException("The OCSP key has no suite.");
        var kept = await db.Sql(Newest).With(issuer.Name).With(System.Security.Cryptography.SHA256.HashData(spki.Span)).One(r => r.GetFieldValue<byte[]>(0), ct);
        if (kept is not null && Certificate.Parse(kept) is var certificate && !IsAging(certificate))
        {
            return new OcspResponder(issuer, certificate, suite, signer);
        }

        var plan = CertificatePlan.Make(
            profiles["ocsp"], issuer, issuer.Suite, new CertificateSubject($"OCSP {issuer.Name}", null, []), spki, clock.GetUtcNow(), options.Base);
        var made = await issuance.IssueForSystem(plan, "ca", await keys.SignerOf(issuer.KeyLabel, ct), new Actor("ca"), ct);
        return new OcspResponder(issuer, made, suite, signer);
    }

    private bool IsAging(Certificate certificate) =>
        clock.GetUtcNow() > certificate.NotBefore + ((certificate.NotAfter - certificate.NotBefore) / 2);
}
