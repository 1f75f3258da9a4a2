using System.Threading.Channels;

namespace Trust.AuditLedger.Entries;

/// <summary>What waits to be sequenced. Open while this process leads; whatever is handed in is taken, refused at once, or refused when it closes: none is left waiting.</summary>
internal sealed class SubmissionQueue(int length)
{
    private readonly Channel<Submission> _waiting = Channel.CreateBounded<Submission>(new BoundedChannelOptions(length) { SingleReader = true });

    // Between seeing it open and writing, it could close and be emptied: what is written then would wait until this process leads again.
    private readonly Lock _gate = new();
    private bool _open;

    /// <summary>What the sequencer takes from; only while it is open.</summary>
    public ChannelReader<Submission> Reader => _waiting.Reader;

    /// <summary>Hands one in; answers at once when it cannot be taken.</summary>
    public Task<SubmitOutcome> Submit(Submission submission)
    {
        lock (_gate)
        {
            if (!_open)
            {
                submission.Refuse(SubmitRefusal.Standby);
            }
            else if (!_waiting.Writer.TryWrite(submission))
            {
                submission.Refuse(SubmitRefusal.Busy);
            }
        }

        return submission.Done.Task;
    }

    /// <summary>From now on submissions are taken.</summary>
    public void Open()
    {
        lock (_gate)
        {
            _open = true;
        }
    }

    /// <summary>From now on none is taken; those that wait stay for <see cref="Close"/>, because the sequencer may still be reading.</summary>
    public void Shut()
    {
        lock (_gate)
        {
            _open = false;
        }
    }

    /// <summary>Shuts it and refuses what waits; nobody reads any more.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _open = false;
            while (_waiting.Reader.TryRead(out var waiting))
            {
                waiting.Refuse(SubmitRefusal.Standby);
            }
        }
    }
}
