using Trust.Kernel.Audit;
using Trust.LogFormat;

namespace Trust.AuditLedger.Entries;

/// <summary>What the sequencer answered.</summary>
internal abstract record SubmitOutcome
{
    private SubmitOutcome() { }

    /// <summary>Every event has its index for good, and a signed checkpoint covers them.</summary>
    public sealed record Sequenced(ReceiptFrame Answer) : SubmitOutcome;

    /// <summary>An epoch was opened after this head.</summary>
    public sealed record Opened(SourceHead Head) : SubmitOutcome;

    /// <summary>Refused; sending the same again cannot succeed, except for <c>Retry</c>.</summary>
    public sealed record Refused(SubmitRefusal Why) : SubmitOutcome;
}

/// <summary>Why the sequencer refused.</summary>
internal enum SubmitRefusal
{
    /// <summary>A later epoch is open.</summary>
    EpochStale,

    /// <summary>The batch does not follow the source's head.</summary>
    HeadMoved,

    /// <summary>The place holds another body.</summary>
    BodyDiffers,

    /// <summary>The log is empty and this is not the ceremony's event.</summary>
    CeremonyPending,

    /// <summary>Another process sequences.</summary>
    Standby,

    /// <summary>Too much is waiting.</summary>
    Busy,

    /// <summary>Detail is sealed under a subject's key that is being shredded, or was meanwhile; sealed anew it can be taken.</summary>
    KeyGone,

    /// <summary>A volume is nearly full.</summary>
    DiskLow,

    /// <summary>The log has not been anchored within its budget, and configuration stops it then.</summary>
    NotAnchored,

    /// <summary>The sequencer lost its footing; whether the batch took effect is unknown until it is sent again.</summary>
    Unknown,
}

/// <summary>One request to the sequencer: a batch, or the opening of an epoch.</summary>
internal abstract record Submission
{
    private Submission() { }

    /// <summary>Completed once, by the sequencer.</summary>
    public TaskCompletionSource<SubmitOutcome> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Refuse(SubmitRefusal why) => Done.TrySetResult(new SubmitOutcome.Refused(why));

    public sealed record Append(JudgedBatch Batch) : Submission;

    public sealed record OpenEpoch(string Source, byte[] HeadHash) : Submission;
}
