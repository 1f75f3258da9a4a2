using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;
using Trust.CA.Certificates;
using Trust.Kernel.Hosting;

namespace Trust.CA.Revocation;

/// <summary>A list as it is published.</summary>
/// <param name="Number">CRL number.</param>
/// <param name="Der">Its bytes.</param>
/// <param name="ThisUpdate">When it was made.</param>
/// <param name="FeedSeq">Changes of the feed up to here are inside.</param>
public sealed record PublishedList(long Number, byte[] Der, DateTimeOffset ThisUpdate, long FeedSeq);

/// <summary><c>GET /crl/{issuer}.crl</c> and <c>GET /ca/{issuer}.cer</c>, over plain HTTP: what is signed needs no TLS (RFC 5280 8).</summary>
internal sealed class ServeLists(CrlPublication publication, IssuerDirectory issuers, TimeProvider clock)
{
    // As long as a change may take to be listed: anonymous questions do not reach the database more often.
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, Held> _held = new(StringComparer.Ordinal);

    /// <summary>An issuer's latest list, with what caches ask by (RFC 9110 section 8.8); they revalidate, since a list may be replaced within a second.</summary>
    public async Task<Results<FileContentHttpResult, Refusal>> List(HttpContext context, string file, CancellationToken ct)
    {
        if (TryName(file, ".crl") is not { } name || await Latest(name, ct) is not { } list)
        {
            return CaRefusals.NoSuchList;
        }

        context.Response.Headers.CacheControl = "public, no-cache";
        return TypedResults.Bytes(
            list.Der, "application/pkix-crl", lastModified: list.ThisUpdate,
            entityTag: new EntityTagHeaderValue(FormattableString.Invariant($"\"{list.Number}\"")));
    }

    /// <summary>An issuer's certificate.</summary>
    public async Task<Results<FileContentHttpResult, Refusal>> Certificate(string file, CancellationToken ct) =>
        TryName(file, ".cer") is { } name && await issuers.Find(name, ct) is { } issuer
            ? TypedResults.Bytes(issuer.Certificate.Der.ToArray(), "application/pkix-cert") : CaRefusals.NoSuchList;

    private async Task<PublishedList?> Latest(string issuer, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (_held.TryGetValue(issuer, out var held) && held.Until > now)
        {
            return held.List;
        }

        if (await publication.Find(issuer, ct) is not { } list)
        {
            return null;
        }

        _held[issuer] = new Held(list, now + Fresh);
        return list;
    }

    private sealed record Held(PublishedList List, DateTimeOffset Until);

    private static string? TryName(string file, string extension) =>
        file.Length <= 64 && file.EndsWith(extension, StringComparison.Ordinal) ? file[..^extension.Length] : null;
}
