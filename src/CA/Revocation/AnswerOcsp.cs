using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Feed;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.Pkcs11;

namespace Trust.CA.Revocation;

/// <summary>
/// OCSP over plain HTTP (RFC 6960, RFC 5019): <c>POST /ocsp</c> and <c>GET /ocsp/{base64}</c>. Answers without nonce are cached per serial
/// number and dropped when the certificate changes. A serial number that was never issued is unknown, never good.
/// </summary>
public sealed class AnswerOcsp
{
    private const string MediaType = "application/ocsp-response";
    private const int MaxCached = 100_000;
    private const string UnknownSerial = "";
    private const string Status = """
        SELECT c.state, s.at, s.reason FROM certificates c
        LEFT JOIN LATERAL (SELECT at, reason FROM certificate_states s WHERE s.sha256 = c.sha256 ORDER BY id DESC LIMIT 1) s ON true
        WHERE c.issuer = $1 AND c.serial = $2
        """;

    private readonly ConcurrentDictionary<string, Cached> _cache = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ConcurrentBag<string>> _keysOf = new(StringComparer.Ordinal);
    private readonly NpgsqlDataSource _db;
    private readonly OcspResponders _responders;
    private readonly CaOptions _options;
    private readonly TimeProvider _clock;
    private long _generation;

    /// <summary>Drops cached answers as the feed tells of changes.</summary>
    public AnswerOcsp(NpgsqlDataSource db, OcspResponders responders, CaOptions options, TimeProvider clock, FeedHub hub)
    {
        (_db, _responders, _options, _clock) = (db, responders, options, clock);
        hub.Listen(line =>
        {
            if (line.Kind is "certificate")
            {
                // Whatever is being computed from older rows must not enter the cache either.
                _ = Interlocked.Increment(ref _generation);
                Drop(line.Id ?? UnknownSerial);
                Drop(UnknownSerial);
            }
        });
    }

    /// <summary>Maps both forms.</summary>
    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapPost("/ocsp", (HttpContext context, AnswerOcsp ocsp) => ocsp.Post(context)).AllowAnonymous();
        app.MapGet("/ocsp/{**request}", (HttpContext context, string request, AnswerOcsp ocsp) => ocsp.Get(context, request)).AllowAnonymous();
    }

    private async Task Post(HttpContext context)
    {
        using var body = new MemoryStream();
        if (context.Request.ContentLength is > OcspRequest.MaxBytes)
        {
            await Write(context, OcspResponse.Error(OcspError.MalformedRequest));
            return;
        }

        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        await Write(context, OcspRequest.TryParse(body.ToArray(), out var request)
            ? await Answer(request, context.RequestAborted)
            : OcspResponse.Error(OcspError.MalformedRequest));
    }

    private async Task Get(HttpContext context, string base64)
    {
        if (_cache.TryGetValue(base64, out var cached) && cached.Until > _clock.GetUtcNow())
        {
            SetCaching(context, cached.Until);
            await Write(context, cached.Response);
            return;
        }

        var generation = Interlocked.Read(ref _generation);
        if (!OcspRequest.TryParseGet(Uri.UnescapeDataString(base64), out var request))
        {
            await Write(context, OcspResponse.Error(OcspError.MalformedRequest));
            return;
        }

        var response = await Answer(request, context.RequestAborted);
        if (request is { Nonce: null, Certificates.Count: 1 } && response.Length > 16)
        {
            await Keep(base64, request.Certificates[0], response, generation, context);
        }

        await Write(context, response);
    }

    private void Drop(string sha256)
    {
        if (_keysOf.TryRemove(sha256, out var keys))
        {
            foreach (var key in keys)
            {
                _ = _cache.TryRemove(key, out _);
            }
        }
    }

    private async Task Keep(string key, CertificateId id, byte[] response, long generation, HttpContext context)
    {
        // Half the answer's life, so that a reader's cache does not outlive it by ours.
        var until = _clock.GetUtcNow() + (_options.OcspLifetime / 2);
        SetCaching(context, until);
        if (_cache.Count >= MaxCached)
        {
            _cache.Clear();
            _keysOf.Clear();
        }

        var responder = await _responders.For(id, context.RequestAborted);
        var sha256 = responder is null ? null : await _db.Sql("SELECT sha256 FROM certificates WHERE issuer = $1 AND serial = $2")
            .With(responder.Issuer.Name).With(id.SerialNumber.ToArray()).Scalar<string>(context.RequestAborted);
        if (generation == Interlocked.Read(ref _generation))
        {
            _keysOf.GetOrAdd(sha256 ?? UnknownSerial, _ => []).Add(key);
            _cache[key] = new Cached(response, until);
        }
    }

    private async Task<byte[]> Answer(OcspRequest request, CancellationToken ct)
    {
        var now = _clock.GetUtcNow();
        var responses = new List<SingleResponse>();
        OcspResponder? responder = null;
        foreach (var id in request.Certificates)
        {
            var found = await _responders.For(id, ct);
            if (found is null || (responder is not null && found != responder))
            {
                // RFC 5019 2.2.3: not ours to answer, or of two issuers, whom one signature cannot speak for.
                return OcspResponse.Error(OcspError.Unauthorized);
            }

            responder = found;
            responses.Add(new SingleResponse(id, await StatusOf(found.Issuer.Name, id.SerialNumber.ToArray(), ct), now, now + _options.OcspLifetime));
        }

        if (responder is null)
        {
            return OcspResponse.Error(OcspError.MalformedRequest);
        }

        var tbs = OcspResponse.EncodeTbs(responder.Certificate, now, responses, request.Nonce);
        try
        {
            var raw = await responder.Signer(responder.Suite.DigestToSign(responder.Certificate.SubjectPublicKeyInfo, tbs), ct);
            return OcspResponse.Assemble(tbs, responder.Suite, raw, responder.Certificate);
        }
        catch (TokenException)
        {
            // RFC 6960 2.3: the responder is there and cannot sign at the moment. Strangers' sessions may be full.
            return OcspResponse.Error(OcspError.TryLater);
        }
    }

    private async Task<CertificateStatus> StatusOf(string issuer, byte[] serial, CancellationToken ct) =>
        await _db.Sql(Status).With(issuer).With(serial).One<CertificateStatus>(
            r => r.GetString(0) switch
            {
                "good" => new CertificateStatus.Good(),
                "hold" or "revoked" => new CertificateStatus.Revoked(r.GetFieldValue<DateTimeOffset>(1), (RevocationReason)r.GetInt16(2)),
                _ => new CertificateStatus.Unknown(),
            },
            ct) ?? new CertificateStatus.Unknown();

    private void SetCaching(HttpContext context, DateTimeOffset until) =>
        context.Response.Headers.CacheControl = $"max-age={Math.Max(0, (int)(until - _clock.GetUtcNow()).TotalSeconds)}, public, no-transform, must-revalidate";

    private static async Task Write(HttpContext context, byte[] response)
    {
        context.Response.ContentType = MediaType;
        context.Response.ContentLength = response.Length;
        await context.Response.Body.WriteAsync(response, context.RequestAborted);
    }

    private sealed record Cached(byte[] Response, DateTimeOffset Until);
}
