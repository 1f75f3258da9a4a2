using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.SignService.Keys;
using Trust.SignService.Timestamps;

namespace Trust.SignService.Signatures;

/// <summary>What is to be sealed.</summary>
/// <param name="Payload">base64, 1 byte to 128 KiB.</param>
public sealed record SealRequest(byte[] Payload);

/// <summary>A seal.</summary>
/// <param name="Id">Names the document inside the seal (<c>urn:uuid:…</c>).</param>
/// <param name="Protected">base64url header.</param>
/// <param name="Signature">base64url r‖s over header "." payload.</param>
/// <param name="Timestamp">RFC 3161 token over the ASCII of <paramref name="Signature"/>.</param>
public sealed record SealResponse(Guid Id, string Protected, string Signature, byte[] Timestamp);

/// <summary>
/// <c>POST /seals/{institution}/signatures</c> (scope <c>seal</c>): the institution's own system has its seal put on a document. The intent
/// is confirmed by the ledger before the token signs; the document itself is not kept.
/// </summary>
public static class SealDocument
{
    private const int MaxBytes = 128 * 1024;

    private const string FindRow = "SELECT id, payload_sha256, protected, signature, time_stamp FROM sealed_documents WHERE request_key = $1";
    private const string FindById = "SELECT id, payload_sha256, protected, signature, time_stamp FROM sealed_documents WHERE id = $1";

    private const string Announce = """
        WITH act AS (
            INSERT INTO sealed_documents (id, region, institution, payload_sha256, protected, request_key, created_at) VALUES ($6, $7, $8, $9, $10, $11, $12)
            ON CONFLICT (request_key) DO NOTHING RETURNING 1)
        """ + Outbox.Trace;

    private const string AnnounceAgain = "WITH act AS (SELECT 1 FROM sealed_documents WHERE id = $6 AND completed_at IS NULL)" + Outbox.Trace;

    private const string Complete = """
        WITH act AS (UPDATE sealed_documents SET signature = $7, time_stamp = $8, completed_at = $9 WHERE id = $6 AND completed_at IS NULL RETURNING 1)
        """ + Outbox.Trace;

    /// <summary>Maps the endpoint.</summary>
    public static void Map(IEndpointRouteBuilder app) =>
        app.MapPost("/seals/{institution}/signatures", Handle).RequireScope("seal").IdempotentByItsRow();

    private static async Task<Results<Ok<SealResponse>, ProblemHttpResult>> Handle(
        string institution, SealRequest request, HttpContext context, SealDirectory seals, Sealing sealing, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        if (!string.Equals(caller.Institution, institution, StringComparison.Ordinal))
        {
            return Refusal.Forbidden("other-institution", "A system seals for its own institution only.").ToProblem(problems);
        }

        if (request.Payload.Length is 0 or > MaxBytes)
        {
            return Refusal.Content("payload-size", "A document of 1 byte to 128 KiB is sealed.").ToProblem(problems);
        }

        var (seal, why) = await seals.Find(institution, ct);
        if (seal is null)
        {
            return why!.ToProblem(problems);
        }

        var (response, refusal) = await sealing.Run(seal, caller, request.Payload, context.IdempotencyKey(), ct);
        return response is not null ? TypedResults.Ok(response) : refusal!.ToProblem(problems);
    }

    /// <summary>The durable steps of one seal.</summary>
    public sealed class Sealing(
        NpgsqlDataSource db, Outbox outbox, SealDirectory seals, TimeStampAuthority authority, SignOptions options, CommitPoints points, TimeProvider clock)
    {
        private readonly ConcurrentDictionary<string, bool> _running = new(StringComparer.Ordinal);

        /// <summary>Seals, or goes on where an earlier attempt with the key stopped.</summary>
        public async Task<(SealResponse? Response, Refusal? Why)> Run(ReadySeal seal, Caller caller, byte[] payload, string key, CancellationToken ct)
        {
            if (!_running.TryAdd(key, true))
            {
                return (null, Refusal.Conflict("idempotency-in-flight", "The first request with this key is still running; ask again shortly."));
            }

            try
            {
                return await Steps(seal, caller, payload, key, ct);
            }
            finally
            {
                _running.TryRemove(key, out _);
            }
        }

        private async Task<(SealResponse? Response, Refusal? Why)> Steps(ReadySeal seal, Caller caller, byte[] payload, string key, CancellationToken ct)
        {
            var now = clock.GetUtcNow();
            var attempt = new Attempt(Guid.CreateVersion7(now), SHA256.HashData(payload), "", null, null);
            attempt = attempt with { Protected = Jades.Protect(seal.Certificates, now, options.SignaturePolicy, SignatureKind.Seal, "urn:uuid:" + attempt.Id.ToString("D")) };
            points.Pass(CommitPoints.BeforeIntent);
            var announced = await outbox.CommitConfirmed(Event(seal, caller, attempt, "SIGN.request"), Announce, c => c
                .With(attempt.Id).With(seal.Region).With(seal.Row.Institution).With(attempt.PayloadSha256).With(attempt.Protected).With(key).With(now), ct);
            if (announced is ConfirmOutcome.NoEffect)
            {
                // The key was used before.
                var hash = attempt.PayloadSha256;
                attempt = await db.Sql(FindRow).With(key).One(Read, ct) ?? throw new InvalidOperationException("An attempt vanished.");
                if (!attempt.PayloadSha256.AsSpan().SequenceEqual(hash))
                {
                    return (null, Refusal.Content("idempotency-mismatch", "This Idempotency-Key was used with another document; choose a new key."));
                }

                if (attempt.Signature is not null)
                {
                    return (Released(attempt), null);
                }

                announced = await outbox.CommitConfirmed(Event(seal, caller, attempt, "SIGN.request"), AnnounceAgain, c => c.With(attempt.Id), ct);
            }

            return announced switch
            {
                ConfirmOutcome.Confirmed => await Seal(seal, caller, payload, attempt),
                ConfirmOutcome.Refused refused => (null, Refusal.From(refused.Reason)),
                ConfirmOutcome.NoEffect => await Other(attempt.Id),
                _ => (null, Refusal.Unavailable("ledger-unconfirmed", "The audit ledger has not confirmed the act yet; ask again with the same key.")),
            };
        }

        // Announced: from here on a caller hanging up loses nothing.
        private async Task<(SealResponse? Response, Refusal? Why)> Seal(ReadySeal seal, Caller caller, byte[] payload, Attempt attempt)
        {
            points.Pass(CommitPoints.AfterIntent);
            var signature = await seals.Sign(seal, Jades.SigningInput(attempt.Protected, payload), CancellationToken.None);
            if (await authority.Stamp(Jades.TimeStampInput(signature), CancellationToken.None) is not StampOutcome.Stamped stamp)
            {
                return (null, Refusal.Unavailable("time-not-available", "No time-stamp can be given now; try again with the same key."));
            }

            points.Pass(CommitPoints.AfterAct);
            var recorded = await outbox.Commit(Event(seal, caller, attempt, "SIGN.done"), Complete, c => c
                .With(attempt.Id).With(signature).With(stamp.Token).With(clock.GetUtcNow()));
            points.Pass(CommitPoints.AfterResult);
            return recorded switch
            {
                CommitOutcome.Committed => (Released(attempt with { Signature = signature, TimeStamp = stamp.Token }), null),
                CommitOutcome.Refused refused => (null, Refusal.From(refused.Reason)),
                _ => await Other(attempt.Id),
            };
        }

        // Another instance took the same attempt to its end first: its seal is the one, ours is thrown away unseen.
        private async Task<(SealResponse? Response, Refusal? Why)> Other(Guid id) =>
            (Released(await db.Sql(FindById).With(id).One(Read, CancellationToken.None) ?? throw new InvalidOperationException("An attempt vanished.")), null);

        private static SealResponse Released(Attempt attempt) => new(attempt.Id, attempt.Protected, attempt.Signature!, attempt.TimeStamp!);

        private AuditEvent Event(ReadySeal seal, Caller caller, Attempt attempt, string action)
        {
            var certificate = seal.Certificates[0].Sha256Hex;
            return new AuditEvent
            {
                Action = action,
                Actor = new Actor(caller.Subject, certificate, caller.Role, seal.Row.Institution),
                Subjects = [SubjectKey.Institution(seal.Row.Institution), SubjectKey.Certificate(certificate), SubjectKey.Of("document", attempt.Id.ToString("D"))],
                Outcome = EventOutcome.Success,
                Purpose = "OPERATIONS",
                Basis = "sha256:" + Convert.ToHexStringLower(attempt.PayloadSha256),
                RuleVersion = options.RuleVersion,
                Correlation = attempt.Id.ToString("D"),
            };
        }

        private static Attempt Read(NpgsqlDataReader r) => new(r.GetGuid(0), r.GetFieldValue<byte[]>(1), r.GetString(2), r.Nullable<string>(3), r.Nullable<byte[]>(4));

        private sealed record Attempt(Guid Id, byte[] PayloadSha256, string Protected, string? Signature, byte[]? TimeStamp);
    }
}
