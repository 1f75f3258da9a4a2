using Trust.LogFormat;

namespace Trust.AuditLedger.Fsck;

/// <summary>How far the keys of sealed detail have been opened, after all entries were checked (<see cref="DataKeyCheck"/>).</summary>
/// <param name="Size">Entries that were checked: keys of later ones are the next check's.</param>
/// <param name="Signed">See <see cref="CheckReport.SignedSize"/>.</param>
/// <param name="After">Subjects up to this one are done.</param>
/// <param name="Last">Last subject of the page under way; empty between two pages.</param>
/// <param name="Index">First entry whose data key is not done: of those of the page, or of those whose subject has no key.</param>
/// <param name="WithoutSubject">All subjects are done; what is left are data keys whose subject has no key.</param>
internal sealed record KeyPosition(long Size, long Signed, byte[] After, byte[] Last, long Index, bool WithoutSubject)
{
    /// <summary>The beginning.</summary>
    public static KeyPosition Of(long size, long signed) => new(size, signed, [], [], 0, WithoutSubject: false);

    /// <summary>Whether its parts fit one another.</summary>
    public bool Fits(long checkedSize) =>
        Size == checkedSize && Signed <= Size && Index >= 0 && After.Length is 0 or SubjectKey.Size && Last.Length is 0 or SubjectKey.Size;
}

/// <summary>How much is opened at once, and in one portion of a check.</summary>
internal sealed record KeyPace
{
    /// <summary>Subjects of a page, whose opened keys are in memory together.</summary>
    public int Page { get; init; } = 500;

    /// <summary>Data keys of one statement.</summary>
    public int Step { get; init; } = 16_384;

    /// <summary>Subjects of a portion: an operation of the token each, some minutes of a slow one.</summary>
    public int Subjects { get; init; } = 65_536;

    /// <summary>Data keys of a portion.</summary>
    public int Keys { get; init; } = 1 << 20;
}
