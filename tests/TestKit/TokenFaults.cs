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
    private int _failSignInits;
    private int _searches;
    private int _gated;
    private int _waiting;
    private int _failDerivations;
    private int _derivations;
    private int _derived;

    /// <summary>
    /// The next this many C_Sign calls fail with <see cref="SignCode"/> and take the token's sessions with them, unless the code says that one
    /// session is out of step.
    /// </summary>
    public int FailSigns
    {
        get => Volatile.Read(ref _failSigns);
        set => Volatile.Write(ref _failSigns, value);
    }

    /// <summary>The next this many C_SignInit calls fail with <see cref="SignCode"/>.</summary>
    public int FailSignInits
    {
        get => Volatile.Read(ref _failSignInits);
        set => Volatile.Write(ref _failSignInits, value);
    }

    /// <summary>The next this many C_DeriveKey calls fail with CKR_DEVICE_REMOVED and take the token's sessions with them.</summary>
    public int FailDerivations
    {
        get => Volatile.Read(ref _failDerivations);
        set => Volatile.Write(ref _failDerivations, value);
    }

    /// <summary>Default CKR_DEVICE_REMOVED.</summary>
    public ulong SignCode { get; set; } = 0x32;

    /// <summary>When not 0, what is answered to a question for CKA_VALUE.</summary>
    public ulong ValueCode { get; set; }

    /// <summary>Whether the token had done its work, or begun to, when it failed.</summary>
    public Took Took { get; set; }

    /// <summary>While true the slot is empty: no session can be opened.</summary>
    public bool Removed { get; set; }

    /// <summary>When not 0, C_Login answers it, for example 0xA0 CKR_PIN_INCORRECT or 0xA4 CKR_PIN_LOCKED.</summary>
    public ulong LoginCode { get; set; }

    /// <summary>When set, C_Sign waits for it: a slow token, or one that hangs.</summary>
    public ManualResetEventSlim? SignGate { get; set; }

    /// <summary>How many C_Sign calls wait at the gate at most; the others pass.</summary>
    public int MostAtGate { get; set; } = int.MaxValue;

    /// <summary>When set, only C_Sign calls of the sessions for anonymous work wait at the gate.</summary>
    public bool OnlyAnonymousAtGate { get; set; }

    /// <summary>C_Sign calls that wait at the gate now.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>When set, every CKA_EC_POINT is said to have this length.</summary>
    public ulong? EcPointLength { get; set; }

    /// <summary>Called within C_GenerateKeyPair before the key is made.</summary>
    public Action? BeforeGeneration { get; set; }

    /// <summary>C_FindObjectsInit calls.</summary>
    public int Searches => Volatile.Read(ref _searches);

    /// <summary>C_Sign calls that reached the token.</summary>
    public int Signs => Volatile.Read(ref _signs);

    /// <summary>C_DeriveKey calls that reached the token.</summary>
    public int Derivations => Volatile.Read(ref _derivations);

    /// <summary>Keys that C_DeriveKey made and nobody has destroyed.</summary>
    public int Derived => Volatile.Read(ref _derived);

    /// <summary>C_Login calls.</summary>
    public int Logins => Volatile.Read(ref _logins);

    internal void CountSign() => Interlocked.Increment(ref _signs);

    internal void CountLogin() => Interlocked.Increment(ref _logins);

    internal void CountDerivation() => Interlocked.Increment(ref _derivations);

    internal void CountDerived(int more) => Interlocked.Add(ref _derived, more);

    internal void CountSearch() => Interlocked.Increment(ref _searches);

    internal void WaitAtSignGate()
    {
        // The token's threads have names.
        var waits = !OnlyAnonymousAtGate || Thread.CurrentThread.Name?.EndsWith("anonymous", StringComparison.Ordinal) is true;
        if (SignGate is { } gate && waits && Interlocked.Increment(ref _gated) <= MostAtGate)
        {
            Interlocked.Increment(ref _waiting);
            gate.Wait();
            Interlocked.Decrement(ref _waiting);
        }
    }

    internal bool TakeSignFault() => Take(ref _failSigns);

    internal bool TakeSignInitFault() => Take(ref _failSignInits);

    internal bool TakeDerivationFault() => Take(ref _failDerivations);

    private static bool Take(ref int faults)
    {
        while (true)
        {
            var left = Volatile.Read(ref faults);
            if (left <= 0)
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref faults, left - 1, left) == left)
            {
                return true;
            }
        }
    }
}
