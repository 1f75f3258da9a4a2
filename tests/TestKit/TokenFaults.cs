namespace Trust.TestKit;

/// <summary>When a fault strikes relative to the act it spoils.</summary>
public enum Took
{
    /// <summary>The token did nothing.</summary>
    NoEffect,

    /// <summary>The token did it, and its answer was lost.</summary>
    Effect,
}

/// <summary>What one token shall do wrong. Set it while the token is in use; counters tell what reached it.</summary>
public sealed class TokenFaults
{
    private int _failSigns;
    private int _signs;
    private int _logins;

    /// <summary>The next this many C_Sign calls fail with <see cref="SignCode"/>, and take the token's sessions with them.</summary>
    public int FailSigns
    {
        get => Volatile.Read(ref _failSigns);
        set => Volatile.Write(ref _failSigns, value);
    }

    /// <summary>Default CKR_DEVICE_REMOVED.</summary>
    public ulong SignCode { get; set; } = 0x32;

    /// <summary>Whether the token had signed when it failed.</summary>
    public Took Took { get; set; }

    /// <summary>While true the slot is empty: no session can be opened.</summary>
    public bool Removed { get; set; }

    /// <summary>When not 0, C_Login answers it, for example 0xA0 CKR_PIN_INCORRECT or 0xA4 CKR_PIN_LOCKED.</summary>
    public ulong LoginCode { get; set; }

    /// <summary>When set, C_Sign waits for it: a slow token.</summary>
    public ManualResetEventSlim? SignGate { get; set; }

    /// <summary>C_Sign calls that reached the token.</summary>
    public int Signs => Volatile.Read(ref _signs);

    /// <summary>C_Login calls.</summary>
    public int Logins => Volatile.Read(ref _logins);

    internal void CountSign() => Interlocked.Increment(ref _signs);

    internal void CountLogin() => Interlocked.Increment(ref _logins);

    internal bool TakeSignFault()
    {
        while (true)
        {
            var left = Volatile.Read(ref _failSigns);
            if (left <= 0)
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref _failSigns, left - 1, left) == left)
            {
                return true;
            }
        }
    }
}
