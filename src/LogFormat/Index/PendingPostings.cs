using System.Buffers.Binary;

namespace Trust.LogFormat.Index;

/// <summary>Events since the last commit entry: which volume they fall into shows only with the next.</summary>
internal sealed class PendingPostings
{
    // A sort word is 40 bits of the key, which put neighbours in the trie side by side, and the posting's place, which keeps each key's order.
    private const int PlaceBits = 24;

    // Most postings that are sorted together, as many as a place can number.
    private const int RunLength = 1 << PlaceBits;

    private readonly PagedList<Hash32> _keys = new();
    private readonly PagedList<int> _events = new();
    private readonly PagedList<Hash32> _leafHashes = new();
    private ulong[] _words = [];
    private long _first;

    public void Add(long index, ReadOnlySpan<byte> leafHash, ReadOnlySpan<byte> keys)
    {
        if (_leafHashes.Count == 0)
        {
            _first = index;
        }

        var e = _leafHashes.Add(new Hash32(leafHash));
        for (var at = 0; at < keys.Length; at += IndexHash.Size)
        {
            _keys.Add(new Hash32(keys.Slice(at, IndexHash.Size)));
            _events.Add(e);
        }
    }

    /// <summary>Adds them to a volume; they stay until <see cref="Clear"/>.</summary>
    public void AddTo(IndexVolume volume)
    {
        for (var from = 0; from < _keys.Count; from += RunLength)
        {
            var count = Sort(from, Math.Min(from + RunLength, _keys.Count), volume);
            volume.ApplyChanges(new Sorted(this, from), count);
        }
    }

    public void Clear()
    {
        _keys.Truncate(0);
        _events.Truncate(0);
        _leafHashes.Truncate(0);
    }

    // Words of the postings that the volume does not hold yet, in key order.
    private int Sort(int from, int to, IndexVolume volume)
    {
        if (_words.Length < to - from)
        {
            _words = new ulong[Math.Max(to - from, 2 * _words.Length)];
        }

        var count = 0;
        for (var place = from; place < to; place++)
        {
            ReadOnlySpan<byte> key = _keys[place];
            if (!volume.Holds(key, _first + _events[place]))
            {
                _words[count++] = (BinaryPrimitives.ReadUInt64BigEndian(key) & ~(ulong)(RunLength - 1)) | (uint)(place - from);
            }
        }

        Array.Sort(_words, 0, count);
        SortAlike(from, count);
        return count;
    }

    // Keys that share 40 bits and differ.
    private void SortAlike(int from, int count)
    {
        for (var i = 1; i < count; i++)
        {
            if ((_words[i] ^ _words[i - 1]) >> PlaceBits == 0 && !((ReadOnlySpan<byte>)KeyOf(from, i)).SequenceEqual(KeyOf(from, i - 1)))
            {
                var (low, high) = (i - 1, i + 1);
                while (low > 0 && (_words[low] ^ _words[low - 1]) >> PlaceBits == 0)
                {
                    low--;
                }

                while (high < count && (_words[high] ^ _words[low]) >> PlaceBits == 0)
                {
                    high++;
                }

                _words.AsSpan(low, high - low).Sort((a, b) =>
                {
                    var order = ((ReadOnlySpan<byte>)_keys[from + Place(a)]).SequenceCompareTo(_keys[from + Place(b)]);
                    return order != 0 ? order : a.CompareTo(b);
                });
                i = high;
            }
        }
    }

    private static int Place(ulong word) => (int)(word & (RunLength - 1));

    private ref Hash32 KeyOf(int from, int i) => ref _keys[from + Place(_words[i])];

    private readonly struct Sorted(PendingPostings postings, int from) : IKeyChanges
    {
        public ReadOnlySpan<byte> Key(int i) => postings.KeyOf(from, i);

        public void Apply(VolumeKeys to, int id, int first, int end, VolumeUndo? undo)
        {
            if (undo is not null)
            {
                to.Save(id, undo);
            }

            for (var i = first; i < end; i++)
            {
                var e = postings._events[from + Place(postings._words[i])];
                to.Push(id, postings._first + e, postings._leafHashes[e], undo);
            }
        }
    }
}
