using Trust.LogFormat;

namespace Trust.Witness;

/// <summary>What the witness answers (C2SP tlog-witness, status codes in brackets).</summary>
internal abstract record AddOutcome
{
    private AddOutcome() { }

    /// <summary>[200] Cosigned, and stored before this is said.</summary>
    public sealed record Cosigned(NoteLine Line) : AddOutcome;

    /// <summary>[403] No known key of the log signed it, or a known key's line is bad.</summary>
    public sealed record NotSigned : AddOutcome;

    /// <summary>[400] The old size is larger than the checkpoint's.</summary>
    public sealed record OldTooLarge : AddOutcome;

    /// <summary>[409] The witness stands at another size.</summary>
    public sealed record Elsewhere(long Size) : AddOutcome;

    /// <summary>[422] The checkpoint does not follow, or the log's entries are not what they should be.</summary>
    public sealed record Wrong(string Why) : AddOutcome;

    /// <summary>[503] Cannot be judged now.</summary>
    public sealed record NotNow(string Why) : AddOutcome;
}
