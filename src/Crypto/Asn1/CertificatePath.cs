namespace Trust.Crypto.Asn1;

/// <summary>What a leaf must be allowed to do, and must not be allowed to do.</summary>
/// <param name="Name">For logs.</param>
/// <param name="AnyOf">At least one of these key usages.</param>
/// <param name="Forbidden">None of these key usages: one key, one purpose.</param>
/// <param name="Purpose">Extended key usage that must be there; null when none is asked for.</param>
/// <param name="ForbiddenPurpose">Extended key usage that must not be there.</param>
/// <param name="SolePurpose">The purpose must be critical and alone (RFC 3161 2.3).</param>
public sealed record CertificateUsage(
    string Name, KeyUsages AnyOf, KeyUsages Forbidden = KeyUsages.None, string? Purpose = null, string? ForbiddenPurpose = null, bool SolePurpose = false)
{
    /// <summary>A person's login by TLS: digitalSignature and clientAuth, never nonRepudiation.</summary>
    public static readonly CertificateUsage Authentication =
        new("authentication", KeyUsages.DigitalSignature, KeyUsages.NonRepudiation, Oids.ClientAuth);

    /// <summary>A person's signature: nonRepudiation, never digitalSignature or clientAuth.</summary>
    public static readonly CertificateUsage Signature =
        new("signature", KeyUsages.NonRepudiation, KeyUsages.DigitalSignature, ForbiddenPurpose: Oids.ClientAuth);

    /// <summary>An institution's seal: nonRepudiation, never clientAuth.</summary>
    public static readonly CertificateUsage Seal = new("seal", KeyUsages.NonRepudiation, ForbiddenPurpose: Oids.ClientAuth);

    /// <summary>A TLS server.</summary>
    public static readonly CertificateUsage Server = new("server", KeyUsages.DigitalSignature, Purpose: Oids.ServerAuth);

    /// <summary>A service as TLS client.</summary>
    public static readonly CertificateUsage Client = new("client", KeyUsages.DigitalSignature, Purpose: Oids.ClientAuth);

    /// <summary>A time-stamping authority.</summary>
    public static readonly CertificateUsage TimeStamping =
        new("time-stamping", KeyUsages.DigitalSignature | KeyUsages.NonRepudiation, Purpose: Oids.TimeStamping, SolePurpose: true);

    /// <summary>A delegated OCSP responder.</summary>
    public static readonly CertificateUsage OcspSigning = new("ocsp", KeyUsages.DigitalSignature, Purpose: Oids.OcspSigning);

    /// <summary>A CA certificate itself.</summary>
    public static readonly CertificateUsage Authority = new("authority", KeyUsages.KeyCertSign);
}

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

    /// <summary>The issuer is not a CA, or may not sign certificates.</summary>
    IssuerNotAuthority,

    /// <summary>More certificates below a CA than it allows.</summary>
    PathTooLong,

    /// <summary>The leaf may not be used for this.</summary>
    WrongUsage,

    /// <summary>A critical extension that is not understood.</summary>
    UnknownCriticalExtension,

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
/// is contacted, and revocation is the caller's own check. Each hop is verified by the suite, so SM2 chains work like any other.
/// </summary>
public static class CertificatePath
{
    private const int MaxLength = 8;
    private const int MaxExtra = 32;

    // Whoever sends certificates decides how many issuers fit one name and key, so the search is bounded by the costly step it makes:
    // a real path needs at most seven.
    private const int MaxSignatureChecks = 64;

    private static readonly HashSet<string> Understood = new(StringComparer.Ordinal)
    {
        Oids.BasicConstraints, Oids.KeyUsage, Oids.ExtendedKeyUsage, Oids.SubjectAltName, Oids.CertificatePolicies,
        Oids.SubjectKeyIdentifier, Oids.AuthorityKeyIdentifier, Oids.CrlDistributionPoints, Oids.AuthorityInfoAccess,
    };

    /// <summary>Finds a path from the leaf to one of the roots.</summary>
    /// <param name="leaf">The certificate to judge.</param>
    /// <param name="extraCertificates">Intermediates that may help; at most 32 are looked at, none is trusted for being here.</param>
    /// <param name="trustedRoots">Trust anchors.</param>
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
        CancellationToken ct = default)
    {
        if (!Permits(leaf, usage))
        {
            return new PathOutcome.Refused(PathRefusal.WrongUsage, leaf);
        }

        var extras = extraCertificates.Count > MaxExtra ? [.. extraCertificates.Take(MaxExtra)] : extraCertificates;
        return new Search(extras, trustedRoots, at, ct).Extend([leaf]);
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

    private sealed class Search(IReadOnlyList<Certificate> extras, IReadOnlyList<Certificate> roots, DateTimeOffset at, CancellationToken ct)
    {
        private int _checksLeft = MaxSignatureChecks;

        public PathOutcome Extend(List<Certificate> path)
        {
            var last = path[^1];
            if (CheckOne(last, at) is { } fault)
            {
                return new PathOutcome.Refused(fault, last);
            }

            if (path.Count > 1 && roots.Any(r => r.Der.Span.SequenceEqual(last.Der.Span)))
            {
                return new PathOutcome.Trusted([.. path]);
            }

            var outcome = new PathOutcome.Refused(PathRefusal.NoIssuer, last);
            foreach (var issuer in roots.Concat(extras).Where(c => MayHaveIssued(c, last, path)))
            {
                ct.ThrowIfCancellationRequested();
                if (CheckHop(issuer, last, path) is { } broken)
                {
                    outcome = Better(outcome, new PathOutcome.Refused(broken, last));
                }
                else
                {
                    var further = Extend([.. path, issuer]);
                    if (further is PathOutcome.Trusted)
                    {
                        return further;
                    }

                    outcome = Better(outcome, (PathOutcome.Refused)further);
                }

                if (outcome.Reason == PathRefusal.BudgetSpent)
                {
                    return outcome;
                }
            }

            return outcome;
        }

        private PathRefusal? CheckHop(Certificate issuer, Certificate subject, List<Certificate> path)
        {
            if (!issuer.IsCa || issuer.KeyUsage is not { } usage || (usage & KeyUsages.KeyCertSign) == KeyUsages.None)
            {
                return PathRefusal.IssuerNotAuthority;
            }

            // pathLenConstraint counts CA certificates below, self-issued ones not (RFC 5280 4.2.1.9); the leaf is not among them.
            if (issuer.PathLength is { } allowed && path.Skip(1).Count(c => !c.IsSelfIssued) > allowed)
            {
                return PathRefusal.PathTooLong;
            }

            if (_checksLeft-- == 0)
            {
                return PathRefusal.BudgetSpent;
            }

            return subject.IsSignedBy(issuer.SubjectPublicKeyInfo) ? null : PathRefusal.BadSignature;
        }
    }

    // A dead end says less than a rule that was broken.
    private static PathOutcome.Refused Better(PathOutcome.Refused old, PathOutcome.Refused fresh) =>
        old.Reason == PathRefusal.NoIssuer || fresh.Reason == PathRefusal.BudgetSpent ? fresh : old;

    private static bool MayHaveIssued(Certificate issuer, Certificate subject, List<Certificate> path) =>
        path.Count < MaxLength
        && issuer.Subject.Span.SequenceEqual(subject.Issuer.Span)
        && (subject.AuthorityKeyIdentifier.IsEmpty || issuer.SubjectKeyIdentifier.IsEmpty
            || subject.AuthorityKeyIdentifier.Span.SequenceEqual(issuer.SubjectKeyIdentifier.Span))
        // One name with one key is one authority, however many certificates it wrote itself (RFC 4158 2.4.2).
        && !path.Exists(c => c.Subject.Span.SequenceEqual(issuer.Subject.Span) && c.SubjectPublicKeyInfo.Span.SequenceEqual(issuer.SubjectPublicKeyInfo.Span));

    private static PathRefusal? CheckOne(Certificate certificate, DateTimeOffset at)
    {
        if (at < certificate.NotBefore)
        {
            return PathRefusal.NotYetValid;
        }

        // notAfter is inclusive to the whole second (RFC 5280 4.1.2.5).
        if (at >= certificate.NotAfter.AddSeconds(1))
        {
            return PathRefusal.Expired;
        }

        // Name constraints are not evaluated, so a certificate that carries them is not trusted at all.
        return certificate.Extensions.Any(e => (e.Critical && !Understood.Contains(e.Oid)) || string.Equals(e.Oid, Oids.NameConstraints, StringComparison.Ordinal))
            ? PathRefusal.UnknownCriticalExtension
            : null;
    }
}
