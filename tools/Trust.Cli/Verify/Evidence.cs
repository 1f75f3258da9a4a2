using System.Text;
using System.Security.Cryptography;
using System.Globalization;
using System.Text.Json;
using Trust.Crypto.Json;

namespace Trust.Cli.Verify;

/// <summary>An evidence file as read (docs/LEDGER-FORMAT.md §9); nothing in it is believed yet.</summary>
/// <param name="Others">All members but <c>query</c>, in the order of their names.</param>
internal sealed record Evidence(
    Question Question, string Checkpoint, byte[] TreeRoot, List<byte[]> Consistency, long From, long To, RangeEnd? Before, RangeEnd? After,
    byte[] Completeness, List<EvidenceEvent> Events, List<(long Index, byte[] DataKey)> Openings, EvidenceEvent Query, string QueryCheckpoint, List<byte[]> QueryConsistency,
    EvidenceAnchor? Anchor, EvidencePolicy Policy, EvidenceAttachments? Attachments, List<JsonElement> Others)
{
    /// <summary>Largest file read.</summary>
    public const int MaxBytes = 64 << 20;
    private const int MaxEvents = 10_002;

    /// <summary>Reads the bytes of a file.</summary>
    /// <exception cref="EvidenceRefusedException">Not an evidence file in its one spelling.</exception>
    public static Evidence Read(ReadOnlySpan<byte> bytes)
    {
        EvidenceRefusedException.When(bytes.Length > MaxBytes, "malformed-file", null, "size");
        var parsed = StrictJson.TryParse(bytes, new JsonLimits(MaxBytes, 32), out var root, out _);
        EvidenceRefusedException.When(!parsed, "malformed-file", null, "JSON");
        Strict.Members(root, "$", "format", "question", "checkpoint", "tree", "range", "completeness", "events", "openings", "query", "anchor", "policy", "attachments");
        EvidenceRefusedException.When(!string.Equals(Strict.Text(root, "format", "$"), "trust.evidence.v5", StringComparison.Ordinal), "unknown-format");
        var range = root.GetProperty("range");
        Strict.Members(range, "$.range", "from", "to", "before", "after");
        var tree = root.GetProperty("tree");
        Strict.Members(tree, "$.tree", "root", "consistency");
        var query = root.GetProperty("query");
        Strict.Members(query, "$.query", "index", "leaf", "proof", "batch", "checkpoint", "consistency");
        var evidence = new Evidence(
            Question.Read(root.GetProperty("question")),
            Strict.Text(root, "checkpoint", "$"),
            Strict.Bytes(tree, "root", "$.tree", 32),
            [.. Strict.Items(tree, "consistency", "$.tree", 64).Select(h => Strict.Bytes(h, "$.tree.consistency", 32))],
            Strict.Number(range, "from", "$.range"),
            Strict.Number(range, "to", "$.range"),
            RangeEnd.Read(range.GetProperty("before"), "$.range.before"),
            RangeEnd.Read(range.GetProperty("after"), "$.range.after"),
            Strict.Bytes(root, "completeness", "$"),
            [.. Strict.Items(root, "events", "$", MaxEvents).Select(e => EvidenceEvent.Read(e, "$.events"))],
            [.. Strict.Items(root, "openings", "$", MaxEvents).Select(Opening)],
            EvidenceEvent.ReadShown(query, "$.query"),
            Strict.Text(query, "checkpoint", "$.query"),
            [.. Strict.Items(query, "consistency", "$.query", 64).Select(h => Strict.Bytes(h, "$.query.consistency", 32))],
            EvidenceAnchor.Read(root.GetProperty("anchor")),
            EvidencePolicy.Read(root.GetProperty("policy")),
            EvidenceAttachments.Read(root.GetProperty("attachments")),
            [.. root.EnumerateObject().Where(m => !m.NameEquals("query")).OrderBy(m => m.Name, StringComparer.Ordinal).Select(m => m.Value)]);
        // One spelling only, so that every byte of the file is covered by what follows.
        EvidenceRefusedException.When(!CanonicalJson.Encode(root).AsSpan().SequenceEqual(bytes), "not-canonical");
        return evidence;
    }

    private static (long Index, byte[] DataKey) Opening(JsonElement opening)
    {
        Strict.Members(opening, "$.openings", "index", "dataKey");
        return (Strict.Number(opening, "index", "$.openings"), Strict.Bytes(opening, "dataKey", "$.openings", 32));
    }
}

/// <summary>What the regulator asked.</summary>
/// <param name="Kind">Kind of subject.</param>
/// <param name="Identifier">Null for a patient, whose key cannot be recomputed.</param>
/// <param name="Key">Subject key.</param>
/// <param name="From">Begin of the time asked for; null when open.</param>
/// <param name="To">End, exclusive; null when open.</param>
/// <param name="Size">Tree it was asked of.</param>
/// <param name="Region">The regulator's region.</param>
/// <param name="CaseNumber">Case under which personal detail was asked for.</param>
internal sealed record Question(
    string Kind, string? Identifier, byte[] Key, DateTimeOffset? From, DateTimeOffset? To, long Size, string Region, string? CaseNumber)
{
    private static readonly byte[] KeyTag = "trust.key.v1\n"u8.ToArray();

    /// <summary>Kind of the questions about who acted.</summary>
    public const string Actor = "actor";

    /// <summary>The key of an identifier (docs/LEDGER-FORMAT.md §2).</summary>
    public static byte[] KeyOf(string kind, string identifier)
    {
        var (tag, name) = (Encoding.UTF8.GetBytes(kind), Encoding.UTF8.GetBytes(identifier));
        return SHA256.HashData([.. KeyTag, (byte)tag.Length, .. tag, (byte)(name.Length >> 8), (byte)name.Length, .. name]);
    }

    public static Question Read(JsonElement json)
    {
        const string path = "$.question";
        Strict.Members(json, path, "kind", "identifier", "key", "from", "to", "size", "region", "caseNumber");
        return new Question(
            Strict.Text(json, "kind", path), Strict.OptionalText(json, "identifier", path), Strict.Bytes(json, "key", path, 32),
            Time(json, "from"), Time(json, "to"), Strict.Number(json, "size", path), Strict.Text(json, "region", path),
            Strict.OptionalText(json, "caseNumber", path));
    }

    private static DateTimeOffset? Time(JsonElement json, string name)
    {
        if (Strict.OptionalText(json, name, "$.question") is not { } text)
        {
            return null;
        }

        var good = DateTimeOffset.TryParseExact(
            text, "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) && text.All(char.IsAscii);
        EvidenceRefusedException.When(!good, "malformed-file", null, "$.question." + name);
        return time;
    }
}

/// <summary>One event of the file with what proves it; withheld when only its leaf hash is shown.</summary>
internal sealed record EvidenceEvent(long Index, byte[]? Leaf, byte[]? WithheldHash, List<byte[]> Proof, long FirstSeq, long Count, List<byte[]> Tail, byte[] Signature)
{
    public static EvidenceEvent Read(JsonElement e, string path)
    {
        if (e.ValueKind == JsonValueKind.Object && e.TryGetProperty("leafHash", out _))
        {
            Strict.Members(e, path, "index", "leafHash", "proof");
            return new EvidenceEvent(Strict.Number(e, "index", path), null, Strict.Bytes(e, "leafHash", path, 32), ReadProof(e, path), 0, 0, [], []);
        }

        Strict.Members(e, path, "index", "leaf", "proof", "batch");
        return ReadShown(e, path);
    }

    public static EvidenceEvent ReadShown(JsonElement e, string path)
    {
        var batch = e.GetProperty("batch");
        Strict.Members(batch, path + ".batch", "firstSeq", "count", "tail", "signature");
        return new EvidenceEvent(
            Strict.Number(e, "index", path),
            Strict.Bytes(e, "leaf", path),
            null,
            ReadProof(e, path),
            Strict.Number(batch, "firstSeq", path),
            Strict.Number(batch, "count", path),
            [.. Strict.Items(batch, "tail", path, 1024).Select(h => Strict.Bytes(h, path + ".tail", 32))],
            Strict.Bytes(batch, "signature", path, 64));
    }

    private static List<byte[]> ReadProof(JsonElement e, string path) =>
        [.. Strict.Items(e, "proof", path, 64).Select(h => Strict.Bytes(h, path + ".proof", 32))];
}

/// <summary>An event of whatever subject that shows where the range ends.</summary>
internal sealed record RangeEnd(byte[] Leaf, List<byte[]> Proof)
{
    public static RangeEnd? Read(JsonElement json, string path)
    {
        if (json.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        Strict.Members(json, path, "leaf", "proof");
        return new RangeEnd(Strict.Bytes(json, "leaf", path), [.. Strict.Items(json, "proof", path, 64).Select(h => Strict.Bytes(h, path + ".proof", 32))]);
    }
}

/// <summary>An outside authority's time-stamp over an earlier or the same checkpoint.</summary>
internal sealed record EvidenceAnchor(string Checkpoint, List<byte[]> Consistency, byte[] Token)
{
    public static EvidenceAnchor? Read(JsonElement json)
    {
        if (json.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        const string path = "$.anchor";
        Strict.Members(json, path, "checkpoint", "consistency", "token");
        return new EvidenceAnchor(
            Strict.Text(json, "checkpoint", path),
            [.. Strict.Items(json, "consistency", path, 64).Select(h => Strict.Bytes(h, path + ".consistency", 32))],
            Strict.Bytes(json, "token", path));
    }
}

/// <summary>Keys the file names; believed only as far as the verifier's own list agrees.</summary>
internal sealed record EvidencePolicy(List<string> CheckpointKeys, List<string> WitnessKeys, long WitnessQuorum, Dictionary<string, List<byte[]>> BatchKeys)
{
    private const int MaxKeys = 64;

    public static EvidencePolicy Read(JsonElement json)
    {
        const string path = "$.policy";
        Strict.Members(json, path, "checkpointKeys", "witnessKeys", "witnessQuorum", "batchKeys");
        var batchKeys = json.GetProperty("batchKeys");
        EvidenceRefusedException.When(batchKeys.ValueKind != JsonValueKind.Object, "malformed-file", null, path + ".batchKeys");
        return new EvidencePolicy(
            Keys(json, "checkpointKeys"),
            Keys(json, "witnessKeys"),
            Strict.Number(json, "witnessQuorum", path),
            batchKeys.EnumerateObject().ToDictionary(p => p.Name, p => SourceKeys(batchKeys, p.Name), StringComparer.Ordinal));
    }

    private static List<byte[]> SourceKeys(JsonElement batchKeys, string source)
    {
        const string path = "$.policy.batchKeys";
        var keys = Strict.Items(batchKeys, source, path, MaxKeys).Select(k => Strict.Bytes(k, path + "." + source)).ToList();
        EvidenceRefusedException.When(keys.Count == 0, "malformed-file", null, path + "." + source);
        return keys;
    }

    private static List<string> Keys(JsonElement json, string name) =>
        [.. Strict.Items(json, name, "$.policy", MaxKeys).Select(k => Strict.Text(k, "$.policy." + name))];
}

/// <summary>What the signing service holds on a prescription.</summary>
internal sealed record EvidenceAttachments(string Prescription, byte[] Payload, List<AttachedSignature> Signatures)
{
    private const int MaxSignatures = 32;

    public static EvidenceAttachments? Read(JsonElement json)
    {
        if (json.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        const string path = "$.attachments";
        Strict.Members(json, path, "prescription", "payload", "signatures");
        return new EvidenceAttachments(
            Strict.Text(json, "prescription", path), Strict.Bytes(json, "payload", path),
            [.. Strict.Items(json, "signatures", path, MaxSignatures).Select(AttachedSignature.Read)]);
    }
}

/// <summary>One signature with what is needed to judge it.</summary>
/// <param name="Statement">What it signs; null when it signs the prescription itself.</param>
internal sealed record AttachedSignature(string Kind, byte[]? Statement, string Protected, string Signature, List<byte[]> Certificates, byte[] Timestamp)
{
    private const int MaxCertificates = 8;

    public static AttachedSignature Read(JsonElement json)
    {
        const string path = "$.attachments.signatures";
        Strict.Members(json, path, "kind", "payload?", "protected", "signature", "certificates", "timestamp", "ocsp?");
        OptionalBytes(json, "ocsp", path);
        return new AttachedSignature(
            Strict.Text(json, "kind", path), OptionalBytes(json, "payload", path), Strict.Text(json, "protected", path), Strict.Text(json, "signature", path),
            [.. Strict.Items(json, "certificates", path, MaxCertificates).Select(c => Strict.Bytes(c, path + ".certificates"))], Strict.Bytes(json, "timestamp", path));
    }

    private static byte[]? OptionalBytes(JsonElement json, string name, string path) =>
        json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? Strict.Bytes(value, $"{path}.{name}") : null;
}
