using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.SignService.Signatures;
using Trust.SignService.Timestamps;

namespace Trust.SignService.Seals;

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
/// An institution's own system has its seal put on a document. The intent is confirmed by the ledger before the token signs; the document
/// itself is not kept, so the row that carries the Idempotency-Key is all that a retry finds.
/// </summary>
internal sealed class SealDocument(
    NpgsqlDataSource db, Outbox outbox, SealDirectory seals, TimeStampAuthority authority, SignOptions options, CommitPoints points, TimeProvider clock)
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

    private readonly ConcurrentDictionary<string, bool> _running = new(StringComparer.Ordinal);

    /// <summary>Seals, or goes on where an earlier attempt with the key stopped.</summary>
    public async Task<Results<Ok<SealResponse>, Refusal>> Handle(string institution, SealRequest request, HttpContext context)
    {
        var caller = context.Caller();
        if (OwnSeal.Judge(caller, institution, out var own) is { } other)
        {
            return other;
        }

        if (request.Payload.Length is 0 or > MaxBytes)
        {
            return SealRefusals.PayloadSize;
        }

        return await seals.Find(own, context.RequestAborted) switch
        {
            SealOutcome.Ready seal => await SealOnce(seal, caller, request.Payload, context.IdempotencyKey(), context.RequestAborted),
            SealOutcome.Refused refused => refused.Why,
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    private async Task<Results<Ok<SealResponse>, Refusal>> SealOnce(SealOutcome.Ready seal, Caller caller, byte[] payload, string key, CancellationToken ct)
    {
        if (!_running.TryAdd(key, true))
        {
            return CommonRefusals.IdempotencyInFlight;
        }

        try
        {
            return await AnnounceAndSeal(seal, caller, payload, key, ct);
        }
        finally
        {
            _running.TryRemove(key, out _);
        }
    }

    private async Task<Results<Ok<SealResponse>, Refusal>> AnnounceAndSeal(SealOutcome.Ready seal, Caller caller, byte[] payload, string key, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var attempt = new Attempt(Guid.CreateVersion7(now), SHA256.HashData(payload), "", null, null);
        attempt = attempt with { Protected = Jades.Protect(seal.Certificates, now, options.SignaturePolicy, SignatureKind.Seal, "urn:uuid:" + attempt.Id.ToString("D")) };
        points.Pass(CommitPoints.BeforeIntent);
        var announced = await outbox.CommitConfirmed(Event(seal, caller, attempt, "SIGN.request"), Announce, c => c
            .With(attempt.Id).With(seal.Region).With(seal.Row.Institution.Value).With(attempt.PayloadSha256).With(attempt.Protected).With(key).With(now), ct);
        if (announced is ConfirmOutcome.NoEffect)
        {
            // The key was used before.
            var hash = attempt.PayloadSha256;
            attempt = await db.Sql(FindRow).With(key).One(Read, ct) ?? throw new InvalidOperationException("An attempt vanished.");
            if (!attempt.PayloadSha256.AsSpan().SequenceEqual(hash))
            {
                return CommonRefusals.IdempotencyMismatch;
            }

            if (attempt.Signature is not null)
            {
                return Released(attempt);
            }

            announced = await outbox.CommitConfirmed(Event(seal, caller, attempt, "SIGN.request"), AnnounceAgain, c => c.With(attempt.Id), ct);
        }

        return announced switch
        {
            ConfirmOutcome.Confirmed => await PutSeal(seal, caller, payload, attempt),
            ConfirmOutcome.Refused refused => CommonRefusals.From(refused.Reason),
            ConfirmOutcome.NoEffect => await SealedByOther(attempt.Id),
            ConfirmOutcome.Unknown => SignRefusals.LedgerUnconfirmed,
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    // Announced: from here on a caller hanging up loses nothing.
    private async Task<Results<Ok<SealResponse>, Refusal>> PutSeal(SealOutcome.Ready seal, Caller caller, byte[] payload, Attempt attempt)
    {
        points.Pass(CommitPoints.AfterIntent);
        // The ledger may have taken seconds, in which the institution was closed or its seal revoked.
        if (await Fallen(seal) is { } before)
        {
            return before;
        }

        var signature = await seals.Sign(seal, Jades.SigningInput(attempt.Protected, payload), CancellationToken.None);
        if (await authority.Stamp(Jades.TimeStampInput(signature), CancellationToken.None) is not StampOutcome.Stamped stamp)
        {
            return SignRefusals.TimeNotAvailable;
        }

        points.Pass(CommitPoints.AfterAct);
        // And so may the token: what was sealed without the right is thrown away unseen.
        if (await Fallen(seal) is { } since)
        {
            return since;
        }

        var recorded = await outbox.Commit(Event(seal, caller, attempt, "SIGN.done"), Complete, c => c
            .With(attempt.Id).With(signature).With(stamp.Token).With(clock.GetUtcNow()));
        points.Pass(CommitPoints.AfterResult);
        return recorded switch
        {
            CommitOutcome.Committed => Released(attempt with { Signature = signature, TimeStamp = stamp.Token }),
            CommitOutcome.Refused refused => CommonRefusals.From(refused.Reason),
            CommitOutcome.NoEffect => await SealedByOther(attempt.Id),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    private async Task<Refusal?> Fallen(SealOutcome.Ready seal) => (await seals.Find(seal.Row.Institution, CancellationToken.None) as SealOutcome.Refused)?.Why;

    // Another instance took the same attempt to its end first: its seal is the one, ours is thrown away unseen.
    private async Task<Ok<SealResponse>> SealedByOther(Guid id) =>
        Released(await db.Sql(FindById).With(id).One(Read, CancellationToken.None) ?? throw new InvalidOperationException("An attempt vanished."));

    private static Ok<SealResponse> Released(Attempt attempt) => TypedResults.Ok(new SealResponse(attempt.Id, attempt.Protected, attempt.Signature!, attempt.TimeStamp!));

    private AuditEvent Event(SealOutcome.Ready seal, Caller caller, Attempt attempt, string action)
    {
        var institution = seal.Row.Institution.Value;
        var certificate = seal.Certificates[0].Sha256Hex;
        return new AuditEvent
        {
            Action = action,
            Actor = new Actor(caller.Subject, certificate, caller.Role, institution),
            Subjects = [SubjectKey.Institution(institution), SubjectKey.Certificate(certificate), SubjectKey.Of("document", attempt.Id.ToString("D"))],
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
