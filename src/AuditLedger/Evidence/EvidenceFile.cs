using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Proofs;
using Trust.AuditLedger.Retention;
using Trust.AuditLedger.Shredding;
using Trust.AuditLedger.Watching;
using Trust.Crypto.Json;
using Trust.Kernel.Audit;
using Trust.Kernel.Keys;
using Trust.LogFormat;

namespace Trust.AuditLedger.Evidence;

/// <summary>The self-contained file of docs/LEDGER-FORMAT.md §9 without its member <c>query</c>, which names the hashes of all others. Bytes are Base64.</summary>
/// <param name="Format"><c>trust.evidence.v5</c>.</param>
/// <param name="Question">What was asked.</param>
/// <param name="Checkpoint">Signed note, cosigned by witnesses, under which the answer is complete.</param>
/// <param name="Tree">The tree asked about.</param>
/// <param name="Range">The indices that hold the period.</param>
/// <param name="Completeness">SIX2 proof.</param>
/// <param name="Events">The postings the proof shows, in order.</param>
/// <param name="Openings">Data keys of sealed detail, under a case number only.</param>
/// <param name="Anchor">An outside authority's time-stamp of the log, where there is one.</param>
/// <param name="Policy">Keys the file was made with; trusted only as far as the verifier's own list agrees.</param>
/// <param name="Attachments">What the signing service holds on a prescription, verbatim.</param>
public sealed record EvidenceAnswer(
    string Format, JsonObject Question, string Checkpoint, AskedTree Tree, IndexRange Range, byte[] Completeness, IReadOnlyList<EvidenceEvent> Events,
    IReadOnlyList<Opening> Openings, EvidenceAnchor? Anchor, EvidencePolicy Policy, JsonElement? Attachments);

/// <summary>The members of a file in their one spelling (RFC 8785), each encoded once: a file may have 64 MiB.</summary>
internal sealed class FileMembers
{
    private static readonly byte[] QueryTag = "trust.query.v3\n"u8.ToArray();

    private readonly SortedDictionary<string, byte[]> _members = new(StringComparer.Ordinal);

    public FileMembers(EvidenceAnswer answer)
    {
        foreach (var member in JsonSerializer.SerializeToElement(answer, LedgerJson.Default.EvidenceAnswer).EnumerateObject())
        {
            _members[member.Name] = CanonicalJson.Encode(member.Value);
        }
    }

    /// <summary>Bytes of the members, their names and what joins them; the member <c>query</c> comes to it.</summary>
    public long Length => _members.Sum(m => (long)m.Key.Length + m.Value.Length + 4);

    /// <summary>What the query event names: all members but itself, so that whoever passes the file on can leave nothing of it out.</summary>
    public string Basis() => "query:sha256:" + Convert.ToHexStringLower(SHA256.HashData([.. QueryTag, .. _members.Values.SelectMany(SHA256.HashData)]));

    /// <summary>The whole file.</summary>
    public byte[] With(QueryEvent query)
    {
        _members["query"] = CanonicalJson.Encode(JsonSerializer.SerializeToElement(query, LedgerJson.Default.QueryEvent));
        using var file = new MemoryStream(_members.Sum(m => m.Key.Length + m.Value.Length + 4) + 2);
        var before = "{"u8;
        foreach (var (name, value) in _members)
        {
            file.Write(before);
            file.Write(Encoding.ASCII.GetBytes($"\"{name}\":"));
            file.Write(value);
            before = ","u8;
        }

        file.Write("}"u8);
        return file.ToArray();
    }
}

/// <summary>The tree asked about, which the checkpoint extends.</summary>
/// <param name="Root">RFC 6962 root.</param>
/// <param name="Consistency">RFC 9162 proof from it to the checkpoint.</param>
public sealed record AskedTree(byte[] Root, IReadOnlyList<byte[]> Consistency);

/// <summary>Indices [From, To), which hold at least the period asked for.</summary>
/// <param name="From">First index.</param>
/// <param name="To">First index after.</param>
/// <param name="Before">The event at From − 1, which happened before the period; null where the range begins with the log.</param>
/// <param name="After">The event at To, which happened after the period; null where the range ends with the tree.</param>
public sealed record IndexRange(long From, long To, RangeEnd? Before, RangeEnd? After);

/// <summary>An event, of whatever subject, whose time shows that a range holds the whole period.</summary>
/// <param name="Leaf">Leaf data.</param>
/// <param name="Proof">Inclusion proof in the tree asked about, leaf to root.</param>
public sealed record RangeEnd(byte[] Leaf, IReadOnlyList<byte[]> Proof);

/// <summary>An event with what proves it; or, where it happened outside the regulator's region, its leaf hash alone.</summary>
/// <param name="Index">Index in the log.</param>
/// <param name="Leaf">Leaf data.</param>
/// <param name="LeafHash">RFC 6962 leaf hash of a withheld event.</param>
/// <param name="Proof">Inclusion proof under the file's checkpoint, leaf to root.</param>
/// <param name="Batch">Producer's signature.</param>
public sealed record EvidenceEvent(
    long Index,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] byte[]? Leaf,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] byte[]? LeafHash,
    IReadOnlyList<byte[]> Proof,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] EvidenceBatch? Batch);

/// <summary>Member <c>query</c>: the query's own event under a checkpoint that covers it.</summary>
/// <param name="Index">Index in the log.</param>
/// <param name="Leaf">Leaf data.</param>
/// <param name="Proof">Inclusion proof under <paramref name="Checkpoint"/>.</param>
/// <param name="Batch">Producer's signature.</param>
/// <param name="Checkpoint">Signed note of the log.</param>
/// <param name="Consistency">RFC 9162 proof from the file's checkpoint to this one.</param>
public sealed record QueryEvent(long Index, byte[] Leaf, IReadOnlyList<byte[]> Proof, EvidenceBatch Batch, string Checkpoint, IReadOnlyList<byte[]> Consistency);

/// <summary>Opens the sealed detail of one event.</summary>
/// <param name="Index">Index in the log.</param>
/// <param name="DataKey">AES-256 key.</param>
public sealed record Opening(long Index, byte[] DataKey);

/// <summary>A time-stamp over a checkpoint at or before the file's own.</summary>
/// <param name="Checkpoint">Signed note that was stamped, byte for byte.</param>
/// <param name="Consistency">RFC 9162 proof from its size to the file's.</param>
/// <param name="Token">RFC 3161 token over the note.</param>
public sealed record EvidenceAnchor(string Checkpoint, IReadOnlyList<byte[]> Consistency, byte[] Token);

/// <summary>The batch a producer signed, from the event on.</summary>
/// <param name="FirstSeq">First number of the batch.</param>
/// <param name="Count">Events in it.</param>
/// <param name="Tail">Body hashes of the events after this one, through which the signed hash is reached.</param>
/// <param name="Signature">r‖s, P-256.</param>
public sealed record EvidenceBatch(long FirstSeq, int Count, IReadOnlyList<byte[]> Tail, byte[] Signature);

/// <summary>Keys.</summary>
/// <param name="CheckpointKeys">C2SP vkey lines of the log.</param>
/// <param name="WitnessKeys">C2SP vkey lines of its witnesses.</param>
/// <param name="WitnessQuorum">How many of them must have cosigned.</param>
/// <param name="BatchKeys">By source the SubjectPublicKeyInfo of its keys, the current one first.</param>
public sealed record EvidencePolicy(
    IReadOnlyList<string> CheckpointKeys, IReadOnlyList<string> WitnessKeys, int WitnessQuorum, IReadOnlyDictionary<string, IReadOnlyList<byte[]>> BatchKeys);

/// <summary>JSON of the ledger's own answers and requests.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(EvidenceAnswer))]
[JsonSerializable(typeof(QueryEvent))]
[JsonSerializable(typeof(SourceHead))]
[JsonSerializable(typeof(OpenEpochRequest))]
[JsonSerializable(typeof(ProofAnswer))]
[JsonSerializable(typeof(HoldRequest))]
[JsonSerializable(typeof(HoldAnswer))]
[JsonSerializable(typeof(IReadOnlyList<HoldAnswer>))]
[JsonSerializable(typeof(IReadOnlyList<LoggedAlarm>))]
[JsonSerializable(typeof(ShreddingRequest))]
[JsonSerializable(typeof(ShreddingAnswer))]
[JsonSerializable(typeof(HeldRequest))]
[JsonSerializable(typeof(HeldAnswer))]
[JsonSerializable(typeof(PersonShreddingRequest))]
[JsonSerializable(typeof(PersonShreddingAnswer))]
public sealed partial class LedgerJson : JsonSerializerContext;
