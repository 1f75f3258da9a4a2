using System.Collections.Concurrent;
using Trust.Crypto.Asn1;
using Trust.Crypto.Jose;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.LiveStatus;
using Trust.Pkcs11;
using Trust.SignService.Keys;

namespace Trust.SignService.Seals;

/// <summary>What looking for a seal gives.</summary>
public abstract record SealOutcome
{
    private SealOutcome()
    {
    }

    /// <summary>A seal that may be used now.</summary>
    /// <param name="Row">As stored.</param>
    /// <param name="Certificates">Leaf first, root excluded.</param>
    /// <param name="Region">Governing region, as the registry says.</param>
    public sealed record Ready(SealRow Row, IReadOnlyList<Certificate> Certificates, string Region) : SealOutcome;

    /// <summary>None that may be used now.</summary>
    /// <param name="Why">The rule.</param>
    public sealed record Refused(Refusal Why) : SealOutcome;
}

/// <summary>
/// Finds an institution's seal and says whether it may be used now. The certificate's path is checked once a minute; its live status
/// and the institution's are asked for every time.
/// </summary>
public sealed class SealDirectory(SealStore seals, TrustAnchors anchors, EntitlementClient entitlements, IToken token, TimeProvider clock)
{
    private static readonly TimeSpan Keep = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<InstitutionId, Known> known = new();

    /// <summary>The seal, or why not.</summary>
    public async Task<SealOutcome> Find(InstitutionId institution, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (!known.TryGetValue(institution, out var entry) || entry.Until <= now)
        {
            if (await seals.Find(institution, ct) is not { Certificates.Count: > 0 } row)
            {
                return new SealOutcome.Refused(SealRefusals.NoSeal);
            }

            List<Certificate> certificates = [.. row.Certificates.Select(der => Certificate.Parse(der))];
            if (CertificatePath.Build(certificates[0], [.. anchors.Issuers, .. certificates], anchors.Roots, now, CertificateUsage.Seal, ct) is not PathOutcome.Trusted)
            {
                return new SealOutcome.Refused(SealRefusals.SealCertificate);
            }

            var end = certificates.Min(c => c.NotAfter);
            entry = known[institution] = new Known(row, certificates, now + Keep < end ? now + Keep : end);
        }

        return await entitlements.Check(new EntitlementQuestion(null, institution.Value, "seal", entry.Certificates[0].Sha256Hex), ct) switch
        {
            Entitlement.Permit permit => new SealOutcome.Ready(entry.Row, entry.Certificates, permit.Region),
            Entitlement.Deny deny => new SealOutcome.Refused(RegistryRefusals.From(deny)),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    /// <summary>Signs with the seal's key.</summary>
    /// <returns>base64url r‖s.</returns>
    public async Task<string> Sign(SealOutcome.Ready seal, ReadOnlyMemory<byte> signingInput, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(seal);
        return await Jws.Sign(signingInput, (digest, cancel) => token.Sign(new KeyRef(seal.Row.KeyLabel), digest, cancel), ct);
    }

    /// <summary>Forgets what is kept of an institution.</summary>
    public void Forget(InstitutionId institution) => known.TryRemove(institution, out _);

    private sealed record Known(SealRow Row, IReadOnlyList<Certificate> Certificates, DateTimeOffset Until);
}
