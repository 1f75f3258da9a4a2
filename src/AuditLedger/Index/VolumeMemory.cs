using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Index;

/// <summary>A volume in memory with the history of its values since what is stored of it. Guarded by <see cref="LiveIndex"/>.</summary>
/// <param name="index">The volume.</param>
/// <param name="flushed">Commit up to which the history is stored; the volume's start when none is.</param>
/// <param name="image">How far the stored image goes.</param>
internal sealed class VolumeMemory(IndexVolume index, long flushed, StoredImage image)
{
    private bool _hasBase = flushed == index.Start;

    public IndexVolume Index { get; } = index;

    public FanHistory[] Fans { get; } = [.. Enumerable.Range(0, FanHistory.Fans).Select(_ => new FanHistory())];

    /// <summary>Commit up to which the history is stored; from there on memory answers.</summary>
    public long Flushed { get; private set; } = flushed;

    /// <summary>How far the stored image goes.</summary>
    public StoredImage Image { get; set; } = image;

    /// <summary>Bytes of changes in memory.</summary>
    public long Bytes => Fans.Sum(f => (long)f.Length);

    /// <summary>Notes the values that a commit changed, if they are not stored already.</summary>
    public void RecordCommit(long commit)
    {
        if (commit <= Flushed)
        {
            StandAt(commit);
            return;
        }

        Array.ForEach(Fans, f => f.BeginCommit());
        var at = checked((uint)(commit - Index.Start));
        var before = -1;
        foreach (var bucket in Index.Touched)
        {
            var fan = bucket / FanHistory.Width;
            Fans[fan].AddChange(at, bucket % FanHistory.Width, Index.Bucket(bucket, out var kind), kind);
            if (fan != before)
            {
                Fans[FanHistory.Top].AddChange(at, fan, Index.FanRoot(fan, out var above), above);
                before = fan;
            }
        }
    }

    /// <summary>The volume stands at a commit: when history is stored up to there, its values are those that memory begins with.</summary>
    public void StandAt(long commit)
    {
        if (commit == Flushed && !_hasBase)
        {
            _hasBase = true;
            for (var fan = 0; fan < FanHistory.Width; fan++)
            {
                var first = fan * FanHistory.Width;
                Fans[fan].Base = [.. Enumerable.Range(first, FanHistory.Width).Select(Index.Bucket)];
            }

            Fans[FanHistory.Top].Base = [.. Enumerable.Range(0, FanHistory.Width).Select(Index.FanRoot)];
        }
    }

    /// <summary>Forgets what the last commit changed.</summary>
    public void RevertCommit() => Array.ForEach(Fans, f => f.RevertCommit());

    /// <summary>A copy of what is not stored yet.</summary>
    /// <param name="upTo">Last commit that is stored for good.</param>
    /// <param name="staged">True when a later one is in memory, which may be taken back.</param>
    public HistoryPart CopyHistory(long upTo, bool staged) => new(
        Index.Number, Index.Start, Flushed, upTo, [.. Fans.Select(f => (f.Base, f.Changes[..(staged ? f.LengthBeforeCommit : f.Length)].ToArray()))]);

    /// <summary>That part is stored now.</summary>
    public void DropStored(HistoryPart part)
    {
        for (var fan = 0; fan < Fans.Length; fan++)
        {
            Fans[fan].DropChanges(part.Fans[fan].Changes.Length);
        }

        Flushed = part.UpTo;
    }
}

/// <summary>History of a volume between two commits.</summary>
/// <param name="Volume">Number of the volume.</param>
/// <param name="Start">Its start.</param>
/// <param name="From">Commit up to which the history was stored before.</param>
/// <param name="UpTo">Commit up to which this goes.</param>
/// <param name="Fans">For each fan the values before and the changes.</param>
internal sealed record HistoryPart(long Volume, long Start, long From, long UpTo, IReadOnlyList<(SubtreeValue[]? Base, byte[] Changes)> Fans);
