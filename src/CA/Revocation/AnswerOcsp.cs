using Microsoft.AspNetCore.Http;
using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Feed;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.Pkcs11;

namespace Trust.CA.Revocation;

/// <summary>
/// OCSP over plain HTTP (RFC 6960, RFC 5019): <c>POST /ocsp</c> and <c>GET /ocsp/{base64}</c>. Answers without nonce are cached per CertID
/// and dropped when the certificate changes. A serial number that was never issued is unknown, never good.
/// </summary>
internal sealed class AnswerOcsp
{
    private const string Status = $"""
        SELECT c.state, s.at, s.reason, c.sha256 FROM certificates c LEFT JOIN LATERAL ({RevokedSince.OfCertificate}) s ON true
        WHERE c.issuer = $1 AND c.serial = $2
        """;
    private static readonly Standing NeverIssued = new(new CertificateStatus.Unknown(), null);

    private readonly NpgsqlDataSource _db;
    private readonly OcspResponders _responders;
    private readonly CaOptions _options;
    private readonly TimeProvider _clock;

    /// <summary>Drops cached answers as the feed tells of changes.</summary>
    public AnswerOcsp(NpgsqlDataSource db, OcspResponders responders, CaOptions options, TimeProvider clock, FeedHub hub)
    {
        (_db, _responders, _options, _clock) = (db, responders, options, clock);
        hub.Listen(line =>
        {
            if (line is { Kind: "certificate", Id: { } sha256 })
            {
                Cache.Changed(sha256);
            }
        });
    }

    /// <summary>What is kept.</summary>
    internal OcspCache Cache { get; } = new();

    /// <summary>Answers a question in the body.</summary>
    public async Task<OcspAnswer> Post(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        return OcspRequest.TryParse(body.ToArray(), out var request) ? await Answer(request, null, context) : OcspAnswer.Malformed;
    }

    /// <summary>Answers a question in the path (RFC 6960 A.1).</summary>
    public ValueTask<OcspAnswer> Get(HttpContext context, string request) =>
        Cache.FindByText(request) is { } kept ? new ValueTask<OcspAnswer>(kept)
        : OcspRequest.TryParseGet(Uri.UnescapeDataString(request), out var parsed) ? new ValueTask<OcspAnswer>(Answer(parsed, request, context))
        : new ValueTask<OcspAnswer>(OcspAnswer.Malformed);

    private async Task<OcspAnswer> Answer(OcspRequest request, string? text, HttpContext context)
    {
        var ct = context.RequestAborted;
        if (request is not { Nonce: null, Certificates: [var only] })
        {
            return !MaySign(context, text) ? OcspAnswer.TooMany : await Make(request, ct) switch
            {
                Making.Signed signed => new OcspAnswer(signed.Response),
                Making.Refused refused => refused.Answer,
                _ => throw new InvalidOperationException("Unknown outcome of making an answer."),
            };
        }

        var key = OcspCache.KeyOf(only);
        if (Cache.Find(key, text) is { } kept)
        {
            return kept;
        }

        if (!MaySign(context, text))
        {
            return OcspAnswer.TooMany;
        }

        var generation = Cache.Generation;
        switch (await Make(request, ct))
        {
            case Making.Signed signed:
                // Half the answer's life, so that a reader's cache does not outlive it by ours.
                var answer = new KeptOcspAnswer(signed.Response, _clock.GetUtcNow() + (_options.OcspLifetime / 2), _clock);
                Cache.Keep(key, text, signed.Sha256, answer, generation);
                return answer;
            case Making.Refused refused:
                return refused.Answer;
            default:
                throw new InvalidOperationException("Unknown outcome of making an answer.");
        }
    }

    // A GET is counted among the answers from memory; one that is not there costs a signature, as each POST does.
    private static bool MaySign(HttpContext context, string? text) => text is null || context.MayAlso(Limit.Sign);

    private async Task<Making> Make(OcspRequest request, CancellationToken ct)
    {
        var issuer = await _responders.FindIssuer(request.Certificates[0], ct);
        if (issuer is null)
        {
            return new Making.Refused(OcspAnswer.Unauthorized);
        }

        var now = _clock.GetUtcNow();
        var responses = new List<SingleResponse>(request.Certificates.Count);
        string? sha256 = null;
        foreach (var id in request.Certificates)
        {
            if (!id.IsIssuedBy(issuer.Certificate))
            {
                // Of two issuers, for whom one signature cannot speak.
                return new Making.Refused(OcspAnswer.Unauthorized);
            }

            var standing = await FindStanding(issuer.Name, id.SerialNumber.ToArray(), ct);
            sha256 = standing.Sha256;
            responses.Add(new SingleResponse(id, standing.Status, now, now + _options.OcspLifetime));
        }

        return await _responders.Find(issuer, ct) is { } responder
            ? await Sign(responder, responses, request.Nonce, now, sha256, ct)
            : new Making.Refused(OcspAnswer.TryLater);
    }

    private static async Task<Making> Sign(
        OcspResponder responder, List<SingleResponse> responses, ReadOnlyMemory<byte>? nonce, DateTimeOffset now, string? sha256, CancellationToken ct)
    {
        var tbs = OcspResponse.EncodeTbs(responder.Certificate, now, responses, nonce);
        try
        {
            var raw = await responder.Signer(responder.Suite.DigestToSign(responder.Certificate.SubjectPublicKeyInfo, tbs), ct);
            return new Making.Signed(OcspResponse.Assemble(tbs, responder.Suite, raw, responder.Certificate), sha256);
        }
        catch (TokenException)
        {
            // The token's sessions for anonymous work may all be busy.
            return new Making.Refused(OcspAnswer.TryLater);
        }
    }

    private async Task<Standing> FindStanding(string issuer, byte[] serial, CancellationToken ct) =>
        await _db.Sql(Status).With(issuer).With(serial).One(
            r => new Standing(
                r.GetString(0) switch
                {
                    "good" => new CertificateStatus.Good(),
                    "hold" or "revoked" => new CertificateStatus.Revoked(r.GetFieldValue<DateTimeOffset>(1), (RevocationReason)r.GetInt16(2)),
                    _ => new CertificateStatus.Unknown(),
                },
                r.Nullable<string>(3)),
            ct) ?? NeverIssued;

    // What is known of a serial number; the certificate's hash is null before it is issued.
    private sealed record Standing(CertificateStatus Status, string? Sha256);

    private abstract record Making
    {
        public sealed record Signed(byte[] Response, string? Sha256) : Making;

        public sealed record Refused(OcspAnswer Answer) : Making;
    }
}
