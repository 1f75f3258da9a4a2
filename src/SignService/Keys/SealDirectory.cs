using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using Trust.Crypto.Asn1;
using Trust.Kernel.LiveStatus;
using Trust.Pkcs11;

namespace Trust.SignService.Keys;

/// <summary>A seal that may be used now.</summary>
/// <param name="Row">As stored.</param>
/// <param name="Certificates">Leaf first, root excluded.</param>
/// <param name="Region">Governing region, as the registry says.</param>
public sealed record ReadySeal(SealRow Row, IReadOnlyList<Certificate> Certificates, string Region);

/// <summary>
/// Finds an institution's seal and says whether it may be used now. The certificate's path is checked once a minute; its live status
/// and the institution's are asked for every time.
/// </summary>
public sealed class SealDirectory(SealStore seals, TrustAnchors anchors, EntitlementClient entitlements, IToken token, TimeProvider clock)
{
    private static readonly TimeSpan Keep = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<string, (SealRow Row, IReadOnlyList<Certificate> Certificates, DateTimeOffset Until)> known = new(StringComparer.Ordinal);

    /// <summary>The seal, or why not.</summary>
    public async Task<(ReadySeal? Seal, Refusal? Why)> Find(string institution, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (!known.TryGetValue(institution, out var entry) || entry.Until <= now)
        {
            if (await seals.Find(institution, ct) is not { Certificates.Count: > 0 } row)
            {
                return (null, Refusal.Conflict("no-seal", "The institution has no certified seal yet."));
            }

            List<Certificate> certificates = [.. row.Certificates.Select(der => Certificate.Parse(der))];
            if (CertificatePath.Build(certificates[0], [.. anchors.Issuers, .. certificates], anchors.Roots, now, CertificateUsage.Seal, ct) is not PathOutcome.Trusted)
            {
                return (null, Refusal.Conflict("seal-certificate", "The seal's certificate is not valid now."));
            }

            var end = certificates.Min(c => c.NotAfter);
            entry = known[institution] = (row, certificates, now + Keep < end ? now + Keep : end);
        }

        return await entitlements.Check(new EntitlementQuestion(null, institution, "seal", entry.Certificates[0].Sha256Hex), ct) switch
        {
            Entitlement.Permit permit => (new ReadySeal(entry.Row, entry.Certificates, permit.Region), null),
            Entitlement.Deny { Reason: "status-unknown" } =>
                (null, Refusal.Unavailable("status-unknown", "The registry does not answer, and nothing is sealed on old knowledge. Try again shortly.")),
            Entitlement.Deny deny => (null, Refusal.Forbidden(deny.Reason, "The registry does not permit the institution to seal now.")),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    /// <summary>Signs with the seal's key.</summary>
    /// <returns>base64url r‖s.</returns>
    public async Task<string> Sign(ReadySeal seal, ReadOnlyMemory<byte> signingInput, CancellationToken ct) =>
        Base64Url.EncodeToString(await token.Sign(new KeyRef(seal.Row.KeyLabel), SHA256.HashData(signingInput.Span), ct));

    /// <summary>Forgets what is kept of an institution.</summary>
    public void Forget(string institution) => known.TryRemove(institution, out _);
}
