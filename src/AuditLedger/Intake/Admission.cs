using Trust.AuditLedger.Anchoring;
using Trust.AuditLedger.Entries;
using Trust.Kernel.Hosting;

namespace Trust.AuditLedger.Intake;

/// <summary>
/// Decides before a byte of a batch is read whether it may come in: not while a volume is nearly full, not while the log should be anchored and is
/// not, and never more bytes at once than configured. What is refused costs next to nothing, so a flood cannot take memory or disk from what was let in.
/// </summary>
internal sealed class Admission(AuditLedgerOptions options, Volumes volumes, AnchorRounds anchors, TimeProvider clock, ILogger<Admission> log) : BackgroundService
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2);

    private readonly List<string> _paths = [options.LockStoreDirectory, .. options.Volumes];
    private volatile string? _low;
    private long _bytes;

    /// <summary>Bytes of the batches that are inside now.</summary>
    public long BytesInside => Interlocked.Read(ref _bytes);

    /// <summary>Lets a batch in; dispose what is returned when it has been answered.</summary>
    /// <param name="bytes">Its length.</param>
    /// <param name="refusal">Why not, when nothing is returned.</param>
    public IDisposable? TryEnter(long bytes, out SubmitRefusal refusal)
    {
        refusal = _low is not null ? SubmitRefusal.DiskLow : anchors.StopsIntake ? SubmitRefusal.NotAnchored : SubmitRefusal.Busy;
        if (refusal is not SubmitRefusal.Busy)
        {
            return null;
        }

        // Never added first and taken back: a batch that does not fit would keep out one that does.
        for (var inside = BytesInside; bytes <= options.QueueBytes - inside;)
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

    /// <inheritdoc/>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        Measure(); // A full disk refuses the first batch already.
        return base.StartAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Look, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            Measure();
        }
    }

    private void Measure()
    {
        var low = _paths.Select(path => (Path: path, Free: volumes.FreeShare(path))).Where(v => v.Free < options.MinimumFree)
            .Select(v => $"{v.Path} has {v.Free:P1} free, less than {options.MinimumFree:P1}").FirstOrDefault();
        if (low is not null && _low is null)
        {
            LedgerLog.DiskLow(log, low);
        }
        else if (low is null && _low is not null)
        {
            LedgerLog.DiskAgain(log);
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
