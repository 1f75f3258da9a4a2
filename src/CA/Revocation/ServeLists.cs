using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Trust.CA.Certificates;

namespace Trust.CA.Revocation;

/// <summary><c>GET /crl/{issuer}.crl</c> and <c>GET /ca/{issuer}.cer</c>, over plain HTTP: what is signed needs no TLS (RFC 5280 8).</summary>
public static class ServeLists
{
    /// <summary>Maps both.</summary>
    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/crl/{file}", Crl).AllowAnonymous();
        app.MapGet("/ca/{file}", Issuer).AllowAnonymous();
    }

    private static async Task<Results<FileContentHttpResult, NotFound>> Crl(HttpContext context, string file, CrlPublication publication)
    {
        var der = NameOf(file, ".crl") is { } name ? await publication.Find(name, context.RequestAborted) : null;
        return der is null ? TypedResults.NotFound() : TypedResults.Bytes(der, "application/pkix-crl");
    }

    private static async Task<Results<FileContentHttpResult, NotFound>> Issuer(HttpContext context, string file, IssuerDirectory issuers)
    {
        var issuer = NameOf(file, ".cer") is { } name ? await issuers.Find(name, context.RequestAborted) : null;
        return issuer is null ? TypedResults.NotFound() : TypedResults.Bytes(issuer.Certificate.Der.ToArray(), "application/pkix-cert");
    }

    private static string? NameOf(string file, string extension) =>
        file.Length <= 64 && file.EndsWith(extension, StringComparison.Ordinal) ? file[..^extension.Length] : null;
}
