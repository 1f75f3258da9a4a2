using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Index;

/// <summary>An epoch in memory with the history of its values since what is stored of it. Guarded by <see cref="LiveIndex"/>.</summary>
/// <param name="index">The epoch.</param>
/// <param name="flushed">Commit up to which the history is stored; the epoch's start when none is.</param>
/// <param name="image">How far the stored image goes.</param>
internal sealed class EpochMemory(EpochIndex index, long flushed, StoredImage image)
{
    private bool _hasBase = flushed == index.Start;

    public EpochIndex Index { get; } = index;

    public TileHistory[] Tiles { get; } = [.. Enumerable.Range(0, TileHistory.Tiles).Select(_ => new TileHistory())];

    /// <summary>Commit up to which the history is stored; from there on memory answers.</summary>
    public long Flushed { get; private set; } = flushed;

    /// <summary>How far the stored image goes.</summary>
    public StoredImage Image { get; set; } = image;

    /// <summary>Bytes of changes in memory.</summary>
    public long Bytes => Tiles.Sum(t => (long)t.Length);

    /// <summary>Notes the values that a commit changed, if they are not stored already.</summary>
    public void Record(long commit)
    {
        if (commit <= Flushed)
        {
            StandAt(commit);
            return;
        }

        Array.ForEach(Tiles, t => t.Mark());
        var at = checked((uint)(commit - Index.Start));
        var before = -1;
        foreach (var bucket in Index.Touched)
        {
            var tile = bucket / TileHistory.Width;
            Tiles[tile].Add(at, bucket % TileHistory.Width, Index.Bucket(bucket, out var kind), kind);
            if (tile != before)
            {
                Tiles[TileHistory.Top].Add(at, tile, Index.Tile(tile, out var above), above);
                before = tile;
            }
        }
    }

    /// <summary>The epoch stands at a commit: when history is stored up to there, its values are those that memory begins with.</summary>
    public void StandAt(long commit)
    {
        if (commit == Flushed && !_hasBase)
        {
            _hasBase = true;
            for (var tile = 0; tile < TileHistory.Width; tile++)
            {
                var first = tile * TileHistory.Width;
                Tiles[tile].Base = [.. Enumerable.Range(first, TileHistory.Width).Select(Index.Bucket)];
            }

            Tiles[TileHistory.Top].Base = [.. Enumerable.Range(0, TileHistory.Width).Select(Index.Tile)];
        }
    }

    /// <summary>Forgets what the last commit changed.</summary>
    public void Undo() => Array.ForEach(Tiles, t => t.Undo());

    /// <summary>A copy of what is not stored yet.</summary>
    /// <param name="upTo">Last commit that is stored for good.</param>
    /// <param name="staged">True when a later one is in memory, which may be taken back.</param>
    public HistoryPart Take(long upTo, bool staged) => new(
        Index.Number, Index.Start, Flushed, upTo, [.. Tiles.Select(t => (t.Base, t.Changes[..(staged ? t.Kept : t.Length)].ToArray()))]);

    /// <summary>That part is stored now.</summary>
    public void Drop(HistoryPart part)
    {
        for (var tile = 0; tile < Tiles.Length; tile++)
        {
            Tiles[tile].Drop(part.Tiles[tile].Changes.Length);
        }

        Flushed = part.UpTo;
    }
}

/// <summary>History of an epoch between two commits.</summary>
/// <param name="Epoch">Number of the epoch.</param>
/// <param name="Start">Its start.</param>
/// <param name="From">Commit up to which the history was stored before.</param>
/// <param name="UpTo">Commit up to which this goes.</param>
/// <param name="Tiles">For each tile the values before and the changes.</param>
internal sealed record HistoryPart(long Epoch, long Start, long From, long UpTo, IReadOnlyList<(SubtreeValue[]? Base, byte[] Changes)> Tiles);
