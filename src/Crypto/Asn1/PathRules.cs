namespace Trust.Crypto.Asn1;

/// <summary>The inputs of path validation that RFC 5280 6.1.1 leaves to its user, and the shortest RSA key.</summary>
internal sealed record PathRules
{
    /// <summary>What this system holds paths to: any policy, mapped or not, and keys as <see cref="PublicKeyCheck"/> wants them.</summary>
    public static readonly PathRules Ours = new();

    /// <summary>Shortest RSA modulus, in bits.</summary>
    public int MinRsaBits { get; init; } = PublicKeyCheck.MinRsaBits;

    /// <summary>user-initial-policy-set; empty for anyPolicy.</summary>
    public IReadOnlySet<string> Policies { get; init; } = new HashSet<string>(StringComparer.Ordinal);

    /// <summary>initial-explicit-policy.</summary>
    public bool ExplicitPolicy { get; init; }

    /// <summary>initial-policy-mapping-inhibit.</summary>
    public bool MappingInhibited { get; init; }

    /// <summary>initial-any-policy-inhibit.</summary>
    public bool AnyPolicyInhibited { get; init; }
}

/// <summary>
/// How many signature checks a question may cost. Whoever sends certificates decides how many issuers fit one name and key, so a
/// search is bounded by the costly step it makes: a real path needs at most seven, and one more a revocation list.
/// </summary>
internal sealed class SignatureBudget
{
    /// <summary>What one question may spend.</summary>
    public const int Checks = 64;

    /// <summary>What was spent; hops whose signature was known count too, so that they cannot be walked without end.</summary>
    public int Spent { get; private set; }

    /// <summary>Whether nothing is left.</summary>
    public bool IsSpent => Spent == Checks;

    /// <summary>Takes one check.</summary>
    /// <returns>False when none is left.</returns>
    public bool TrySpend()
    {
        if (Spent == Checks)
        {
            return false;
        }

        Spent++;
        return true;
    }
}
