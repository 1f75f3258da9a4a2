namespace Trust.Crypto.Asn1;

/// <summary>One question to revocation lists, with the search for those who signed them (RFC 5280 6.3.3).</summary>
internal sealed class RevocationSearch(
    IReadOnlyList<CertificateList> lists,
    IReadOnlyList<Certificate> signers,
    DateTimeOffset at,
    PathRules rules,
    SignatureBudget budget,
    CancellationToken ct)
{
    private static readonly CertificateUsage ListSigning = new("list", KeyUsages.CrlSign);

    // Who signed a list, once known.
    private readonly Dictionary<CertificateList, Certificate?> signedBy = [];

    // Certificates whose own status is being asked: a signer of lists may be covered by the list it signs.
    private readonly HashSet<string> asking = new(StringComparer.Ordinal);

    /// <summary>The first status in a path that is not good, from the anchor down.</summary>
    public RevocationOutcome OfAll(IReadOnlyList<Certificate> path)
    {
        for (var i = path.Count - 2; i >= 0; i--)
        {
            if (Of(path, i) is not RevocationOutcome.Good and var doubt)
            {
                return doubt;
            }
        }

        return new RevocationOutcome.Good();
    }

    /// <summary>The status of one certificate of a path.</summary>
    public RevocationOutcome Of(IReadOnlyList<Certificate> path, int position)
    {
        var certificate = path[position];
        if (!asking.Add(certificate.Sha256Hex))
        {
            return new RevocationOutcome.Good();
        }

        try
        {
            return Ask(certificate, path);
        }
        finally
        {
            _ = asking.Remove(certificate.Sha256Hex);
        }
    }

    private RevocationOutcome Ask(Certificate certificate, IReadOnlyList<Certificate> path)
    {
        var covered = RevocationReasons.None;
        RevocationDoubt? doubt = null;
        foreach (var point in DistributionPoint.Of(certificate).Append(DistributionPoint.Implied))
        {
            foreach (var list in lists.Where(l => l.DeltaBase is null && Covers(l, point, certificate)))
            {
                ct.ThrowIfCancellationRequested();
                var reasons = (list.Scope?.Reasons ?? RevocationReasons.All) & point.Reasons;
                if ((reasons & ~covered) == RevocationReasons.None)
                {
                    continue;
                }

                if (Why(list, path) is { } why)
                {
                    doubt ??= why;
                    continue;
                }

                if (Entry(list, certificate, path) is { } entry)
                {
                    return entry.Reason == RevocationReason.RemoveFromCrl
                        ? new RevocationOutcome.Unknown(RevocationDoubt.Contradiction)
                        : new RevocationOutcome.Revoked(entry.Reason, entry.RevokedAt, entry.InvalidityDate);
                }

                covered |= reasons;
            }
        }

        return covered == RevocationReasons.All ? new RevocationOutcome.Good()
            : new RevocationOutcome.Unknown(doubt ?? (covered == RevocationReasons.None ? RevocationDoubt.NoList : RevocationDoubt.ReasonsMissing));
    }

    // 6.3.3 (b): whether the list is one that this distribution point of the certificate speaks of.
    private static bool Covers(CertificateList list, DistributionPoint point, Certificate certificate)
    {
        var byOther = point.ListIssuers.Count > 0;
        var rightIssuer = byOther
            ? list.Scope is { IsIndirect: true } && point.ListIssuers.Any(i => i.Directory is { } name && PathValidation.Same(name, list.IssuerName))
            : PathValidation.Same(list.IssuerName, certificate.Structure.Issuer);
        if (!rightIssuer || list.Scope is not { } scope)
        {
            return rightIssuer;
        }

        var asked = point.Names.Count > 0 ? point.Names : point.ListIssuers;
        // A list of one place does not speak of a certificate that names no place: it may be listed at another.
        return scope.Covers(certificate) && (scope.Names.Count == 0 || scope.Names.Any(name => asked.Any(name.IsSameAs)));
    }

    private RevocationDoubt? Why(CertificateList list, IReadOnlyList<Certificate> path)
    {
        if (RevocationCheck.AgeDoubt(list, at) is { } doubt)
        {
            return doubt;
        }

        if (SignerOf(list, path) is not null)
        {
            return null;
        }

        return budget.IsSpent ? RevocationDoubt.BudgetSpent : RevocationDoubt.NotSigned;
    }

    // 6.3.3 (c), (h) to (k): the newest delta list that continues this one speaks first, and can lift what this one says.
    private RevokedEntry? Entry(CertificateList complete, Certificate certificate, IReadOnlyList<Certificate> path)
    {
        var delta = lists
            .Where(d => Continues(d, complete) && RevocationCheck.AgeDoubt(d, at) is null)
            .OrderByDescending(d => d.Number)
            .FirstOrDefault(d => SignerOf(d, path) is { } signer && signer.SubjectPublicKeyInfo.Span.SequenceEqual(SignerOf(complete, path)!.SubjectPublicKeyInfo.Span));
        return delta?.Find(certificate) switch
        {
            { Reason: RevocationReason.RemoveFromCrl } => null,
            { } entry => entry,
            null => complete.Find(certificate),
        };
    }

    private static bool Continues(CertificateList delta, CertificateList complete) =>
        delta is { DeltaBase: { } from, Number: { } to }
        && complete.Number is { } number && from <= number && number <= to
        && PathValidation.Same(delta.IssuerName, complete.IssuerName)
        && delta.AuthorityKeyIdentifier.Span.SequenceEqual(complete.AuthorityKeyIdentifier.Span)
        && ListScope.AreSame(delta.Scope, complete.Scope);

    // 6.3.3 (f), (g): a certificate with the list's issuer as subject, under the same anchor, that may sign lists and is good itself.
    private Certificate? SignerOf(CertificateList list, IReadOnlyList<Certificate> path)
    {
        if (!signedBy.TryGetValue(list, out var signer))
        {
            signer = path.Skip(1).Concat(signers.Take(32)).Where(list.IsNamedAfter).FirstOrDefault(c => HasSigned(c, list) && IsTrusted(c, path));
            signedBy[list] = signer;
        }

        return signer;
    }

    private bool HasSigned(Certificate certificate, CertificateList list)
    {
        ct.ThrowIfCancellationRequested();
        return CertificatePath.Permits(certificate, ListSigning) && budget.TrySpend() && list.IsSignedBy(certificate);
    }

    private bool IsTrusted(Certificate signer, IReadOnlyList<Certificate> path)
    {
        // The issuers of the path were found trustworthy with it, and each has its own turn.
        if (path.Skip(1).Any(c => c.Der.Span.SequenceEqual(signer.Der.Span)))
        {
            return true;
        }

        return CertificatePath.Build(signer, [.. path, .. signers], [path[^1]], at, ListSigning, rules, budget, ct) is PathOutcome.Trusted found
            && OfAll(found.Path) is RevocationOutcome.Good;
    }
}
