using System.Buffers.Binary;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.AuditLedger.Checkpoints;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Proofs;
using Trust.Crypto.Json;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;

namespace Trust.AuditLedger.Evidence;

/// <summary><c>GET /evidence/prescriptions/{id}</c>: who did what to one prescription, provable offline. The query is an event itself, before anything leaves.</summary>
internal static class GetEvidence
{
    private static readonly byte[] ManifestTag = "trust.evidence.v1\n"u8.ToArray();

    public static void Map(WebApplication app) => app.MapGet("/evidence/prescriptions/{id}", Handle).RequireScope("audit.read");

    private static async Task<Results<FileContentHttpResult, ProblemHttpResult>> Handle(
        string id, HttpContext context, EvidenceParts parts, ProblemSet problems)
    {
        if (id.Length is 0 or > 128)
        {
            return problems.Of("malformed-identifier", 400, "A prescription identifier has 1 to 128 characters.");
        }

        if (context.Caller().Role is not "regulator")
        {
            return problems.Of("not-a-regulator", 403, "Evidence is given to the regulator role.");
        }

        return await Answer(id, context.Caller(), parts, problems, context.RequestAborted);
    }

    /// <summary>Answers an authorised query.</summary>
    internal static async Task<Results<FileContentHttpResult, ProblemHttpResult>> Answer(
        string id, Caller caller, EvidenceParts parts, ProblemSet problems, CancellationToken ct)
    {
        if (parts.Sequencer.Published is not { } before)
        {
            return problems.Of("standby", 503, "Another process sequences.");
        }

        var subject = SubjectKey.Prescription(id);
        var entries = await parts.Store.Find(subject, before, ct);
        if (entries is not { Count: > 0 })
        {
            return entries is null
                ? problems.Of("too-much-recorded", 413, $"The log holds more than {EvidenceStore.MaxEntries} entries on this prescription.")
                : problems.Of("nothing-recorded", 404, "The log holds nothing on this prescription.");
        }

        var attachments = await Attachments(parts.Outbound, id, ct);
        if (attachments is null)
        {
            return problems.Of("signatures-unavailable", 503, "The signing service does not answer; evidence without signatures would be partial.");
        }

        var manifest = new EvidenceManifest(before.Checkpoint.Size, entries);
        var asked = await Record(parts, Query(caller, subject, Hash(subject, manifest, attachments.Value)), ct);
        return asked switch
        {
            ConfirmOutcome.Confirmed(_, var receipt) when parts.Sequencer.Published is { } head && head.Checkpoint.Size > receipt.Index =>
                TypedResults.File(Encode(await Build(parts, id, manifest, receipt, head, attachments.Value, ct)), "application/json"),
            _ => problems.Of("query-not-recorded", 503, "The query could not be recorded, so it is not answered."),
        };
    }

    private static async Task<EvidenceFile> Build(
        EvidenceParts parts, string id, EvidenceManifest manifest, Receipt receipt, PublishedHead head, JsonElement attachments, CancellationToken ct)
    {
        var reader = new TreeReader(parts.Db, head.Edge);
        var events = new List<EvidenceEvent>(manifest.Entries.Count);
        foreach (var entry in manifest.Entries)
        {
            events.Add(await Event(parts.Store, reader, entry.Index, head.Checkpoint.Size, ct));
        }

        var policy = new EvidencePolicy(
            [.. (await parts.Signer.Verifiers(ct)).Select(v => v.VKey)],
            parts.Sources.All.ToDictionary(s => s.Name, s => s.BatchKey.ToArray(), StringComparer.Ordinal));
        var query = await Event(parts.Store, reader, receipt.Index, head.Checkpoint.Size, ct);
        return new EvidenceFile("trust.evidence.v1", id, head.Note, manifest, events, query, policy,
            attachments.ValueKind == JsonValueKind.Undefined ? null : attachments);
    }

    // One spelling of the file, so that a verifier covers every byte of it.
    private static byte[] Encode(EvidenceFile file) => CanonicalJson.Encode(JsonSerializer.SerializeToElement(file, LedgerJson.Default.EvidenceFile));

    private static async Task<EvidenceEvent> Event(EvidenceStore store, TreeReader reader, long index, long size, CancellationToken ct)
    {
        var (leaf, batch) = await store.Read(index, ct);
        return new EvidenceEvent(index, leaf, await reader.Inclusion(index, size, ct), batch);
    }

    private static AuditEvent Query(Caller caller, SubjectKey subject, byte[] manifestHash) => new()
    {
        Action = "REG.query",
        Actor = new Actor(caller.Subject, caller.LoginCertificate, caller.Role, caller.Institution),
        Subjects = [subject],
        Outcome = EventOutcome.Success,
        Purpose = "SUPERVISION",
        Basis = "evidence:sha256:" + Convert.ToHexStringLower(manifestHash),
        Correlation = caller.TokenId,
    };

    private static async Task<ConfirmOutcome> Record(EvidenceParts parts, AuditEvent query, CancellationToken ct)
    {
        await using var connection = await parts.Db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        return await parts.Outbox.AppendConfirmed(tx, query, ct);
    }

    // docs/LEDGER-FORMAT.md §8: what the ledger vouches for by logging it.
    private static byte[] Hash(SubjectKey subject, EvidenceManifest manifest, JsonElement attachments)
    {
        const int line = 8 + Envelope.HashSize;
        var bytes = new byte[ManifestTag.Length + SubjectKey.Size + 12 + (manifest.Entries.Count * line) + Envelope.HashSize];
        ManifestTag.CopyTo(bytes, 0);
        var at = ManifestTag.Length;
        subject.Key.CopyTo(bytes.AsSpan(at));
        at += SubjectKey.Size;
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(at), manifest.Size);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(at + 8), manifest.Entries.Count);
        at += 12;
        foreach (var entry in manifest.Entries)
        {
            BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(at), entry.Index);
            entry.LeafHash.CopyTo(bytes, at + 8);
            at += line;
        }

        SHA256.HashData(attachments.ValueKind == JsonValueKind.Undefined ? "null"u8.ToArray() : CanonicalJson.Encode(attachments), bytes.AsSpan(at));
        return SHA256.HashData(bytes);
    }

    /// <summary>What the signing service holds; undefined when it knows no such prescription, null when it does not answer.</summary>
    private static async Task<JsonElement?> Attachments(Outbound outbound, string id, CancellationToken ct)
    {
        try
        {
            using var answer = await outbound.Client("sign").GetAsync($"prescriptions/{Uri.EscapeDataString(id)}/evidence", ct);
            if (answer.StatusCode == HttpStatusCode.NotFound)
            {
                return default(JsonElement);
            }

            answer.EnsureSuccessStatusCode();
            using var document = await JsonDocument.ParseAsync(await answer.Content.ReadAsStreamAsync(ct), cancellationToken: ct);
            return document.RootElement.Clone();
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or UndeclaredPeerException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return null;
        }
    }
}

/// <summary>What building evidence needs.</summary>
internal sealed record EvidenceParts(
    NpgsqlDataSource Db, EvidenceStore Store, Sequencer Sequencer, Outbox Outbox, Outbound Outbound, Sources Sources, CheckpointSigner Signer);
