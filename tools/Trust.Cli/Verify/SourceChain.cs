using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Trust.Cli.Verify;

/// <summary>An event in its batch and in the chain of its source (docs/LEDGER-FORMAT.md §4).</summary>
internal static class SourceChain
{
    private static readonly byte[] BatchTag = "trust.batch.v1\n"u8.ToArray();

    /// <summary>Checks the signature of the batch that the event came in.</summary>
    public static void CheckBatch(EvidenceEvent e, LoggedEvent logged, Dictionary<string, List<byte[]>> batchKeys)
    {
        EvidenceRefusedException.When(!batchKeys.TryGetValue(logged.Source, out var keys), "key-not-trusted", e.Index, "batch:" + logged.Source);
        EvidenceRefusedException.When(
            e.Count is 0 or > 1024 || e.FirstSeq == 0 || logged.Seq < e.FirstSeq || logged.Seq - e.FirstSeq >= e.Count || e.Tail.Count != e.FirstSeq + e.Count - 1 - logged.Seq,
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
        EvidenceRefusedException.When(!keys!.Exists(key => Verifies(key, signed, e.Signature)), "batch-signature", e.Index, logged.Source);
    }

    private static bool Verifies(byte[] spki, byte[] signed, byte[] signature)
    {
        using var key = ECDsa.Create();
        key.ImportSubjectPublicKeyInfo(spki, out _);
        return key.VerifyData(signed, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
    }

    /// <summary>Checks the last event against those before it: its type, ledger time and its source's chain.</summary>
    /// <param name="events">In order.</param>
    /// <param name="byActor">Whether the log has events of type 3 only.</param>
    public static void CheckFollows(List<LoggedEvent> events, bool byActor)
    {
        var current = events[^1];
        EvidenceRefusedException.When(!current.ByActor && (byActor || (events.Count > 1 && events[^2].ByActor)), "leaf-type", current.Index);
        if (events.Count > 1)
        {
            EvidenceRefusedException.When(current.Time < events[^2].Time, "time-falls", current.Index);
        }

        if (events.Take(events.Count - 1).LastOrDefault(e => string.Equals(e.Source, current.Source, StringComparison.Ordinal)) is { } before)
        {
            EvidenceRefusedException.When((before.Epoch, before.Seq).CompareTo((current.Epoch, current.Seq)) >= 0, "source-order", current.Index, current.Source);
            // A direct successor names the one before; nobody else does, but the first after a takeover may.
            var follows = before.Epoch == current.Epoch && before.Seq + 1 == current.Seq;
            EvidenceRefusedException.When(
                current.Seq > 1 && follows != current.Prev.AsSpan().SequenceEqual(before.EnvelopeHash), "source-chain", current.Index, current.Source);
        }
    }

    private static byte[] U64(long value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        return bytes;
    }
}
