using System.Security.Cryptography;
using System.Text;
using Trust.Crypto.Asn1;
using Trust.Crypto.Json;

namespace Trust.Cli.Verify;

/// <summary>What came of verifying a file.</summary>
/// <param name="Finding">The first fault; null when everything holds.</param>
/// <param name="Subject">Kind and identifier asked about, once read.</param>
/// <param name="Origin">Log, once its checkpoint was verified.</param>
/// <param name="TreeSize">Size of the tree asked about.</param>
/// <param name="Events">Events that were verified, in order; the query is not among them.</param>
/// <param name="Signatures">Signatures that were verified.</param>
public sealed record Verdict(
    Finding? Finding, string Subject, string Origin, long TreeSize, IReadOnlyList<VerifiedEvent> Events, IReadOnlyList<VerifiedSignature> Signatures)
{
    /// <summary>Times asked for; null where open.</summary>
    public (DateTimeOffset? From, DateTimeOffset? To) Period { get; init; }

    /// <summary>The question as the file tells it, once read.</summary>
    internal Question? Asked { get; init; }

    /// <summary>From which entry and time on the answer tells who acted, where the log is older than that and the period begins before; null where it tells all.</summary>
    public (long Index, DateTimeOffset Time)? CoversFrom { get; init; }

    /// <summary>Ledger time of the query that made the file; null unless the file is verified.</summary>
    public DateTimeOffset? AskedAt { get; init; }

    /// <summary>True when everything holds and there is no event in the period, not even one that is withheld.</summary>
    public bool HasNoEvent => Finding is null && Withheld.Count == 0 && !Events.Any(e => e.InPeriod);

    /// <summary>Entries of the period that happened outside the regulator's region: counted, not shown.</summary>
    public IReadOnlyList<long> Withheld { get; init; } = [];

    /// <summary>Witnesses that rebuilt log and index before they cosigned.</summary>
    public IReadOnlyList<(string Name, DateTimeOffset Time)> Witnesses { get; init; } = [];

    /// <summary>When an outside authority stamped the log; null when the file carries no such stamp.</summary>
    public DateTimeOffset? AnchoredAt { get; init; }
}

/// <summary>One event for the report.</summary>
/// <param name="InPeriod">False for a neighbour that only shows where the period ends.</param>
public sealed record VerifiedEvent(
    long Index, DateTimeOffset Time, string Source, string Action, string Outcome, string Actor, bool InPeriod, string? Detail)
{
    /// <summary>The whole body, as logged.</summary>
    public System.Text.Json.JsonElement Body { get; init; }
}

/// <summary>One signature for the report.</summary>
public sealed record VerifiedSignature(string Kind, string Signer, DateTimeOffset StampedAt);

/// <summary>
/// Checks an evidence file against docs/LEDGER-FORMAT.md §10, with nothing but the file, the verifier's own trusted list and the platform's
/// cryptography: no service, no network, no code shared with the ledger.
/// </summary>
public static class EvidenceVerifier
{
    private static readonly byte[] QueryTag = "trust.query.v3\n"u8.ToArray();

    /// <summary>The verdict on a file that is longer than any may be.</summary>
    public static Verdict TooLarge { get; } = new(new Finding("malformed-file", null, "size"), "", "", 0, [], []);

    /// <summary>Verifies the bytes of a file.</summary>
    public static Verdict Verify(ReadOnlySpan<byte> file, TrustedList trusted)
    {
        var verdict = new Verdict(null, "", "", 0, [], []);
        try
        {
            var evidence = Evidence.Read(file);
            verdict = verdict with { Subject = Describe(evidence.Question), Asked = evidence.Question, Period = (evidence.Question.From, evidence.Question.To) };
            CheckKey(evidence.Question);
            CheckPolicy(evidence.Policy, trusted);
            var checkpoint = OpenCheckpoint(evidence, trusted);
            verdict = verdict with { Origin = checkpoint.Origin, TreeSize = evidence.Question.Size, Witnesses = checkpoint.Witnesses };

            var events = new List<LoggedEvent>();
            var byActor = CheckShown(evidence, events).ByActor;
            verdict = Report(verdict, evidence, events);
            verdict = verdict with { CoversFrom = CheckPeriod(evidence, events, byActor) };
            CheckOpenings(evidence, events);
            var query = CheckQuery(evidence, checkpoint, events, byActor, trusted);
            verdict = verdict with { AnchoredAt = CheckAnchor(evidence, checkpoint, trusted) };
            verdict = verdict with { Signatures = Attachments.Check(evidence, events, trusted) };
            CheckGiven(evidence, query);
            return verdict with { AskedAt = query.Time };
        }
        catch (EvidenceRefusedException e)
        {
            return verdict with { Finding = e.Finding };
        }
        catch (CryptographicException)
        {
            return verdict with { Finding = new Finding("malformed-key") };
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Whatever a file does to this program, the answer is a verdict on the file.
            return verdict with { Finding = new Finding("malformed-file", null, e.GetType().Name) };
        }
    }

    private static string Describe(Question question) => $"{question.Kind} {question.Identifier ?? Convert.ToHexStringLower(question.Key)}";

    // Anyone can recompute a key from its identifier, except a patient's: that one is bound to a person by a logged SUBJECT.bind event.
    private static void CheckKey(Question question)
    {
        EvidenceRefusedException.When((question.Identifier is null) != (question.Kind is "patient"), "question-key", null, question.Kind);
        if (question.Identifier is null)
        {
            return;
        }

        var kind = Encoding.UTF8.GetBytes(question.Kind);
        var identifier = Encoding.UTF8.GetBytes(question.Identifier);
        EvidenceRefusedException.When(
            kind.Length is 0 or > 32 || kind.AsSpan().ContainsAnyExceptInRange((byte)'a', (byte)'z') || identifier.Length is 0 or > 1024, "question-key", null, question.Kind);
        EvidenceRefusedException.When(!Question.KeyOf(question.Kind, question.Identifier).AsSpan().SequenceEqual(question.Key), "question-key", null, question.Identifier);
    }

    private static void CheckPolicy(EvidencePolicy policy, TrustedList trusted)
    {
        foreach (var vkey in policy.CheckpointKeys)
        {
            EvidenceRefusedException.When(!trusted.CheckpointKeys.Contains(vkey, StringComparer.Ordinal), "key-not-trusted", null, vkey);
        }

        // All trusted keys of the log, so that a file cannot choose the weakest.
        EvidenceRefusedException.When(!SameSet(policy.CheckpointKeys, trusted.CheckpointKeys), "key-missing");
        EvidenceRefusedException.When(
            !SameSet(policy.WitnessKeys, trusted.Witnesses) || policy.WitnessQuorum != trusted.WitnessQuorum, "witness-policy");
        foreach (var (source, keys) in policy.BatchKeys)
        {
            var known = trusted.BatchKeys.GetValueOrDefault(source, []);
            EvidenceRefusedException.When(
                keys.Exists(key => !known.Any(k => k.AsSpan().SequenceEqual(key))), "key-not-trusted", null, "batch:" + source);
        }
    }

    private static bool SameSet(IReadOnlyList<string> some, IReadOnlyList<string> others) =>
        some.Count == others.Count && some.ToHashSet(StringComparer.Ordinal).SetEquals(others) && some.Distinct(StringComparer.Ordinal).Count() == some.Count;

    private static SignedCheckpoint OpenCheckpoint(Evidence evidence, TrustedList trusted)
    {
        var checkpoint = SignedCheckpoint.Open(evidence.Checkpoint, trusted.CheckpointKeys, trusted.Witnesses);
        EvidenceRefusedException.When(checkpoint.Witnesses.Count < trusted.WitnessQuorum, "witness-quorum");
        // The tree asked about may be one of the past: the checkpoint extends it.
        EvidenceRefusedException.When(
            !LogProof.Extends(evidence.Question.Size, evidence.TreeRoot, checkpoint.Size, checkpoint.Root, evidence.Consistency), "checkpoint-size");
        return checkpoint;
    }

    private static CompletenessProof CheckShown(Evidence evidence, List<LoggedEvent> events)
    {
        var size = evidence.Question.Size;
        var proof = CompletenessProof.TryRead(evidence.Completeness);
        EvidenceRefusedException.When(proof is null, "completeness-malformed");
        // Against the proof's own list first: it names what was altered, dropped or moved, even where later checks would only say "wrong".
        CheckOrder([.. proof!.Indices], evidence.Events);
        var hashes = new List<byte[]>(evidence.Events.Count);
        foreach (var e in evidence.Events)
        {
            hashes.Add(e.WithheldHash ?? SHA256.HashData([0, .. e.Leaf!]));
            EvidenceRefusedException.When(!LogProof.InTree(e.Index, size, hashes[^1], e.Proof, evidence.TreeRoot), "event-altered", e.Index);
        }

        EvidenceRefusedException.When(
            !proof.Holds(size, evidence.TreeRoot, evidence.Question.Key, evidence.From, evidence.To, hashes), "completeness");
        foreach (var e in evidence.Events.Where(e => e.Leaf is not null))
        {
            events.Add(CheckEvent(e, evidence.Policy.BatchKeys, evidence.Question.Key));
            SourceChain.CheckFollows(events, proof.ByActor);
        }

        return proof;
    }

    private static void CheckOrder(List<long> shown, List<EvidenceEvent> events)
    {
        var present = events.Select(e => e.Index).ToHashSet();
        var listed = shown.ToHashSet();
        foreach (var index in shown)
        {
            EvidenceRefusedException.When(!present.Contains(index), "event-missing", index);
        }

        for (var i = 0; i < events.Count; i++)
        {
            var index = events[i].Index;
            EvidenceRefusedException.When(!listed.Contains(index), "event-not-listed", index);
            EvidenceRefusedException.When(i >= shown.Count || shown[i] != index, "event-reordered", index);
        }
    }

    private static LoggedEvent CheckEvent(EvidenceEvent e, Dictionary<string, List<byte[]>> batchKeys, byte[] key)
    {
        var logged = LoggedEvent.Read(e.Index, e.Leaf!);
        EvidenceRefusedException.When(!logged.Keys.Exists(k => k.AsSpan().SequenceEqual(key)), "other-subject", e.Index);
        SourceChain.CheckBatch(e, logged, batchKeys);
        return logged;
    }

    // Ledger time never falls, so an event before the period at the range's begin and one after it at its end show that the range holds the whole
    // period. The subject's own neighbours cannot: one may be withheld, or lie in a volume of which nothing is shown.
    // In a log that has learned only later to find events by who acted, an answer about that begins behind an event of the later type: all after it are.
    private static (long, DateTimeOffset)? CheckPeriod(Evidence evidence, List<LoggedEvent> events, bool byActor)
    {
        var (from, to, last) = (evidence.Question.From, evidence.Question.To, evidence.Question.Size - 1);
        var (before, after) = (EventAt(evidence, evidence.Before, evidence.From - 1), EventAt(evidence, evidence.After, evidence.To)?.Time);
        var later = evidence.Question.Kind is Question.Actor && !byActor;
        EvidenceRefusedException.When(later && before is not { ByActor: true }, "period", null, "actor");
        EvidenceRefusedException.When(evidence.From > 0 && !(before?.Time < from) && !later, "period", null, "from");
        EvidenceRefusedException.When(evidence.From == 0 && evidence.Before is not null, "period", null, "before");
        EvidenceRefusedException.When(evidence.To < last && !(after >= to), "period", null, "to");
        EvidenceRefusedException.When(evidence.To >= last && (evidence.To > last || evidence.After is not null), "period", null, "after");
        foreach (var e in events)
        {
            EvidenceRefusedException.When((e.Index < evidence.From && !(e.Time < from) && !later) || (e.Index >= evidence.To && !(e.Time >= to)), "period", e.Index);
        }

        return later && !(before!.Time < from) ? (evidence.From, before.Time) : null;
    }

    private static void CheckOpenings(Evidence evidence, List<LoggedEvent> events)
    {
        var opened = new HashSet<long>();
        foreach (var (index, dataKey) in evidence.Openings)
        {
            var e = events.Find(e => e.Index == index);
            EvidenceRefusedException.When(e is null || !opened.Add(index) || evidence.Question.CaseNumber is null || e.Opened(dataKey) is null, "opening", index);
        }
    }

    private static LoggedEvent? EventAt(Evidence evidence, RangeEnd? end, long index)
    {
        if (end is null)
        {
            return null;
        }

        EvidenceRefusedException.When(
            !LogProof.InTree(index, evidence.Question.Size, SHA256.HashData([0, .. end.Leaf]), end.Proof, evidence.TreeRoot), "period", index, "proof");
        return LoggedEvent.Read(index, end.Leaf);
    }

    private static LoggedEvent CheckQuery(Evidence evidence, SignedCheckpoint proved, List<LoggedEvent> events, bool byActor, TrustedList trusted)
    {
        var checkpoint = SignedCheckpoint.Open(evidence.QueryCheckpoint, trusted.CheckpointKeys, trusted.Witnesses);
        var index = evidence.Query.Index;
        EvidenceRefusedException.When(
            index < evidence.Question.Size
            || !LogProof.InTree(index, checkpoint.Size, SHA256.HashData([0, .. evidence.Query.Leaf!]), evidence.Query.Proof, checkpoint.Root), "query-event", index);
        // The same log went on to record the question, not a fork of it that nobody else is shown.
        EvidenceRefusedException.When(
            !LogProof.Extends(proved.Size, proved.Root, checkpoint.Size, checkpoint.Root, evidence.QueryConsistency), "query-event", index, "consistency");
        var query = CheckEvent(evidence.Query, evidence.Policy.BatchKeys, evidence.Question.Key);
        SourceChain.CheckFollows([.. events, query], byActor);
        EvidenceRefusedException.When(query is not { Action: "REG.query", Source: "ledger", Outcome: "success" }, "query-event", index);
        return query;
    }

    // What was left out, or taken from another good file, names no fault of its own.
    private static void CheckGiven(Evidence evidence, LoggedEvent query)
    {
        var expected = "query:sha256:" + Convert.ToHexStringLower(SHA256.HashData(
            [.. QueryTag, .. evidence.Others.SelectMany(m => SHA256.HashData(CanonicalJson.Encode(m)))]));
        EvidenceRefusedException.When(!string.Equals(query.Basis, expected, StringComparison.Ordinal), "file-not-logged", query.Index);
    }

    private static DateTimeOffset? CheckAnchor(Evidence evidence, SignedCheckpoint checkpoint, TrustedList trusted)
    {
        if (evidence.Anchor is not { } anchor)
        {
            return null;
        }

        var anchored = SignedCheckpoint.Open(anchor.Checkpoint, trusted.CheckpointKeys, trusted.Witnesses);
        EvidenceRefusedException.When(
            !LogProof.Extends(anchored.Size, anchored.Root, checkpoint.Size, checkpoint.Root, anchor.Consistency), "anchor", null, "consistency");
        var stamp = TimeStamp.Verify(anchor.Token, Encoding.UTF8.GetBytes(anchor.Checkpoint), trusted.Helpers, trusted.Roots);
        EvidenceRefusedException.When(stamp is TimeStampOutcome.Refused, "anchor", null, (stamp as TimeStampOutcome.Refused)?.Reason.ToString() ?? "");
        return ((TimeStampOutcome.Proved)stamp).Info.Time;
    }

    private static Verdict Report(Verdict verdict, Evidence evidence, List<LoggedEvent> events)
    {
        var (from, to) = (evidence.Question.From, evidence.Question.To);
        bool Inside(DateTimeOffset time) => (from is null || time >= from) && (to is null || time < to);
        var keys = evidence.Openings.GroupBy(o => o.Index).ToDictionary(o => o.Key, o => o.First().DataKey);
        string? Detail(LoggedEvent e) => keys.TryGetValue(e.Index, out var key) ? e.Opened(key) : null;
        return verdict with
        {
            Events = [.. events.Select(e => new VerifiedEvent(e.Index, e.Time, e.Source, e.Action, e.Outcome, e.Actor, Inside(e.Time), Detail(e)) { Body = e.Body })],
            Withheld = [.. evidence.Events.Where(e => e.Leaf is null && e.Index >= evidence.From && e.Index < evidence.To).Select(e => e.Index)],
        };
    }
}
