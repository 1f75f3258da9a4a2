namespace Trust.Cli.Verify;

/// <summary>What every part of a proof rests on: a rule that does not hold refuses the proof as a whole.</summary>
internal static class ProofRule
{
    /// <summary>Bytes of a hash.</summary>
    public const int Hash = 32;

    /// <summary>Refuses the proof unless a rule holds.</summary>
    /// <exception cref="RefusedException">It does not.</exception>
    public static void Require(bool holds)
    {
        if (!holds)
        {
            throw new RefusedException();
        }
    }

    /// <summary>A rule does not hold; which one is nobody's business but the specification's.</summary>
    internal sealed class RefusedException : Exception;
}
