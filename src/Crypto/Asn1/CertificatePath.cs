namespace Trust.Crypto.Asn1;

/// <summary>Why a certificate is not trusted. The set is closed.</summary>
public enum PathRefusal
{
    /// <summary>No certificate at hand issued it, or the chain ends at an unknown root.</summary>
    NoIssuer,

    /// <summary>A signature in the chain does not verify.</summary>
    BadSignature,

    /// <summary>Before its first second.</summary>
    NotYetValid,

    /// <summary>After its last second.</summary>
    Expired,

    /// <summary>The issuer is not a CA, or may not sign certificates, or not certificates for this purpose.</summary>
    IssuerNotAuthority,

    /// <summary>More certificates below a CA than it allows.</summary>
    PathTooLong,

    /// <summary>The leaf may not be used for this.</summary>
    WrongUsage,

    /// <summary>A critical extension that is not understood.</summary>
    UnknownCriticalExtension,

    /// <summary>A key that <see cref="PublicKeyCheck"/> refuses: too short, breakable, or none at all.</summary>
    WeakKey,

    /// <summary>The certificate policies or name constraints of the path are not met.</summary>
    ConstraintViolated,

    /// <summary>No path was found within the signature checks that one build may spend.</summary>
    BudgetSpent,
}

/// <summary>What path building found.</summary>
public abstract record PathOutcome
{
    private PathOutcome()
    {
    }

    /// <summary>A path to a trusted root.</summary>
    /// <param name="Path">Leaf first, root last.</param>
    public sealed record Trusted(IReadOnlyList<Certificate> Path) : PathOutcome;

    /// <summary>No path.</summary>
    /// <param name="Reason">The first rule that failed on the most promising path.</param>
    /// <param name="At">The certificate it failed at.</param>
    public sealed record Refused(PathRefusal Reason, Certificate At) : PathOutcome;
}

/// <summary>
/// Builds and checks certification paths (RFC 5280 6.1) from what is at hand: nothing is downloaded, no address inside a certificate
/// is contacted, and revocation is a check of its own.
/// </summary>
/// <remarks>
/// <see cref="PathSearch"/> finds candidates within a budget and holds them to what is ours to decide: algorithms, keys, purposes.
/// BouncyCastle's validator then judges each candidate by the whole of RFC 5280 6.1.
/// </remarks>
public static class CertificatePath
{
    private const int MaxExtra = 32;

    /// <summary>Finds a path from the leaf to one of the roots.</summary>
    /// <param name="leaf">The certificate to judge.</param>
    /// <param name="extraCertificates">Intermediates that may help; at most 32 are looked at, none is trusted for being here.</param>
    /// <param name="trustedRoots">Trust anchors. A leaf that is one of them is its own path.</param>
    /// <param name="at">The instant at which every certificate must be valid.</param>
    /// <param name="usage">What the leaf is used for.</param>
    /// <param name="ct">Ends the search: the caller has gone, or waits no longer.</param>
    /// <exception cref="OperationCanceledException">The search was cancelled.</exception>
    public static PathOutcome Build(
        Certificate leaf,
        IReadOnlyList<Certificate> extraCertificates,
        IReadOnlyList<Certificate> trustedRoots,
        DateTimeOffset at,
        CertificateUsage usage,
        CancellationToken ct = default) =>
        Build(leaf, extraCertificates, trustedRoots, at, usage, PathRules.Ours, new SignatureBudget(), ct);

    /// <summary>The same under other rules, within a budget that other searches share.</summary>
    internal static PathOutcome Build(
        Certificate leaf,
        IReadOnlyList<Certificate> extraCertificates,
        IReadOnlyList<Certificate> trustedRoots,
        DateTimeOffset at,
        CertificateUsage usage,
        PathRules rules,
        SignatureBudget budget,
        CancellationToken ct)
    {
        if (!Permits(leaf, usage))
        {
            return new PathOutcome.Refused(PathRefusal.WrongUsage, leaf);
        }

        var extras = extraCertificates.Count > MaxExtra ? [.. extraCertificates.Take(MaxExtra)] : extraCertificates;
        return new PathSearch(extras, trustedRoots, at, usage, rules, budget, ct).Run(leaf);
    }

    /// <summary>Whether the leaf's own extensions permit the usage.</summary>
    public static bool Permits(Certificate leaf, CertificateUsage usage)
    {
        // A person's or service's certificate without keyUsage would be good for everything: refused.
        if (leaf.KeyUsage is not { } key || (key & usage.AnyOf) == KeyUsages.None || (key & usage.Forbidden) != KeyUsages.None)
        {
            return false;
        }

        var purposes = leaf.ExtendedKeyUsage ?? [];
        if (usage.SolePurpose)
        {
            return purposes.Count == 1 && string.Equals(purposes[0], usage.Purpose, StringComparison.Ordinal)
                && leaf.Extensions.Any(e => e.Critical && string.Equals(e.Oid, Oids.ExtendedKeyUsage, StringComparison.Ordinal));
        }

        return (usage.Purpose is null || purposes.Contains(usage.Purpose, StringComparer.Ordinal))
            && (usage.ForbiddenPurpose is null || !purposes.Contains(usage.ForbiddenPurpose, StringComparer.Ordinal));
    }
}
