using Trust.AuditLedger.Anchoring;
using Trust.AuditLedger.Entries;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger.Intake;

/// <summary>
/// Decides before a byte of a batch is read whether it may come in: not while a volume is nearly full, not while the log should be anchored and is
/// not, and never more bytes at once than configured. What is refused costs next to nothing, so a flood cannot take memory or disk from what was let in.
/// </summary>
internal sealed class Admission
{
    /// <summary>From one look at the volumes to the next.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    private readonly AuditLedgerOptions _options;
    private readonly Volumes _volumes;
    private readonly AnchorRounds _anchors;
    private readonly ILogger<Admission> _log;
    private volatile string? _low;
    private long _bytes;

    /// <summary>Looks at the volumes already: a full disk refuses the first batch.</summary>
    public Admission(AuditLedgerOptions options, Volumes volumes, AnchorRounds anchors, ILogger<Admission> log)
    {
        (_options, _volumes, _anchors, _log) = (options, volumes, anchors, log);
        Measure();
    }

    /// <summary>Bytes of the batches that are inside now.</summary>
    public long BytesInside => Interlocked.Read(ref _bytes);

    /// <summary>Lets a batch in; dispose what is returned when it has been answered.</summary>
    /// <param name="bytes">Its length.</param>
    /// <param name="refusal">Why not, when nothing is returned.</param>
    public IDisposable? TryEnter(long bytes, out SubmitRefusal refusal)
    {
        refusal = _low is not null ? SubmitRefusal.DiskLow : _anchors.StopsIntake ? SubmitRefusal.NotAnchored : SubmitRefusal.Busy;
        if (refusal is not SubmitRefusal.Busy)
        {
            return null;
        }

        // Never added first and taken back: a batch that does not fit would keep out one that does.
        for (var inside = BytesInside; bytes <= _options.QueueBytes - inside;)
        {
            var found = Interlocked.CompareExchange(ref _bytes, inside + bytes, inside);
            if (found == inside)
            {
                return new Pass(this, bytes);
            }

            inside = found;
        }

        return null;
    }

    /// <summary>Whether there is room on the volumes.</summary>
    public Readiness Health() => _low is { } low ? new Readiness(false, low) : new Readiness(true, "room");

    /// <summary>Looks at the volumes.</summary>
    public Task Round(CancellationToken ct)
    {
        Measure();
        return Task.CompletedTask;
    }

    private void Measure()
    {
        var low = new[] { _options.LockStoreDirectory }.Concat(_options.Volumes).Select(path => (Path: path, Free: _volumes.FreeShare(path))).Where(v => v.Free < _options.MinimumFree)
            .Select(v => $"{v.Path} has {v.Free:P1} free, less than {_options.MinimumFree:P1}").FirstOrDefault();
        if (low is not null && _low is null)
        {
            LedgerLog.DiskLow(_log, low);
        }
        else if (low is null && _low is not null)
        {
            LedgerLog.DiskAgain(_log);
        }

        _low = low;
    }

    private sealed class Pass(Admission owner, long bytes) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
            {
                Interlocked.Add(ref owner._bytes, -bytes);
            }
        }
    }
}

/// <summary>How full volumes are; tests put others in its place.</summary>
internal class Volumes
{
    /// <summary>Free share, 0 to 1, of the volume that holds a path.</summary>
    public virtual double FreeShare(string path)
    {
        var volume = new DriveInfo(path);
        return volume.TotalSize > 0 ? (double)volume.AvailableFreeSpace / volume.TotalSize : 1;
    }
}
