using Trust.LogFormat;

namespace Trust.AuditLedger.Evidence;

/// <summary>Events of the ledger that concern nobody and nobody's region: anchors and checks. Holds, shreddings and alarms do.</summary>
internal static class Mark
{
    /// <summary>Whether a leaf is one.</summary>
    public static bool Is(byte[] leaf) =>
        EventLeaf.TryRead(leaf, out var e) && e.Keys.Length == (e.ByActor ? SubjectKey.Size : 0) && e.SourceBytes.SequenceEqual("ledger"u8)
        && (e.Body.StartsWith("{\"action\":\"LEDGER.anchor\","u8) || e.Body.StartsWith("{\"action\":\"LEDGER.verify\","u8));
}
