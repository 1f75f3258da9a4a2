using System.Net;
using System.Text.Json;
using Npgsql;
using Trust.AuditLedger.Anchoring;
using Trust.AuditLedger.Checkpoints;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Index;
using Trust.AuditLedger.Proofs;
using Trust.AuditLedger.Shredding;
using Trust.AuditLedger.Witnessing;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Evidence;

/// <summary>What came of a question.</summary>
internal abstract record EvidenceOutcome
{
    private EvidenceOutcome()
    {
    }

    /// <summary>The file.</summary>
    public sealed record Made(byte[] Bytes) : EvidenceOutcome;

    /// <summary>The tree asked about was never published.</summary>
    public sealed record NoSuchTree(long Newest) : EvidenceOutcome;

    /// <summary>More than one file holds.</summary>
    public sealed record TooMuch(EvidenceOptions Most) : EvidenceOutcome;

    /// <summary>What is stored as an entry is not what was logged.</summary>
    public sealed record Damaged(long Index) : EvidenceOutcome;

    /// <summary>No answer without its record, and why there is none.</summary>
    public sealed record NotRecorded(Refusal Why) : EvidenceOutcome;

    /// <summary>No quorum of witnesses for a tree that could answer.</summary>
    public sealed record NotWitnessed : EvidenceOutcome;

    /// <summary>The signing service is away.</summary>
    public sealed record SignaturesAway : EvidenceOutcome;

    /// <summary>The period ends before the index knew who acted.</summary>
    public sealed record ActorsUnknown : EvidenceOutcome;

    /// <summary>Another process sequences.</summary>
    public sealed record Standby : EvidenceOutcome;
}

/// <summary>Makes evidence files: finds, records the question, proves, and withholds what happened outside the regulator's region.</summary>
internal sealed class EvidenceMaker(
    NpgsqlDataSource db, EvidenceStore store, CompletenessProver prover, Sequencer sequencer, CosignatureRounds rounds, WitnessSet witnesses, Outbox outbox,
    SigningEvidence signing, Sources sources, CheckpointSigner signer, ResidencyGate residency, SubjectKeyVault vault, AnchorStore anchors,
    AuditLedgerOptions options, ILogger<EvidenceMaker> log)
{
    // Verifiers read no larger one (docs/LEDGER-FORMAT.md §10).
    private const int MaxProof = 4 * 1024 * 1024;

    private static readonly TimeSpan WitnessPatience = TimeSpan.FromSeconds(5);

    /// <summary>Answers a question of an authorised regulator.</summary>
    public async Task<EvidenceOutcome> Make(Question question, Caller caller, string region, CancellationToken ct)
    {
        if (sequencer.Published is not { } head)
        {
            return new EvidenceOutcome.Standby();
        }

        // The answer is of a tree that stood before the question: the question itself is a later entry on the same subject.
        var size = question.Size ?? head.Checkpoint.Size;
        if (size > head.Checkpoint.Size)
        {
            return new EvidenceOutcome.NoSuchTree(head.Checkpoint.Size);
        }

        if (await Range(question, region, size, new TreeReader(db, head.Edge), ct) is not { } range)
        {
            return new EvidenceOutcome.ActorsUnknown();
        }

        return await prover.Prove(head, question.Subject.Key.ToArray(), range.From, range.To, size, options.Evidence.MaxEvents, ct) switch
        {
            SubjectAnswer.Proved answer => await Make(question, caller, region, head, size, range, answer, ct),
            SubjectAnswer.TooMany => new EvidenceOutcome.TooMuch(options.Evidence),
            _ => new EvidenceOutcome.NoSuchTree(head.Checkpoint.Size),
        };
    }

    /// <summary>The event of a query.</summary>
    public static AuditEvent QueryEvent(Caller caller, Question question, string outcome, string? basis) => new()
    {
        Action = "REG.query",
        Actor = new Actor(caller.Subject, caller.LoginCertificate, caller.Role, caller.Institution),
        Subjects = [question.Subject],
        Outcome = outcome,
        Purpose = "SUPERVISION",
        Basis = basis,
        PermitNo = question.Case,
        Correlation = caller.TokenId,
    };

    // The subject's own neighbours cannot show where a period begins: one may be withheld, or lie in another volume. Any event shows it that the
    // regulator may see; where none is near, the range reaches further and holds more than the period, never less.
    // Null when the period ends before the index knew who acted.
    private async Task<IndexRange?> Range(Question question, string region, long size, TreeReader reader, CancellationToken ct)
    {
        bool MayBeShown(byte[] leaf) => EventLeaf.TryRead(leaf, out var e) && EventBodyReader.Check(e.Body) is null && (Mark.Is(leaf) || IsInside(leaf, region, out _));
        async Task<RangeEnd> End((long Index, byte[] Leaf) at) => new(at.Leaf, await reader.Inclusion(at.Index, size, ct));
        var before = question.From is { } begin ? await store.LastBefore(await store.LowerBound(begin, size, ct), MayBeShown, ct) : null;
        var after = question.To is { } end ? await store.FirstFrom(await store.LowerBound(end, size, ct), size, MayBeShown, ct) : null;
        if (question.Subject.Kind is SubjectText.Actor && !(before is { Leaf: [EntryType.EventByActor, ..] } || await store.IsByActor(size, ct)))
        {
            // An older log: the answer begins where it can be whole, and says so.
            before = await store.FirstFrom(await store.FirstByActor(size, ct), size, leaf => leaf is [EntryType.EventByActor, ..] && MayBeShown(leaf), ct);
            if (before is null || before.Value.Index >= (after?.Index ?? size - 1))
            {
                return null;
            }
        }

        return new IndexRange(
            before is { } b ? b.Index + 1 : 0, after is { } a ? a.Index : size - 1, before is { } first ? await End(first) : null, after is { } last ? await End(last) : null);
    }

    private async Task<EvidenceOutcome> Make(
        Question question, Caller caller, string region, PublishedHead head, long size, IndexRange range, SubjectAnswer.Proved answer, CancellationToken ct)
    {
        if (await Witnessed(size, ct) is not { } witnessed)
        {
            return new EvidenceOutcome.NotWitnessed();
        }

        JsonElement? attachments = default(JsonElement);
        if (question is { Subject.Kind: "prescription", From: null, To: null, Size: null })
        {
            attachments = await signing.Of(question.Identifier!, ct);
        }

        if (attachments is not { } attached)
        {
            return new EvidenceOutcome.SignaturesAway();
        }

        if (answer.Proof.Length > MaxProof || await Shown(answer.Shown, question, region, size, new TreeReader(db, head.Edge), ct) is not var (events, openings, damaged))
        {
            return new EvidenceOutcome.TooMuch(options.Evidence);
        }

        if (damaged is { } index)
        {
            LedgerLog.EntryDamaged(log, index);
            return new EvidenceOutcome.Damaged(index);
        }

        if (sequencer.Published is not { } published || published.Checkpoint.Size < witnessed.Checkpoint.Size)
        {
            return new EvidenceOutcome.Standby();
        }

        // Signatures hang in the air without the events that name them.
        JsonElement? attachedHere = attached.ValueKind == JsonValueKind.Undefined || events.Exists(e => e.Leaf is null) ? null : attached;
        var reader = new TreeReader(db, published.Edge);
        var tree = new AskedTree(await reader.Root(size, ct), await reader.Consistency(size, witnessed.Checkpoint.Size, ct));
        var file = new FileMembers(new EvidenceAnswer(
            "trust.evidence.v5", question.ToJson(size, region), witnessed.Note, tree, range, answer.Proof, events, openings,
            await Anchored(witnessed, reader, ct), await Policy(ct), attachedHere));
        if (file.Length > options.Evidence.MaxBytes)
        {
            return new EvidenceOutcome.TooMuch(options.Evidence);
        }

        // Nothing of what was prepared leaves before the ledger has on record who was given it, and what.
        return await Record(QueryEvent(caller, question, EventOutcome.Success, file.Basis()), ct) switch
        {
            ConfirmOutcome.Confirmed(_, var receipt) => await Recorded(receipt, witnessed.Checkpoint.Size, ct) is { } query
                ? new EvidenceOutcome.Made(file.With(query))
                : new EvidenceOutcome.Standby(),
            ConfirmOutcome.Refused(var why) => new EvidenceOutcome.NotRecorded(CommonRefusals.From(why)),
            _ => new EvidenceOutcome.NotRecorded(CommonRefusals.LedgerAway),
        };
    }

    // Null when this process has ceased to lead since.
    private async Task<QueryEvent?> Recorded(Receipt receipt, long witnessed, CancellationToken ct)
    {
        if (sequencer.Published is not { } now || now.Checkpoint.Size <= receipt.Index)
        {
            return null;
        }

        var reader = new TreeReader(db, now.Edge);
        var (leaf, batch) = await store.Read(receipt.Index, ct) ?? throw new InvalidOperationException("The query that was just logged is not stored.");
        return new QueryEvent(
            receipt.Index, leaf, await reader.Inclusion(receipt.Index, now.Checkpoint.Size, ct), batch, now.Note,
            await reader.Consistency(witnessed, now.Checkpoint.Size, ct));
    }

    private async Task<EvidenceAnchor?> Anchored(WitnessedHead witnessed, TreeReader reader, CancellationToken ct) =>
        await anchors.Latest(ct) is { Stamps: [var first, ..] } anchor && anchor.Checkpoint.Size <= witnessed.Checkpoint.Size
            ? new EvidenceAnchor(anchor.Note, await reader.Consistency(anchor.Checkpoint.Size, witnessed.Checkpoint.Size, ct), first.Token)
            : null;

    private async Task<WitnessedHead?> Witnessed(long size, CancellationToken ct)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(WitnessPatience);
        try
        {
            return await rounds.RequestQuorum(size, patience.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return null;
        }
    }

    private async Task<(List<EvidenceEvent> Events, List<Opening> Openings, long? Damaged)?> Shown(
        List<Posting> shown, Question question, string region, long size, TreeReader reader, CancellationToken ct)
    {
        var indices = shown.ConvertAll(p => p.Index);
        if (await store.ReadAll(indices, options.Evidence.MaxBatchHashes, ct) is not { } stored)
        {
            return null;
        }

        var events = new List<EvidenceEvent>(shown.Count);
        var openings = new List<Opening>();
        var bytes = 0L;
        var proofs = await reader.Inclusions(indices, size, ct);
        for (var i = 0; i < shown.Count; i++)
        {
            var ((index, leafHash), proof) = (shown[i], proofs[i]);
            // Hashed before it is read: what somebody changed in the database may be anything.
            if (stored[i] is var (read, _) && !MerkleProof.LeafHash(read).AsSpan().SequenceEqual(leafHash))
            {
                return ([], [], index);
            }

            if (stored[i] is not var (leaf, batch) || !IsInside(leaf, region, out var bodyHash))
            {
                events.Add(new EvidenceEvent(index, null, leafHash, proof, null));
                continue;
            }

            events.Add(new EvidenceEvent(index, leaf, null, proof, batch));
            // Counted while it grows: what will be refused for its size need not be encoded first. Base64 takes four bytes for three.
            bytes += (leaf.Length + ((long)SubjectKey.Size * (proof.Count + batch.Tail.Count))) * 4 / 3;
            if (bytes > options.Evidence.MaxBytes)
            {
                return null;
            }

            // Personal detail only under a case number, and only of the period asked for.
            if (question.Case is not null && question.Covers(leaf) && await vault.DataKey(index, bodyHash, ct) is { } key)
            {
                openings.Add(new Opening(index, key));
            }
        }

        return (events, openings, null);
    }

    private bool IsInside(byte[] leaf, string region, out byte[] bodyHash)
    {
        if (!EventLeaf.TryRead(leaf, out var e))
        {
            throw new InvalidDataException("A subject's entry is not an event.");
        }

        bodyHash = e.BodyHash.ToArray();
        using var body = JsonDocument.Parse(e.Body.ToArray());
        var where = body.RootElement.GetProperty("where").GetProperty("region").GetString()!;
        return Microseconds.TryToInstant(e.Time, out var time) && residency.Terms.Regions.Contains(region, where, ResidencyTerms.DayOf(time));
    }

    private async Task<EvidencePolicy> Policy(CancellationToken ct) => new(
        [.. (await signer.Verifiers(ct)).Select(v => v.VKey)],
        [.. witnesses.Clients.Select(w => w.Key.VKey)],
        options.Witnessing.Quorum,
        sources.All.ToDictionary(s => s.Name, s => s.BatchKeys, StringComparer.Ordinal));

    private async Task<ConfirmOutcome> Record(AuditEvent query, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        return await outbox.AppendConfirmed(tx, query, ct);
    }
}

/// <summary>What the signing service holds on a prescription.</summary>
internal sealed class SigningEvidence(Outbound outbound)
{
    // A prescription with 32 signatures, each with its certificates and stamp, has well below one.
    private const int MaxParts = 8 * 1024 * 1024;

    /// <summary>Verbatim; undefined when it knows no such prescription or destroyed what it said, null when it does not answer.</summary>
    public async Task<JsonElement?> Of(string prescription, CancellationToken ct)
    {
        try
        {
            using var answer = await outbound.Client("sign").GetAsync(
                $"prescriptions/{Uri.EscapeDataString(prescription)}/evidence", HttpCompletionOption.ResponseHeadersRead, ct);
            // Gone: its patient was shredded, and what was signed is not there to verify; the events are.
            if (answer.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Gone)
            {
                return default(JsonElement);
            }

            answer.EnsureSuccessStatusCode();
            await answer.Content.LoadIntoBufferAsync(MaxParts, ct);
            using var document = await JsonDocument.ParseAsync(await answer.Content.ReadAsStreamAsync(ct), cancellationToken: ct);
            return document.RootElement.Clone();
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or UndeclaredPeerException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return null;
        }
    }
}
