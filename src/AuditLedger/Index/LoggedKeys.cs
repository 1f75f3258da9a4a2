using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Index;

/// <summary>What the index needs of a logged entry.</summary>
/// <param name="Index">Index in the log.</param>
/// <param name="LeafHash">As stored.</param>
/// <param name="Keys">Keys of an event.</param>
/// <param name="ByActor">Whether the actor's is among them.</param>
/// <param name="Commit">The commit entry, when it is one.</param>
internal readonly record struct LoggedKeys(long Index, byte[] LeafHash, ReadOnlyMemory<byte> Keys, bool ByActor, CommitEntry? Commit);
