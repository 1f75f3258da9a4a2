namespace Trust.LogFormat.Index;

/// <summary>Values at depths 0 to 16: the root at place 1, halves of place p at 2p and 2p + 1.</summary>
internal sealed class UpperTrie
{
    private readonly Hash32[] _hashes = new Hash32[2 * IndexVolume.Buckets];
    private readonly byte[] _kinds = new byte[2 * IndexVolume.Buckets];
    private readonly List<int> _places = [];

    public SubtreeValue this[int place] => new(KindOf(place), Hash(place).ToArray());

    /// <summary>Hash and kind of a place, not copied.</summary>
    public ReadOnlySpan<byte> Read(int place, out SubtreeKind kind)
    {
        kind = KindOf(place);
        return Hash(place);
    }

    /// <summary>Hash of a place.</summary>
    public ReadOnlySpan<byte> Hash(int place) => _hashes[place];

    /// <summary>Notes the value of a place and gives its hash, to be changed in place.</summary>
    public ref Hash32 Change(int place, VolumeUndo? undo)
    {
        undo?.Upper.Add((place, KindOf(place), _hashes[place]));
        return ref _hashes[place];
    }

    /// <summary>Says what a changed hash is of.</summary>
    public void SetKind(int place, SubtreeKind kind) => _kinds[place] = (byte)kind;

    /// <summary>Joins again all that lies above these buckets.</summary>
    /// <param name="buckets">Rising, none twice.</param>
    /// <param name="undo">Notes what was there; null when nothing is ever taken back.</param>
    public void JoinAbove(List<int> buckets, VolumeUndo? undo)
    {
        _places.Clear();
        foreach (var bucket in buckets)
        {
            _places.Add(IndexVolume.Buckets + bucket);
        }

        for (var depth = IndexVolume.BucketDepth; depth > 0; depth--)
        {
            var above = 0;
            for (var i = 0; i < _places.Count; i++)
            {
                var place = _places[i] >> 1;
                if (above == 0 || _places[above - 1] != place)
                {
                    _places[above++] = place;
                    Join(place, undo);
                }
            }

            _places.RemoveRange(above, _places.Count - above);
        }
    }

    /// <summary>Takes back what was noted.</summary>
    public void Undo(VolumeUndo undo)
    {
        for (var i = undo.Upper.Count - 1; i >= 0; i--)
        {
            var (place, kind, hash) = undo.Upper[i];
            (_kinds[place], _hashes[place]) = ((byte)kind, hash);
        }
    }

    private SubtreeKind KindOf(int place) => (SubtreeKind)_kinds[place];

    private void Join(int place, VolumeUndo? undo)
    {
        var (left, right) = (2 * place, (2 * place) + 1);
        ref var hash = ref Change(place, undo);
        if (KindOf(left) == SubtreeKind.Empty && KindOf(right) != SubtreeKind.Many)
        {
            hash = _hashes[right];
            SetKind(place, KindOf(right));
        }
        else if (KindOf(right) == SubtreeKind.Empty && KindOf(left) != SubtreeKind.Many)
        {
            hash = _hashes[left];
            SetKind(place, KindOf(left));
        }
        else
        {
            IndexHash.TrieNode(_hashes[left], _hashes[right], hash);
            SetKind(place, SubtreeKind.Many);
        }
    }
}
