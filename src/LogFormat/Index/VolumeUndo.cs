using System.Buffers;

namespace Trust.LogFormat.Index;

/// <summary>What a commit changed, as it was before: a database that refuses a group must not cost a reload of millions of entries.</summary>
internal sealed class VolumeUndo
{
    private readonly ArrayBufferWriter<byte> _frontiers = new(1 << 16);

    public int KeyCount { get; private set; }

    public int NodeCount { get; private set; }

    /// <summary>Keys that there were before, and where their frontiers are noted.</summary>
    public List<(int Id, Key Key, int At)> Keys { get; } = [];

    /// <summary>Nodes that there were before.</summary>
    public List<(int Id, Node Node)> Nodes { get; } = [];

    public List<(int Bucket, int Link)> Roots { get; } = [];

    public List<int> Chunks { get; } = [];

    public List<(int Place, SubtreeKind Kind, Hash32 Hash)> Upper { get; } = [];

    public void BeginCommit(int keys, int nodes)
    {
        (KeyCount, NodeCount) = (keys, nodes);
        _frontiers.ResetWrittenCount();
        Keys.Clear();
        Nodes.Clear();
        Roots.Clear();
        Chunks.Clear();
        Upper.Clear();
    }

    public void Save(int id, in Key key, ReadOnlySpan<byte> frontier)
    {
        Keys.Add((id, key, _frontiers.WrittenCount));
        _frontiers.Write(frontier);
    }

    public void Save(int id, in Node node)
    {
        if (id < NodeCount)
        {
            Nodes.Add((id, node));
        }
    }

    public ReadOnlySpan<byte> Frontier(int at, int length) => _frontiers.WrittenSpan.Slice(at, length);
}
