namespace Trust.CA.Officers;

/// <summary>How long the first of two officers' words waits for the second's.</summary>
internal static class WishLife
{
    /// <summary>A week: long enough for a holiday, short enough that both know the same facts.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromDays(7);
}
