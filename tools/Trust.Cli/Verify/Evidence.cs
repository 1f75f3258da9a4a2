using System.Text.Json;
using Trust.Crypto.Json;

namespace Trust.Cli.Verify;

/// <summary>An evidence file as read (docs/LEDGER-FORMAT.md §8); nothing in it is believed yet.</summary>
internal sealed record Evidence(
    string Prescription, string Checkpoint, long ManifestSize, List<(long Index, byte[] LeafHash)> Manifest, List<EvidenceEvent> Events,
    EvidenceEvent Query, List<string> CheckpointKeys, Dictionary<string, byte[]> BatchKeys, JsonElement Attachments)
{
    private const int MaxBytes = 64 << 20;
    private const int MaxEvents = 10_000;

    /// <summary>Reads the bytes of a file.</summary>
    /// <exception cref="EvidenceRefusedException">Not an evidence file in its one spelling.</exception>
    public static Evidence Read(ReadOnlySpan<byte> bytes)
    {
        EvidenceRefusedException.When(bytes.Length > MaxBytes, "malformed-file", null, "size");
        var parsed = StrictJson.TryParse(bytes, new JsonLimits(MaxBytes, 32), out var root, out _);
        EvidenceRefusedException.When(!parsed, "malformed-file", null, "JSON");
        Strict.Members(root, "$", "format", "prescription", "checkpoint", "manifest", "events", "query", "policy", "attachments");
        EvidenceRefusedException.When(!string.Equals(Strict.Text(root, "format", "$"), "trust.evidence.v1", StringComparison.Ordinal), "unknown-format");
        var manifest = root.GetProperty("manifest");
        Strict.Members(manifest, "$.manifest", "size", "entries");
        var policy = root.GetProperty("policy");
        Strict.Members(policy, "$.policy", "checkpointKeys", "batchKeys");
        var evidence = new Evidence(
            Strict.Text(root, "prescription", "$"),
            Strict.Text(root, "checkpoint", "$"),
            Strict.Number(manifest, "size", "$.manifest"),
            [.. Strict.Items(manifest, "entries", "$.manifest", MaxEvents).Select(ManifestEntry)],
            [.. Strict.Items(root, "events", "$", MaxEvents).Select(e => EvidenceEvent.Read(e, "$.events"))],
            EvidenceEvent.Read(root.GetProperty("query"), "$.query"),
            [.. Strict.Items(policy, "checkpointKeys", "$.policy", 16).Select(k => k.ValueKind == JsonValueKind.String ? k.GetString()! : "")],
            ReadBatchKeys(policy.GetProperty("batchKeys")),
            root.GetProperty("attachments"));
        // One spelling only, so that every byte of the file is covered by what follows.
        EvidenceRefusedException.When(!CanonicalJson.Encode(root).AsSpan().SequenceEqual(bytes), "not-canonical");
        return evidence;
    }

    private static (long Index, byte[] LeafHash) ManifestEntry(JsonElement entry)
    {
        Strict.Members(entry, "$.manifest.entries", "index", "leafHash");
        return (Strict.Number(entry, "index", "$.manifest.entries"), Strict.Bytes(entry, "leafHash", "$.manifest.entries", 32));
    }

    private static Dictionary<string, byte[]> ReadBatchKeys(JsonElement keys)
    {
        EvidenceRefusedException.When(keys.ValueKind != JsonValueKind.Object, "malformed-file", null, "$.policy.batchKeys");
        return keys.EnumerateObject().ToDictionary(p => p.Name, p => Strict.Bytes(p.Value, "$.policy.batchKeys." + p.Name), StringComparer.Ordinal);
    }
}

/// <summary>One event of the file with what proves it.</summary>
internal sealed record EvidenceEvent(long Index, byte[] Leaf, List<byte[]> Proof, long FirstSeq, long Count, List<byte[]> Tail, byte[] Signature)
{
    public static EvidenceEvent Read(JsonElement e, string path)
    {
        Strict.Members(e, path, "index", "leaf", "proof", "batch");
        var batch = e.GetProperty("batch");
        Strict.Members(batch, path + ".batch", "firstSeq", "count", "tail", "signature");
        return new EvidenceEvent(
            Strict.Number(e, "index", path),
            Strict.Bytes(e, "leaf", path),
            [.. Strict.Items(e, "proof", path, 64).Select(h => Strict.Bytes(h, path + ".proof", 32))],
            Strict.Number(batch, "firstSeq", path),
            Strict.Number(batch, "count", path),
            [.. Strict.Items(batch, "tail", path, 1024).Select(h => Strict.Bytes(h, path + ".tail", 32))],
            Strict.Bytes(batch, "signature", path, 64));
    }
}
