using System.Buffers;
using System.Security.Cryptography;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Entries;

/// <summary>One event of a batch after judgement: what the sequencer needs, computed once outside it.</summary>
/// <param name="Body">As sent.</param>
/// <param name="DataKey">Of its sealed detail: as sent, and sealed before it is sequenced; else empty.</param>
/// <param name="BodyHash">SHA-256 of the body.</param>
/// <param name="Prev">Hash of its source's envelope before.</param>
/// <param name="Keys">Of the leaf.</param>
/// <param name="Under">Identity of the subject's key that the data key is sealed under.</param>
internal readonly record struct JudgedEvent(ReadOnlyMemory<byte> Body, ReadOnlyMemory<byte> DataKey, byte[] BodyHash, byte[] Prev, byte[] Keys, Guid Under = default);

/// <summary>A batch whose bodies, chain and signature hold. Only <see cref="BatchJudge"/> makes one.</summary>
internal sealed record JudgedBatch(string Source, BatchFrame Frame, JudgedEvent[] Events, byte[] LastHash, bool OpensWithCeremony)
{
    /// <summary>Subjects under whose keys its detail is sealed.</summary>
    public IEnumerable<byte[]> KeyedSubjects => Events.Where(e => e.DataKey.Length > 0).Select(e => e.DataKey.Span[..SubjectKey.Size].ToArray());

    /// <summary>Whether all of its detail is sealed under keys of these identities.</summary>
    public bool IsSealedUnder(HashSet<Guid> identities) => Array.TrueForAll(Events, e => e.DataKey.Length == 0 || identities.Contains(e.Under));
}

/// <summary>Verdict over a posted batch.</summary>
internal abstract record Judgement
{
    private Judgement() { }

    public sealed record Good(JudgedBatch Batch) : Judgement;

    /// <summary>One body breaks a rule and always will.</summary>
    public sealed record BadEvent(int Position, string Reason) : Judgement;

    /// <summary>Not signed by the source's batch key.</summary>
    public sealed record BadSignature : Judgement;
}

/// <summary>Judges batches on the caller's thread, so that the one sequencer only orders and hashes.</summary>
internal static class BatchJudge
{
    private const string CeremonyBasis = "\"basis\":\"ceremony:sha256:";

    public static Judgement Judge(Source source, BatchFrame frame)
    {
        var events = new JudgedEvent[frame.Events.Count];
        var prev = frame.Prev.ToArray();
        var keys = new ArrayBufferWriter<byte>(256);
        var ceremony = false;
        for (var i = 0; i < events.Length; i++)
        {
            var body = frame.Events[i].Body;
            keys.ResetWrittenCount();
            if (EventBodyReader.Check(body.Span, keys, out var action, byActor: true) is { } reason)
            {
                return new Judgement.BadEvent(i, reason);
            }

            // Without its key nobody could ever open the detail; a key without detail opens nothing.
            if (EventBodyReader.HoldsSealed(body.Span) == frame.Events[i].DataKey.IsEmpty)
            {
                return new Judgement.BadEvent(i, "data-key");
            }

            if (i == 0)
            {
                ceremony = IsCeremony(source.Name, action, body.Span);
            }

            var hash = SHA256.HashData(body.Span);
            events[i] = new JudgedEvent(body, frame.Events[i].DataKey, hash, prev, SubjectKeys.Distinct(keys.WrittenSpan));
            var next = new byte[Envelope.HashSize];
            Envelope.Hash(source.Name, frame.Epoch, frame.FirstSeq + i, prev, hash, next);
            prev = next;
        }

        var digest = Envelope.BatchDigest(source.Name, frame.Epoch, frame.FirstSeq, events.Length, prev);
        return source.Sends(digest, frame.Signature.Span)
            ? new Judgement.Good(new JudgedBatch(source.Name, frame, events, prev, ceremony))
            : new Judgement.BadSignature();
    }

    // Leaf 0 is the ceremony's: without it nothing says whose log this is.
    private static bool IsCeremony(string source, string action, ReadOnlySpan<byte> body) =>
        source is "ca" && action is "KEY.generate"
        && body.IndexOf(System.Text.Encoding.ASCII.GetBytes(CeremonyBasis)) is >= 0
        && body.IndexOf("\"kind\":\"certificate\""u8) >= 0;
}
