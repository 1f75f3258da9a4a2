using System.Buffers;
using Trust.Crypto;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Fsck;

/// <summary>What an entry's own bytes say of it.</summary>
/// <param name="State">What it is.</param>
/// <param name="Code">Fault it has; null for none.</param>
/// <param name="Detail">In words.</param>
internal readonly record struct LeafVerdict(EntryState State, string? Code = null, string Detail = "");

/// <summary>Judges an entry by its own bytes: what needs neither its place nor its neighbours, and takes most of the time. Not safe for concurrent use.</summary>
internal sealed class LeafCheck
{
    // The subjects and the actor.
    private const int MaxKeys = EventBody.MaxSubjects + 1;

    private readonly ArrayBufferWriter<byte> _keys = new(MaxKeys * SubjectKey.Size);
    private readonly byte[] _distinct = new byte[MaxKeys * SubjectKey.Size];

    /// <summary>Judges an entry.</summary>
    public LeafVerdict Check(ReadOnlySpan<byte> leaf)
    {
        if (leaf.Length > 0 && leaf[0] == EntryType.Commit)
        {
            return CommitEntry.TryRead(leaf) is not null
                ? new LeafVerdict(EntryState.Commit)
                : new LeafVerdict(EntryState.Damaged, "commit-malformed", "a commit entry that is malformed or of another map function");
        }

        return EventLeaf.TryRead(leaf, out var e) ? CheckBody(e) : new LeafVerdict(EntryState.Damaged, "leaf-malformed", "neither an event nor a commit entry");
    }

    private LeafVerdict CheckBody(EventLeaf e)
    {
        Span<byte> hash = stackalloc byte[Envelope.HashSize];
        TaggedSha256.Hash(e.Body, hash);
        if (!hash.SequenceEqual(e.BodyHash))
        {
            return new LeafVerdict(EntryState.Event, "body-hash", "the body is not the one its envelope names");
        }

        _keys.ResetWrittenCount();
        if (EventBodyReader.Check(e.Body, _keys, out _, e.ByActor) is { } rule)
        {
            return new LeafVerdict(EntryState.Event, "body-malformed", rule);
        }

        _keys.WrittenSpan.CopyTo(_distinct);
        return _distinct.AsSpan(0, SubjectKeys.Distinct(_distinct.AsSpan(0, _keys.WrittenCount))).SequenceEqual(e.Keys)
            ? new LeafVerdict(EntryState.Event)
            : new LeafVerdict(EntryState.Event, "subject-keys", "the keys are not those of the body's subjects and actor");
    }
}
