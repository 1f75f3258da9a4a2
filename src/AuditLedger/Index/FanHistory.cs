using System.Buffers.Binary;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Index;

/// <summary>
/// How 256 neighbouring values of the trie changed from commit to commit: values before, then changes in order of their commits.
/// Such 256 values are a fan: fans 0 to 255 hold depth 16 under one 8-bit prefix, fan 256 holds depth 8. In memory as in the database.
/// </summary>
internal sealed class FanHistory
{
    /// <summary>Values of a fan.</summary>
    public const int Width = 256;

    /// <summary>Fan that holds depth 8.</summary>
    public const int Top = 256;

    /// <summary>Fans of a volume.</summary>
    public const int Fans = Top + 1;

    /// <summary>Bytes of a change: u32 commit, counted from the volume's start ‖ u8 slot ‖ u8 kind ‖ hash.</summary>
    public const int ChangeSize = sizeof(uint) + 2 + IndexHash.Size;

    private const int RowBytes = 4000 * ChangeSize;

    private byte[] _changes = [];
    private int _undo;

    /// <summary>Values before the first change; null when all were empty.</summary>
    public SubtreeValue[]? Base { get; set; }

    /// <summary>Bytes of changes.</summary>
    public int Length { get; private set; }

    public ReadOnlySpan<byte> Changes => _changes.AsSpan(0, Length);

    /// <summary>Bytes of changes that <see cref="RevertCommit"/> leaves.</summary>
    public int LengthBeforeCommit => _undo;

    /// <summary>From here on <see cref="RevertCommit"/> takes back.</summary>
    public void BeginCommit() => _undo = Length;

    public void RevertCommit() => Length = _undo;

    public void AddChange(uint commit, int slot, ReadOnlySpan<byte> hash, SubtreeKind kind)
    {
        if (Length + ChangeSize > _changes.Length)
        {
            Array.Resize(ref _changes, Math.Max(16 * ChangeSize, 2 * _changes.Length));
        }

        var to = _changes.AsSpan(Length, ChangeSize);
        BinaryPrimitives.WriteUInt32BigEndian(to, commit);
        to[4] = (byte)slot;
        to[5] = (byte)kind;
        hash.CopyTo(to[6..]);
        Length += ChangeSize;
    }

    /// <summary>Changes that are stored elsewhere now become the values before the first change.</summary>
    /// <param name="bytes">How many bytes of changes.</param>
    public void DropChanges(int bytes)
    {
        if (bytes == 0)
        {
            return;
        }

        Base = AsOf(Base, _changes.AsSpan(0, bytes), uint.MaxValue);
        _changes.AsSpan(bytes, Length - bytes).CopyTo(_changes);
        Length -= bytes;
        _undo = Math.Max(0, _undo - bytes);
    }

    /// <summary>Changes in rows of a bounded size, each with the values before it; a commit is never split.</summary>
    /// <param name="before">Values before the changes; null when all were empty.</param>
    /// <param name="changes">Changes in order.</param>
    public static IEnumerable<(uint From, SubtreeValue[]? Base, byte[] Changes)> Rows(SubtreeValue[]? before, byte[] changes)
    {
        for (var from = 0; from < changes.Length;)
        {
            var to = from;
            for (var commit = CommitOf(changes, from); to < changes.Length && (to - from < RowBytes || CommitOf(changes, to) == commit); to += ChangeSize)
            {
                commit = CommitOf(changes, to);
            }

            var row = changes[from..to];
            yield return (CommitOf(changes, from), before, row);
            before = AsOf(before, row, uint.MaxValue);
            from = to;
        }
    }

    /// <summary>Values as bytes: for each u8 kind ‖ hash.</summary>
    public static byte[] Write(SubtreeValue[] values) => [.. values.SelectMany(v => (IEnumerable<byte>)[(byte)v.Kind, .. v.Hash])];

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="IndexFaultException">It is damaged.</exception>
    public static SubtreeValue[] Read(byte[] bytes)
    {
        const int size = 1 + IndexHash.Size;
        return bytes.Length == Width * size
            ? [.. bytes.Chunk(size).Select(v => new SubtreeValue((SubtreeKind)v[0], v[1..]))]
            : throw new IndexFaultException("stored values of a fan have another length");
    }

    private static uint CommitOf(byte[] changes, int at) => BinaryPrimitives.ReadUInt32BigEndian(changes.AsSpan(at));

    /// <summary>Values as a commit left them.</summary>
    /// <param name="commit">Counted from the volume's start.</param>
    public SubtreeValue[] AsOf(uint commit) => AsOf(Base, Changes, commit);

    /// <summary>Values as a commit left them.</summary>
    /// <param name="before">Values before the changes; null when all were empty.</param>
    /// <param name="changes">Changes in order.</param>
    /// <param name="commit">Counted from the volume's start.</param>
    public static SubtreeValue[] AsOf(SubtreeValue[]? before, ReadOnlySpan<byte> changes, uint commit)
    {
        var values = new SubtreeValue[Width];
        if (before is null)
        {
            Array.Fill(values, SubtreeValue.None);
        }
        else
        {
            before.CopyTo(values, 0);
        }

        Span<int> last = stackalloc int[Width];
        last.Fill(-1);
        for (var at = 0; at < changes.Length && BinaryPrimitives.ReadUInt32BigEndian(changes[at..]) <= commit; at += ChangeSize)
        {
            last[changes[at + 4]] = at;
        }

        for (var slot = 0; slot < Width; slot++)
        {
            if (last[slot] >= 0)
            {
                values[slot] = new SubtreeValue((SubtreeKind)changes[last[slot] + 5], changes.Slice(last[slot] + 6, IndexHash.Size).ToArray());
            }
        }

        return values;
    }
}
