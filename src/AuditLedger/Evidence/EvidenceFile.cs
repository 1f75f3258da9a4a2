using System.Text.Json;
using System.Text.Json.Serialization;
using Trust.AuditLedger.Retention;
using Trust.AuditLedger.Shredding;
using Trust.Kernel.Audit;

namespace Trust.AuditLedger.Evidence;

/// <summary>The self-contained file of docs/LEDGER-FORMAT.md §8. Bytes are Base64.</summary>
/// <param name="Format">Always <c>trust.evidence.v1</c>.</param>
/// <param name="Prescription">Identifier asked about.</param>
/// <param name="Checkpoint">Signed note under which every proof stands.</param>
/// <param name="Manifest">The complete list of what the log held on the prescription when it was asked.</param>
/// <param name="Events">One entry for each line of the manifest, in its order.</param>
/// <param name="Query">The event of this very query, whose basis is the hash of the manifest.</param>
/// <param name="Policy">Keys the file was made with; trusted only as far as the verifier's own list agrees.</param>
/// <param name="Attachments">What the signing service holds on the prescription, verbatim.</param>
public sealed record EvidenceFile(
    string Format, string Prescription, string Checkpoint, EvidenceManifest Manifest, IReadOnlyList<EvidenceEvent> Events,
    EvidenceEvent Query, EvidencePolicy Policy, JsonElement? Attachments);

/// <summary>List of all entries with one subject below a size.</summary>
/// <param name="Size">Size of the log at the time of the query.</param>
/// <param name="Entries">In index order.</param>
public sealed record EvidenceManifest(long Size, IReadOnlyList<ManifestEntry> Entries);

/// <summary>One line of the manifest.</summary>
/// <param name="Index">Index in the log.</param>
/// <param name="LeafHash">RFC 6962 leaf hash.</param>
public sealed record ManifestEntry(long Index, byte[] LeafHash);

/// <summary>An event with what proves it.</summary>
/// <param name="Index">Index in the log.</param>
/// <param name="Leaf">Leaf data.</param>
/// <param name="Proof">Inclusion proof under the file's checkpoint, leaf to root.</param>
/// <param name="Batch">Producer's signature.</param>
public sealed record EvidenceEvent(long Index, byte[] Leaf, IReadOnlyList<byte[]> Proof, EvidenceBatch Batch);

/// <summary>The batch a producer signed, from the event on.</summary>
/// <param name="FirstSeq">First number of the batch.</param>
/// <param name="Count">Events in it.</param>
/// <param name="Tail">Body hashes of the events after this one, through which the signed hash is reached.</param>
/// <param name="Signature">r‖s, P-256.</param>
public sealed record EvidenceBatch(long FirstSeq, int Count, IReadOnlyList<byte[]> Tail, byte[] Signature);

/// <summary>Keys.</summary>
/// <param name="CheckpointKeys">C2SP vkey lines.</param>
/// <param name="BatchKeys">SubjectPublicKeyInfo by source.</param>
public sealed record EvidencePolicy(IReadOnlyList<string> CheckpointKeys, IReadOnlyDictionary<string, byte[]> BatchKeys);

/// <summary>JSON of the ledger's own answers and requests.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(EvidenceFile))]
[JsonSerializable(typeof(SourceHead))]
[JsonSerializable(typeof(OpenEpochRequest))]
[JsonSerializable(typeof(ProofAnswer))]
[JsonSerializable(typeof(HoldRequest))]
[JsonSerializable(typeof(HoldAnswer))]
[JsonSerializable(typeof(IReadOnlyList<HoldAnswer>))]
[JsonSerializable(typeof(ShreddingRequest))]
[JsonSerializable(typeof(ShreddingAnswer))]
public sealed partial class LedgerJson : JsonSerializerContext;
