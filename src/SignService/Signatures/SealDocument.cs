using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
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

    private const string InsertRow = """
        INSERT INTO sealed_documents (id, region, institution, payload_sha256, protected, request_key, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        """;

    private const string CompleteRow = "UPDATE sealed_documents SET signature = $2, time_stamp = $3, completed_at = $4 WHERE id = $1 AND completed_at IS NULL";

    /// <summary>Maps the endpoint.</summary>
    public static void Map(IEndpointRouteBuilder app) =>
        app.MapPost("/seals/{institution}/signatures", Handle).RequireScope("seal").Idempotent();

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
        /// <summary>Seals, or goes on where an earlier attempt with the key stopped.</summary>
        public async Task<(SealResponse? Response, Refusal? Why)> Run(ReadySeal seal, Caller caller, byte[] payload, string key, CancellationToken ct)
        {
            var hash = SHA256.HashData(payload);
            var attempt = await db.Sql(FindRow).With(key).One(Read, ct);
            if (attempt is not null && !attempt.PayloadSha256.AsSpan().SequenceEqual(hash))
            {
                return (null, Refusal.Content("idempotency-mismatch", "This Idempotency-Key was used with another document; choose a new key."));
            }

            if (attempt is { Signature: { } made })
            {
                return (new SealResponse(attempt.Id, attempt.Protected, made, attempt.TimeStamp!), null);
            }

            var now = clock.GetUtcNow();
            var id = attempt?.Id ?? Guid.CreateVersion7(now);
            var header = attempt?.Protected ?? Jades.Protect(seal.Certificates, now, options.SignaturePolicy, SignatureKind.Seal, "urn:uuid:" + id.ToString("D"));
            points.Pass(CommitPoints.BeforeIntent);
            var e = Event(seal, caller, id, hash);
            if (await Announce(seal, id, hash, header, key, now, attempt is null, e with { Action = "SIGN.request" }, ct) is { } refusal)
            {
                return (null, refusal);
            }

            points.Pass(CommitPoints.AfterIntent);
            var signature = await seals.Sign(seal, Jades.SigningInput(header, payload), CancellationToken.None);
            if (await authority.Stamp(Jades.TimeStampInput(signature), CancellationToken.None) is not StampOutcome.Stamped stamp)
            {
                return (null, Refusal.Unavailable("time-not-available", "No time-stamp can be given now; try again with the same key."));
            }

            points.Pass(CommitPoints.AfterAct);
            refusal = await Record(id, signature, stamp.Token, e with { Action = "SIGN.done" });
            points.Pass(CommitPoints.AfterResult);
            return refusal is null ? (new SealResponse(id, header, signature, stamp.Token), null) : (null, refusal);
        }

        private async Task<Refusal?> Announce(
            ReadySeal seal, Guid id, byte[] hash, string header, string key, DateTimeOffset now, bool isNew, AuditEvent intent, CancellationToken ct)
        {
            await using var connection = await db.OpenConnectionAsync(ct);
            await using var tx = await connection.BeginTransactionAsync(ct);
            if (isNew)
            {
                await tx.Sql(InsertRow).With(id).With(seal.Region).With(seal.Row.Institution).With(hash).With(header).With(key).With(now).Execute(ct);
            }

            return await outbox.AppendConfirmed(tx, intent, ct) switch
            {
                ConfirmOutcome.Confirmed => null,
                ConfirmOutcome.Refused refused => Refusal.From(refused.Reason),
                _ => Refusal.Unavailable("ledger-unconfirmed", "The audit ledger has not confirmed the act yet; ask again with the same key."),
            };
        }

        private async Task<Refusal?> Record(Guid id, string signature, byte[] token, AuditEvent done)
        {
            await using var connection = await db.OpenConnectionAsync(CancellationToken.None);
            await using var tx = await connection.BeginTransactionAsync(CancellationToken.None);
            if (await tx.Sql(CompleteRow).With(id).With(signature).With(token).With(clock.GetUtcNow()).Execute(CancellationToken.None) != 1)
            {
                return Refusal.Conflict("already-completed", "This seal was completed by another request.");
            }

            if (await outbox.Append(tx, done, CancellationToken.None) is AppendOutcome.Refused refused)
            {
                return Refusal.From(refused.Reason);
            }

            await tx.CommitAsync(CancellationToken.None);
            return null;
        }

        private AuditEvent Event(ReadySeal seal, Caller caller, Guid id, byte[] hash)
        {
            var certificate = seal.Certificates[0].Sha256Hex;
            return new AuditEvent
            {
                Action = "SIGN.request",
                Actor = new Actor(caller.Subject, certificate, caller.Role, seal.Row.Institution),
                Subjects = [SubjectKey.Institution(seal.Row.Institution), SubjectKey.Certificate(certificate), SubjectKey.Of("document", id.ToString("D"))],
                Outcome = EventOutcome.Success,
                Purpose = "OPERATIONS",
                Basis = "sha256:" + Convert.ToHexStringLower(hash),
                RuleVersion = options.RuleVersion,
                Correlation = id.ToString("D"),
            };
        }

        private static Attempt Read(NpgsqlDataReader r) => new(r.GetGuid(0), r.GetFieldValue<byte[]>(1), r.GetString(2), r.Nullable<string>(3), r.Nullable<byte[]>(4));

        private sealed record Attempt(Guid Id, byte[] PayloadSha256, string Protected, string? Signature, byte[]? TimeStamp);
    }
}
