using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Trust.Crypto.Json;

namespace Trust.Cli.Verify;

/// <summary>What came of verifying a file.</summary>
/// <param name="Finding">The first fault; null when everything holds.</param>
/// <param name="Prescription">Identifier asked about, once read.</param>
/// <param name="Origin">Log, once its checkpoint was verified.</param>
/// <param name="TreeSize">Size of the checkpoint.</param>
/// <param name="Events">Events that were verified, in order, the query last.</param>
/// <param name="Signatures">Signatures that were verified.</param>
public sealed record Verdict(
    Finding? Finding, string Prescription, string Origin, long TreeSize, IReadOnlyList<VerifiedEvent> Events, IReadOnlyList<VerifiedSignature> Signatures);

/// <summary>One event for the report.</summary>
public sealed record VerifiedEvent(long Index, DateTimeOffset Time, string Source, string Action, string Outcome, string Actor);

/// <summary>One signature for the report.</summary>
public sealed record VerifiedSignature(string Kind, string Signer, DateTimeOffset StampedAt);

/// <summary>
/// Checks an evidence file against docs/LEDGER-FORMAT.md §9, with nothing but the file, the verifier's own trusted list and the platform's
/// cryptography: no service, no network, no code shared with the ledger.
/// </summary>
public static class EvidenceVerifier
{
    private static readonly byte[] KeyTag = "trust.key.v1\n"u8.ToArray();
    private static readonly byte[] BatchTag = "trust.batch.v1\n"u8.ToArray();
    private static readonly byte[] ManifestTag = "trust.evidence.v1\n"u8.ToArray();

    /// <summary>Verifies the bytes of a file.</summary>
    public static Verdict Verify(ReadOnlySpan<byte> file, TrustedList trusted)
    {
        var verdict = new Verdict(null, "", "", 0, [], []);
        try
        {
            var evidence = Evidence.Read(file);
            verdict = verdict with { Prescription = evidence.Prescription };
            CheckPolicy(evidence, trusted);
            var checkpoint = SignedCheckpoint.Open(evidence.Checkpoint, evidence.CheckpointKeys);
            verdict = verdict with { Origin = checkpoint.Origin, TreeSize = checkpoint.Size };
            var key = PrescriptionKey(evidence.Prescription);

            // Against the manifest first: it names what was altered, dropped or moved, even where later checks would only say "wrong".
            CheckManifestOrder(evidence);
            var events = new List<LoggedEvent>();
            for (var i = 0; i < evidence.Events.Count; i++)
            {
                var (index, leafHash) = evidence.Manifest[i];
                EvidenceRefusedException.When(
                    !SHA256.HashData([0, .. evidence.Events[i].Leaf]).AsSpan().SequenceEqual(leafHash), "event-altered", index);
                events.Add(CheckEvent(evidence.Events[i], checkpoint, evidence.BatchKeys, key));
                CheckFollows(events);
                verdict = verdict with { Events = [.. events.Select(Report)] };
            }

            events.Add(CheckEvent(evidence.Query, checkpoint, evidence.BatchKeys, key));
            CheckFollows(events);
            CheckQuery(evidence, key, events[^1]);
            verdict = verdict with { Events = [.. events.Select(Report)] };
            return verdict with { Signatures = Attachments.Check(evidence, events, trusted) };
        }
        catch (EvidenceRefusedException e)
        {
            return verdict with { Finding = e.Finding };
        }
        catch (CryptographicException)
        {
            return verdict with { Finding = new Finding("malformed-key") };
        }
    }

    private static void CheckPolicy(Evidence evidence, TrustedList trusted)
    {
        foreach (var vkey in evidence.CheckpointKeys)
        {
            EvidenceRefusedException.When(!trusted.CheckpointKeys.Contains(vkey, StringComparer.Ordinal), "key-not-trusted", null, vkey);
        }

        // All trusted keys of the log, so that a file cannot choose the weakest.
        EvidenceRefusedException.When(
            evidence.CheckpointKeys.Count != trusted.CheckpointKeys.Count || evidence.CheckpointKeys.Distinct(StringComparer.Ordinal).Count() != trusted.CheckpointKeys.Count,
            "key-missing");
        foreach (var (source, spki) in evidence.BatchKeys)
        {
            EvidenceRefusedException.When(
                !trusted.BatchKeys.TryGetValue(source, out var known) || !known.AsSpan().SequenceEqual(spki), "key-not-trusted", null, "batch:" + source);
        }
    }

    private static void CheckManifestOrder(Evidence evidence)
    {
        var previous = -1L;
        foreach (var (index, _) in evidence.Manifest)
        {
            EvidenceRefusedException.When(index <= previous || index >= evidence.ManifestSize, "manifest-order", index);
            previous = index;
        }

        var present = evidence.Events.Select(e => e.Index).ToHashSet();
        var listed = evidence.Manifest.Select(e => e.Index).ToHashSet();
        foreach (var (index, _) in evidence.Manifest)
        {
            EvidenceRefusedException.When(!present.Contains(index), "event-missing", index);
        }

        for (var i = 0; i < evidence.Events.Count; i++)
        {
            var index = evidence.Events[i].Index;
            EvidenceRefusedException.When(!listed.Contains(index), "event-not-listed", index);
            EvidenceRefusedException.When(i >= evidence.Manifest.Count || evidence.Manifest[i].Index != index, "event-reordered", index);
        }
    }

    private static LoggedEvent CheckEvent(EvidenceEvent e, SignedCheckpoint checkpoint, Dictionary<string, byte[]> batchKeys, byte[] key)
    {
        var hash = SHA256.HashData([0, .. e.Leaf]);
        EvidenceRefusedException.When(!InTree(e.Index, checkpoint.Size, hash, e.Proof, checkpoint.Root), "inclusion-proof", e.Index);
        var logged = LoggedEvent.Read(e.Index, e.Leaf);
        EvidenceRefusedException.When(!logged.Keys.Exists(k => k.AsSpan().SequenceEqual(key)), "other-subject", e.Index);
        CheckBatch(e, logged, batchKeys);
        return logged;
    }

    private static void CheckBatch(EvidenceEvent e, LoggedEvent logged, Dictionary<string, byte[]> batchKeys)
    {
        EvidenceRefusedException.When(!batchKeys.TryGetValue(logged.Source, out var spki), "key-not-trusted", e.Index, "batch:" + logged.Source);
        EvidenceRefusedException.When(
            e.Count is 0 or > 1024 || logged.Seq < e.FirstSeq || logged.Seq - e.FirstSeq >= e.Count || e.Tail.Count != e.FirstSeq + e.Count - 1 - logged.Seq,
            "batch-shape", e.Index);
        var last = logged.EnvelopeHash;
        var source = Encoding.ASCII.GetBytes(logged.Source);
        for (var i = 0; i < e.Tail.Count; i++)
        {
            last = SHA256.HashData([
                .. "trust.envelope.v1\n"u8, (byte)source.Length, .. source, .. U64(logged.Epoch), .. U64(logged.Seq + 1 + i), .. last, .. e.Tail[i]]);
        }

        var count = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(count, (uint)e.Count);
        byte[] signed = [.. BatchTag, (byte)source.Length, .. source, .. U64(logged.Epoch), .. U64(e.FirstSeq), .. count, .. last];
        using var verifier = ECDsa.Create();
        verifier.ImportSubjectPublicKeyInfo(spki, out _);
        EvidenceRefusedException.When(
            !verifier.VerifyData(signed, e.Signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation),
            "batch-signature", e.Index, logged.Source);
    }

    private static void CheckFollows(List<LoggedEvent> events)
    {
        var current = events[^1];
        if (events.Count > 1)
        {
            EvidenceRefusedException.When(current.Time < events[^2].Time, "time-falls", current.Index);
        }

        if (events.Take(events.Count - 1).LastOrDefault(e => string.Equals(e.Source, current.Source, StringComparison.Ordinal)) is { } before)
        {
            EvidenceRefusedException.When((before.Epoch, before.Seq).CompareTo((current.Epoch, current.Seq)) >= 0, "source-order", current.Index, current.Source);
            EvidenceRefusedException.When(
                before.Epoch == current.Epoch && before.Seq + 1 == current.Seq && !current.Prev.AsSpan().SequenceEqual(before.EnvelopeHash),
                "source-chain", current.Index, current.Source);
        }
    }

    private static void CheckQuery(Evidence evidence, byte[] key, LoggedEvent query)
    {
        EvidenceRefusedException.When(
            query is not { Action: "REG.query", Source: "ledger", Outcome: "success" } || query.Index < evidence.ManifestSize, "query-event", query.Index);
        var manifest = new List<byte>([.. ManifestTag, .. key, .. U64(evidence.ManifestSize), .. U64(evidence.Manifest.Count).AsSpan(4)]);
        foreach (var (index, leafHash) in evidence.Manifest)
        {
            manifest.AddRange(U64(index));
            manifest.AddRange(leafHash);
        }

        manifest.AddRange(SHA256.HashData(evidence.Attachments.ValueKind == JsonValueKind.Null ? "null"u8.ToArray() : CanonicalJson.Encode(evidence.Attachments)));
        var expected = "evidence:sha256:" + Convert.ToHexStringLower(SHA256.HashData([.. manifest]));
        EvidenceRefusedException.When(!string.Equals(query.Basis, expected, StringComparison.Ordinal), "manifest-not-logged", query.Index);
    }

    /// <summary>RFC 9162 §2.1.3.2.</summary>
    internal static bool InTree(long index, long size, byte[] hash, List<byte[]> proof, byte[] root)
    {
        if (index >= size)
        {
            return false;
        }

        var (fn, sn) = (index, size - 1);
        foreach (var p in proof)
        {
            if (sn == 0)
            {
                return false;
            }

            if (fn % 2 == 1 || fn == sn)
            {
                hash = SHA256.HashData([1, .. p, .. hash]);
                while (fn % 2 == 0 && fn != 0)
                {
                    (fn, sn) = (fn / 2, sn / 2);
                }
            }
            else
            {
                hash = SHA256.HashData([1, .. hash, .. p]);
            }

            (fn, sn) = (fn / 2, sn / 2);
        }

        return sn == 0 && hash.AsSpan().SequenceEqual(root);
    }

    private static byte[] PrescriptionKey(string prescription)
    {
        var kind = "prescription"u8;
        var identifier = Encoding.UTF8.GetBytes(prescription);
        EvidenceRefusedException.When(identifier.Length is 0 or > 1024, "malformed-file", null, "$.prescription");
        return SHA256.HashData([.. KeyTag, (byte)kind.Length, .. kind, (byte)(identifier.Length >> 8), (byte)identifier.Length, .. identifier]);
    }

    private static byte[] U64(long value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        return bytes;
    }

    private static VerifiedEvent Report(LoggedEvent e) => new(e.Index, e.Time, e.Source, e.Action, e.Outcome, e.Actor);
}
