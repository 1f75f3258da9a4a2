using System.Runtime.CompilerServices;

namespace Trust.LogFormat.Index;

/// <summary>A hash stored in line, so that millions of them are a few arrays and no objects.</summary>
[InlineArray(IndexHash.Size)]
internal struct Hash32
{
    private byte _first;

    public Hash32(ReadOnlySpan<byte> bytes) => bytes.CopyTo(this);
}

/// <summary>A list that grows by pages, never copying what it holds, and whose items are changed in place.</summary>
internal sealed class PagedList<T>
    where T : struct
{
    private const int PageBits = 11;
    private const int PageMask = (1 << PageBits) - 1;

    private T[][] _pages = [];

    public int Count { get; private set; }

    public ref T this[int i] => ref _pages[i >> PageBits][i & PageMask];

    /// <summary>Adds an item and returns its place.</summary>
    public int Add(in T item)
    {
        var page = Count >> PageBits;
        if (page == _pages.Length)
        {
            Array.Resize(ref _pages, Math.Max(4, 2 * page));
        }

        (_pages[page] ??= new T[PageMask + 1])[Count & PageMask] = item;
        return Count++;
    }

    /// <summary>Forgets items from the end.</summary>
    public void Truncate(int count) => Count = count;
}

/// <summary>
/// Blocks of 8 to 2,048 bytes in powers of two, named by a number of 32 bits. A block given back is reused only after
/// <see cref="KeepChanges"/>: until then <see cref="RevertChanges"/> can undo both what was taken and what was given back.
/// </summary>
internal sealed class BlockPool
{
    /// <summary>Largest class: 8 &lt;&lt; 8 = 2,048 bytes.</summary>
    public const int MaxClass = 8;

    private const int Unit = 8;
    private const int PageUnits = 1 << 13;

    private readonly List<byte[]> _pages = [];
    private readonly Stack<int>[] _free = [.. Enumerable.Range(0, MaxClass + 1).Select(_ => new Stack<int>())];
    private readonly List<(int Block, byte Class)> _taken = [];
    private readonly List<(int Block, byte Class)> _returned = [];
    private int _used = PageUnits;

    /// <summary>Smallest class that holds so many bytes.</summary>
    public static byte ClassFor(int bytes) => (byte)Math.Max(0, 29 - System.Numerics.BitOperations.LeadingZeroCount((uint)bytes - 1));

    public Span<byte> this[int block, byte size] => _pages[block / PageUnits].AsSpan(block % PageUnits * Unit, Unit << size);

    public int TakeBlock(byte size)
    {
        if (!_free[size].TryPop(out var block))
        {
            var units = 1 << size;
            if (_used + units > PageUnits)
            {
                // What is left of the page is lost, at most 2 of 64 KB.
                _pages.Add(GC.AllocateUninitializedArray<byte>(PageUnits * Unit));
                _used = 0;
            }

            block = ((_pages.Count - 1) * PageUnits) + _used;
            _used += units;
        }

        _taken.Add((block, size));
        return block;
    }

    public void ReturnBlock(int block, byte size) => _returned.Add((block, size));

    /// <summary>What was taken and given back stays so.</summary>
    public void KeepChanges() => Release(_returned);

    /// <summary>As if nothing had been taken or given back since <see cref="KeepChanges"/>.</summary>
    public void RevertChanges() => Release(_taken);

    private void Release(List<(int Block, byte Class)> blocks)
    {
        blocks.ForEach(b => _free[b.Class].Push(b.Block));
        _taken.Clear();
        _returned.Clear();
    }
}
