using System.Text;
using Trust.Kernel.Audit;
using Trust.LogFormat;

namespace Trust.AuditLedger.Fsck;

/// <summary>How far a source's chain has been followed.</summary>
/// <param name="source">Its name.</param>
/// <param name="fromTheFirst">False when events before those that follow may have been pruned.</param>
internal sealed class SourceChain(string source, bool fromTheFirst)
{
    private readonly byte[] _name = Encoding.ASCII.GetBytes(source);

    /// <summary>Name of the source.</summary>
    public string Source => source;

    /// <summary>Relay takeover of its last event; 0 before the first.</summary>
    public long Epoch { get; private set; }

    /// <summary>Number of its last event.</summary>
    public long Seq { get; private set; }

    /// <summary>Hash of its last envelope.</summary>
    public byte[] Hash { get; } = Envelope.NoPredecessor.ToArray();

    /// <summary>False before the first event when those before it have been pruned.</summary>
    public bool PlaceIsKnown { get; private set; } = fromTheFirst;

    /// <summary>False when the last event is damaged or pruned.</summary>
    public bool HashIsKnown { get; private set; } = fromTheFirst;

    /// <summary>Goes on to an event; its envelope's hash is written to <see cref="Hash"/> when it is known.</summary>
    public void Move(long epoch, long seq, bool hashIsKnown) => (Epoch, Seq, PlaceIsKnown, HashIsKnown) = (epoch, seq, true, hashIsKnown);

    /// <summary>Whether this is the chain of that source.</summary>
    public bool IsOf(ReadOnlySpan<byte> name) => name.SequenceEqual(_name);
}

/// <summary>The chains of all sources that have been met.</summary>
/// <param name="fromTheFirst">False when their first events may have been pruned.</param>
internal sealed class SourceChains(bool fromTheFirst)
{
    private readonly Dictionary<string, SourceChain> _chains = new(StringComparer.Ordinal);
    private SourceChain? _last;

    /// <summary>All of them.</summary>
    public IReadOnlyCollection<SourceChain> All => _chains.Values;

    /// <summary>The chain of a source; null when it has not been met.</summary>
    public SourceChain? Find(string source) => _chains.GetValueOrDefault(source);

    /// <summary>The chain of a source, begun if it has not been met.</summary>
    public SourceChain Of(string source) => Find(source) ?? (_chains[source] = new SourceChain(source, fromTheFirst));

    /// <summary>The chain of a source, by its name in ASCII.</summary>
    public SourceChain Of(ReadOnlySpan<byte> source)
    {
        // Events of one source come in batches, and a name that is the last one's need not be made.
        if (_last?.IsOf(source) != true)
        {
            _last = Of(Encoding.ASCII.GetString(source));
        }

        return _last!;
    }
}
