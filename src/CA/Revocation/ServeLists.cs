using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.CA.Certificates;
using Trust.Kernel.Hosting;

namespace Trust.CA.Revocation;

/// <summary><c>GET /crl/{issuer}.crl</c> and <c>GET /ca/{issuer}.cer</c>, over plain HTTP: what is signed needs no TLS (RFC 5280 8).</summary>
internal sealed class ServeLists(CrlPublication publication, IssuerDirectory issuers)
{
    /// <summary>An issuer's latest list.</summary>
    public async Task<Results<FileContentHttpResult, Refusal>> List(string file, CancellationToken ct) =>
        TryName(file, ".crl") is { } name && await publication.Find(name, ct) is { } der
            ? TypedResults.Bytes(der, "application/pkix-crl") : CaRefusals.NoSuchList;

    /// <summary>An issuer's certificate.</summary>
    public async Task<Results<FileContentHttpResult, Refusal>> Certificate(string file, CancellationToken ct) =>
        TryName(file, ".cer") is { } name && await issuers.Find(name, ct) is { } issuer
            ? TypedResults.Bytes(issuer.Certificate.Der.ToArray(), "application/pkix-cert") : CaRefusals.NoSuchList;

    private static string? TryName(string file, string extension) =>
        file.Length <= 64 && file.EndsWith(extension, StringComparison.Ordinal) ? file[..^extension.Length] : null;
}
