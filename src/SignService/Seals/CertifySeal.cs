using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Pkcs11;
using Trust.SignService.Keys;

namespace Trust.SignService.Seals;

/// <summary>The certificate an officer obtained for a seal.</summary>
/// <param name="Chain">PEM, leaf first.</param>
public sealed record SealCertificateRequest(string Chain);

/// <summary>Takes a seal's certificate, which is accepted only when our own CA issued it for this institution and this key.</summary>
internal sealed class CertifySeal(
    SealStore seals, SealDirectory directory, IToken token, TrustAnchors anchors, SystemStanding standing, Outbox outbox, NpgsqlDataSource db, TimeProvider clock)
{
    private const int LongestChain = 64 * 1024;

    /// <summary>Stores the chain without its root.</summary>
    public async Task<Results<NoContent, Refusal>> Handle(string institution, SealCertificateRequest request, HttpContext context)
    {
        var ct = context.RequestAborted;
        if (OwnSeal.Judge(context.Caller(), institution, out var own) is { } other)
        {
            return other;
        }

        if (await standing.Judge(context.Caller(), ct) is { } fallen)
        {
            return fallen;
        }

        if (await seals.Find(own, ct) is not { } seal || await token.Find(new KeyRef(seal.KeyLabel), ct) is not { } key)
        {
            return SealRefusals.UnknownSeal;
        }

        if (ReadChain(request.Chain) is not { Count: > 0 } chain)
        {
            return SealRefusals.MalformedCertificate;
        }

        var leaf = chain[0];
        if (!leaf.SubjectPublicKeyInfo.Span.SequenceEqual(key.SubjectPublicKeyInfo.Span) || !leaf.SubjectUris.Contains(own.Value, StringComparer.Ordinal))
        {
            return SealRefusals.OtherCertificate;
        }

        // A system may bring any certificate it was ever given, so an older one, perhaps revoked since, must not push out the one in use.
        if (seal.Certificates.Count > 0 && Certificate.Parse(seal.Certificates[0]).NotBefore > leaf.NotBefore)
        {
            return SealRefusals.OlderCertificate;
        }

        if (CertificatePath.Build(leaf, [.. anchors.Issuers, .. chain], anchors.Roots, clock.GetUtcNow(), CertificateUsage.Seal, ct) is not PathOutcome.Trusted trusted)
        {
            return SealRefusals.CertificateUntrusted;
        }

        if (await Store(context.Caller(), own, trusted, ct) is { } refusal)
        {
            return refusal;
        }

        directory.Forget(own);
        return TypedResults.NoContent();
    }

    private async Task<Refusal?> Store(Caller caller, InstitutionId institution, PathOutcome.Trusted trusted, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await SealStore.Certify(tx, institution, [.. trusted.Path.Take(trusted.Path.Count - 1).Select(c => c.Der.ToArray())], clock.GetUtcNow(), ct);
        if (await outbox.Record(tx, SealEvents.Of("KEY.activate", institution, caller, trusted.Path[0].Der.Span)) is { } refusal)
        {
            return refusal;
        }

        await tx.CommitAsync(CancellationToken.None);
        return null;
    }

    private static IReadOnlyList<Certificate>? ReadChain(string pem)
    {
        try
        {
            return pem.Length <= LongestChain ? Certificate.ParsePem(pem) : null;
        }
        catch (Exception e) when (e is CryptographicException or FormatException)
        {
            return null;
        }
    }
}
