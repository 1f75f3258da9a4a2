namespace Trust.Crypto.Asn1;

/// <summary>
/// One search for a path, depth first, within a budget. A hop is walked only when its signature holds, and a candidate that reaches
/// an anchor is held to our own rules before the validator sees it.
/// </summary>
internal sealed class PathSearch(
    IReadOnlyList<Certificate> extras,
    IReadOnlyList<Certificate> roots,
    DateTimeOffset at,
    CertificateUsage usage,
    PathRules rules,
    SignatureBudget budget,
    CancellationToken ct)
{
    private const int MaxLength = 8;

    // What is evaluated: by the validator, by Certificate's own reading, or (purposes) here. All others, when critical, are refused;
    // among them the key identifiers and addresses that RFC 5280 forbids to be critical.
    private static readonly HashSet<string> Understood = new(StringComparer.Ordinal)
    {
        Oids.BasicConstraints, Oids.KeyUsage, Oids.ExtendedKeyUsage, Oids.SubjectAltName, Oids.CertificatePolicies, Oids.PolicyMappings,
        Oids.PolicyConstraints, Oids.InhibitAnyPolicy, Oids.NameConstraints, Oids.CrlDistributionPoints,
    };

    private readonly Dictionary<(Certificate Subject, Certificate Issuer), bool> hops = [];

    /// <summary>Searches from a leaf whose own usage was checked.</summary>
    public PathOutcome Run(Certificate leaf) => Extend([leaf]);

    private PathOutcome Extend(List<Certificate> path)
    {
        var last = path[^1];
        if (CheckOne(last) is { } fault)
        {
            return new PathOutcome.Refused(fault, last);
        }

        if (roots.Any(r => r.Der.Span.SequenceEqual(last.Der.Span)))
        {
            return Judge(path) ?? (PathOutcome)new PathOutcome.Trusted([.. path]);
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

    // Judging a key costs more than a hop does, and is left to paths that end at an anchor: few, and never a stranger's.
    private PathOutcome.Refused? Judge(List<Certificate> path)
    {
        foreach (var certificate in path)
        {
            if (PublicKeyCheck.Examine(certificate.SubjectPublicKeyInfo, rules.MinRsaBits) is PublicKeyVerdict.Refused)
            {
                return new PathOutcome.Refused(PathRefusal.WeakKey, certificate);
            }
        }

        if (path.Skip(1).FirstOrDefault(issuer => !MayIssueFor(issuer, path[0])) is { } misused)
        {
            return new PathOutcome.Refused(PathRefusal.IssuerNotAuthority, misused);
        }

        return path.Count > 1 && PathValidation.FindFault(path, at, rules, Verify) is { } faulty
            ? new PathOutcome.Refused(PathRefusal.ConstraintViolated, faulty)
            : null;
    }

    // Issuers' purposes bound what is below them, as all large relying parties read RFC 5280 4.2.1.12.
    private bool MayIssueFor(Certificate issuer, Certificate leaf)
    {
        if (issuer.ExtendedKeyUsage is not { } allowed || allowed.Contains(Oids.AnyPurpose, StringComparer.Ordinal))
        {
            return true;
        }

        IReadOnlyList<string> needed = usage.Purpose is { } purpose ? [purpose] : leaf.ExtendedKeyUsage ?? [];
        return needed.Count == 0 ? leaf.IsCa : needed.All(p => allowed.Contains(p, StringComparer.Ordinal));
    }

    // A dead end says less than a rule that was broken.
    private static PathOutcome.Refused Better(PathOutcome.Refused old, PathOutcome.Refused fresh) =>
        old.Reason == PathRefusal.NoIssuer || fresh.Reason == PathRefusal.BudgetSpent ? fresh : old;

    private static bool MayHaveIssued(Certificate issuer, Certificate subject, List<Certificate> path) =>
        path.Count < MaxLength
        && PathValidation.SameName(issuer, subject)
        && (subject.AuthorityKeyIdentifier.IsEmpty || issuer.SubjectKeyIdentifier.IsEmpty
            || subject.AuthorityKeyIdentifier.Span.SequenceEqual(issuer.SubjectKeyIdentifier.Span))
        // One name with one key is one authority, however many certificates it wrote itself (RFC 4158 2.4.2).
        && !path.Exists(c => c.SubjectPublicKeyInfo.Span.SequenceEqual(issuer.SubjectPublicKeyInfo.Span) && PathValidation.SameSubject(c, issuer));

    private PathRefusal? CheckOne(Certificate certificate)
    {
        if (at < certificate.NotBefore)
        {
            return PathRefusal.NotYetValid;
        }

        // notAfter is inclusive to the whole second; where there is no end it is the last second of the calendar (RFC 5280 4.1.2.5), to which
        // nothing can be added.
        if (at - certificate.NotAfter >= TimeSpan.FromSeconds(1))
        {
            return PathRefusal.Expired;
        }

        return certificate.Extensions.Any(e => e.Critical && !Understood.Contains(e.Oid)) ? PathRefusal.UnknownCriticalExtension : null;
    }

    private PathRefusal? CheckHop(Certificate issuer, Certificate subject, List<Certificate> path)
    {
        if (!issuer.IsCa || issuer.KeyUsage is not { } keyUsage || (keyUsage & KeyUsages.KeyCertSign) == KeyUsages.None)
        {
            return PathRefusal.IssuerNotAuthority;
        }

        // pathLenConstraint counts CA certificates below, self-issued ones not (RFC 5280 4.2.1.9); the leaf is not among them. The
        // validator does not read the anchor's.
        if (issuer.PathLength is { } allowed && path.Skip(1).Count(c => !c.IsSelfIssued) > allowed)
        {
            return PathRefusal.PathTooLong;
        }

        return !budget.TrySpend() ? PathRefusal.BudgetSpent
            : Verify(subject, issuer) ? null
            : PathRefusal.BadSignature;
    }

    private bool Verify(Certificate subject, Certificate issuer)
    {
        if (!hops.TryGetValue((subject, issuer), out var holds))
        {
            holds = subject.IsSignedBy(issuer.SubjectPublicKeyInfo);
            hops.Add((subject, issuer), holds);
        }

        return holds;
    }
}
