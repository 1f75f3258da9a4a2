namespace Trust.LogFormat;

/// <summary>The ledger's statement that an event stands at one index for good.</summary>
/// <param name="Index">Position in the log, from 0.</param>
/// <param name="Time">The sequencer's time, UTC, microseconds.</param>
/// <param name="LeafHash">RFC 6962 leaf hash, 32 bytes.</param>
/// <param name="TreeSize">Size of a signed checkpoint that covers the event.</param>
public sealed record Receipt(long Index, DateTimeOffset Time, byte[] LeafHash, long TreeSize);
