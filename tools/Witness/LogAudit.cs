using System.Buffers;
using System.Security.Cryptography;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.Witness;

/// <summary>
/// Recomputes a log from its entries, in order from the first or from the end of a volume: the RFC 6962 tree, the subject index of every commit entry, the map function, the
/// clock and each source's chain. Pure; whatever it holds came from the entries themselves. Once it has found something wrong it is spent.
/// </summary>
internal sealed class LogAudit
{
    private readonly LogTree _tree;
    private readonly SubjectIndex _index;
    private readonly Dictionary<string, Chain> _chains = new(StringComparer.Ordinal);
    private readonly Dictionary<long, byte[]> _roots = [];
    private readonly ArrayBufferWriter<byte> _keys = new(1024);
    private long _time;
    private bool _byActor;
    private Boundary? _boundary;

    /// <summary>An audit from the first entry.</summary>
    public LogAudit()
    {
        _tree = new LogTree();
        _index = new SubjectIndex(canUndo: false);
    }

    /// <summary>An audit from the end of a volume.</summary>
    /// <exception cref="InvalidDataException">The landmark contradicts itself.</exception>
    public LogAudit(Landmark from)
    {
        if (!from.IsWhole)
        {
            throw new InvalidDataException("The landmark contradicts itself.");
        }

        var size = from.Size;
        _tree = LogTree.FromEdge(size, from.Edge);
        _index = new SubjectIndex(from.Sealed, CommitEntry.TryRead(from.Commit)!, volume: null, canUndo: false);
        _chains = from.Chains.ToDictionary(c => c.Source, c => new Chain(c.Epoch, c.Seq, c.Head), StringComparer.Ordinal);
        (_time, _byActor, BeganAt) = (from.Time, from.ByActor, size);
        _roots[size] = _tree.Root();
    }

    /// <summary>Entries it did not see itself: 0, or where its landmark stands.</summary>
    public long BeganAt { get; }

    /// <summary>End of the newest volume that ended; null before the first.</summary>
    public Landmark? Newest { get; private set; }

    /// <summary>Entries taken.</summary>
    public long Size => _tree.Size;

    /// <summary>Root at a size that ends in a commit entry and was not dropped yet; null otherwise.</summary>
    public byte[]? RootAt(long size) => size == 0 ? MerkleProof.EmptyRoot : _roots.GetValueOrDefault(size);

    /// <summary>Forgets roots below a size: nothing smaller will be asked for.</summary>
    public void DropRootsBelow(long size)
    {
        foreach (var old in _roots.Keys.Where(s => s < size).ToList())
        {
            _roots.Remove(old);
        }
    }

    /// <summary>Takes the next entry.</summary>
    /// <returns>What is wrong with it; null when nothing is.</returns>
    public string? FollowEntry(ReadOnlySpan<byte> leaf)
    {
        var index = Size;
        var why = leaf.Length > 0 && leaf[0] == EntryType.Commit ? TakeCommit(leaf) : TakeEvent(index, leaf);
        return why is null ? null : $"entry {index}: {why}";
    }

    private string? TakeCommit(ReadOnlySpan<byte> leaf)
    {
        if (CommitEntry.TryRead(leaf) is not { } commit)
        {
            return "a commit entry that is malformed, of another map function, or contradicts itself";
        }

        if (!_index.HasPending)
        {
            return "a commit entry that covers no event";
        }

        if (!_index.Follow(commit))
        {
            return "the subject index recomputed from the entries is not the one its commit entry names";
        }

        if (_boundary is { } before && commit.Volume > before.Commit.Volume)
        {
            // Only now it shows that the commit entry before ended its volume.
            Newest = before.ToLandmark([.. _index.Sealed.SkipLast(1)]);
        }

        _tree.Append(MerkleProof.LeafHash(leaf), null);
        _roots[Size] = _tree.Root();
        _boundary = new Boundary(_tree.Copy(), commit, _time, _byActor, [.. _chains]);
        return null;
    }

    private string? TakeEvent(long index, ReadOnlySpan<byte> leaf)
    {
        if (!EventLeaf.TryRead(leaf, out var e))
        {
            return "neither an event nor a commit entry";
        }

        if (CheckBody(e) is { } why)
        {
            return why;
        }

        if (_byActor && !e.ByActor)
        {
            return "an event that is not found by who acted, after ones that are";
        }

        if (e.Time < _time)
        {
            return $"its time {e.Time} lies before {_time} of the entry before";
        }

        var source = e.Source;
        var chain = _chains.GetValueOrDefault(source, Chain.Beginning);
        // Numbers begin at 1 in each epoch; an epoch that sent nothing leaves no trace, so epochs may skip.
        if (!(e.Epoch == chain.Epoch && e.Seq == chain.Seq + 1) && !(e.Epoch > chain.Epoch && e.Seq == 1))
        {
            return $"source {source} goes on with ({e.Epoch}, {e.Seq}) after ({chain.Epoch}, {chain.Seq})";
        }

        if (!e.Prev.SequenceEqual(chain.Head))
        {
            return $"source {source} does not name the envelope before ({e.Epoch}, {e.Seq})";
        }

        var hash = MerkleProof.LeafHash(leaf);
        _tree.Append(hash, null);
        _index.Append(index, hash, e.Keys, e.ByActor);
        _chains[source] = new Chain(e.Epoch, e.Seq, SHA256.HashData(e.EnvelopeBytes));
        (_time, _byActor) = (e.Time, e.ByActor);
        return null;
    }

    private string? CheckBody(EventLeaf e)
    {
        Span<byte> hash = stackalloc byte[Envelope.HashSize];
        SHA256.HashData(e.Body, hash);
        if (!hash.SequenceEqual(e.BodyHash))
        {
            return "its body is not the one its source's envelope names";
        }

        _keys.ResetWrittenCount();
        if (EventBodyReader.Check(e.Body, _keys, out _, e.ByActor) is { } rule)
        {
            return $"its body breaks the rule {rule}";
        }

        return SubjectKeys.Distinct(_keys.WrittenSpan).AsSpan().SequenceEqual(e.Keys) ? null : "its keys are not those of its body's subjects and actor";
    }

    /// <summary>State right behind a commit entry.</summary>
    private sealed record Boundary(LogTree Tree, CommitEntry Commit, long Time, bool ByActor, KeyValuePair<string, Chain>[] Chains)
    {
        public Landmark ToLandmark(IReadOnlyList<SealedVolume> sealedBefore)
        {
            return new Landmark(Tree.Edge(), sealedBefore, Commit.Write(), Time, [.. Chains.Select(c => new LandmarkChain(c.Key, c.Value.Epoch, c.Value.Seq, c.Value.Head))], ByActor);
        }
    }

    private sealed record Chain(long Epoch, long Seq, byte[] Head)
    {
        public static Chain Beginning { get; } = new(0, 0, Envelope.NoPredecessor.ToArray());
    }
}
