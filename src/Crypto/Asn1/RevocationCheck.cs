using System.Formats.Asn1;

namespace Trust.Crypto.Asn1;

/// <summary>Why a certificate's status is not known. The set is closed.</summary>
public enum RevocationDoubt
{
    /// <summary>No list at hand covers the certificate: another issuer, another partition, another kind of certificate.</summary>
    NoList,

    /// <summary>The list that covers it is over, or says of no end and is too old.</summary>
    Stale,

    /// <summary>The list that covers it says it was made later than now.</summary>
    FromTheFuture,

    /// <summary>Nobody who may sign lists for this issuer signed the list.</summary>
    NotSigned,

    /// <summary>The lists at hand leave reasons out for which it may be revoked elsewhere.</summary>
    ReasonsMissing,

    /// <summary>A complete list lifts a hold, which only a delta list can.</summary>
    Contradiction,

    /// <summary>The signature checks that one question may spend are spent.</summary>
    BudgetSpent,
}

/// <summary>What lists say of a certificate.</summary>
public abstract record RevocationOutcome
{
    private RevocationOutcome()
    {
    }

    /// <summary>Covered for every reason, and not revoked.</summary>
    public sealed record Good : RevocationOutcome;

    /// <summary>Revoked.</summary>
    /// <param name="Reason">Why.</param>
    /// <param name="At">Since when.</param>
    /// <param name="InvalidityDate">When the key is thought to have been lost, if said.</param>
    public sealed record Revoked(RevocationReason Reason, DateTimeOffset At, DateTimeOffset? InvalidityDate) : RevocationOutcome;

    /// <summary>Not known; to be treated as not good.</summary>
    /// <param name="Why">What is missing.</param>
    public sealed record Unknown(RevocationDoubt Why) : RevocationOutcome;
}

/// <summary>
/// Asks revocation lists for a certificate's status (RFC 5280 6.3): complete, partitioned, indirect and delta lists. Nothing is
/// downloaded, and what lists do not say is unknown.
/// </summary>
public static class RevocationCheck
{
    /// <summary>How long a list holds that does not say when the next one comes. RFC 5280 5.1.2.5 wants that it says so.</summary>
    public static readonly TimeSpan MaxAgeWithoutEnd = TimeSpan.FromDays(7);

    /// <summary>The status of one certificate of a path that was found trustworthy.</summary>
    /// <param name="path">Leaf first, anchor last.</param>
    /// <param name="position">Which one; not the anchor, which no list covers.</param>
    /// <param name="lists">The lists at hand, from anywhere.</param>
    /// <param name="signers">Certificates that may have signed lists, from anywhere; at most 32 are looked at beside the path.</param>
    /// <param name="at">The instant to judge for.</param>
    /// <param name="ct">Ends the search for signers.</param>
    /// <exception cref="OperationCanceledException">The search was cancelled.</exception>
    public static RevocationOutcome Of(
        IReadOnlyList<Certificate> path,
        int position,
        IReadOnlyList<CertificateList> lists,
        IReadOnlyList<Certificate> signers,
        DateTimeOffset at,
        CancellationToken ct = default) =>
        new RevocationSearch(lists, signers, at, PathRules.Ours, new SignatureBudget(), ct).Of(path, position);

    /// <summary>The worst status in a path: the first that is not good, from the anchor down, or good.</summary>
    /// <inheritdoc cref="Of(IReadOnlyList{Certificate}, int, IReadOnlyList{CertificateList}, IReadOnlyList{Certificate}, DateTimeOffset, CancellationToken)"/>
    public static RevocationOutcome OfAll(
        IReadOnlyList<Certificate> path,
        IReadOnlyList<CertificateList> lists,
        IReadOnlyList<Certificate> signers,
        DateTimeOffset at,
        CancellationToken ct = default) =>
        new RevocationSearch(lists, signers, at, PathRules.Ours, new SignatureBudget(), ct).OfAll(path);

    /// <summary>What one list says of a serial number, when there is no certificate to compare its scope with.</summary>
    /// <param name="list">The list.</param>
    /// <param name="issuer">Who issued the certificate and must have signed the list; its own trust is the caller's check.</param>
    /// <param name="serialNumber">Big-endian magnitude.</param>
    /// <param name="at">The instant to judge for.</param>
    public static RevocationOutcome Of(CertificateList list, Certificate issuer, ReadOnlySpan<byte> serialNumber, DateTimeOffset at)
    {
        if (AgeDoubt(list, at) is { } doubt)
        {
            return new RevocationOutcome.Unknown(doubt);
        }

        if (!list.IsSignedBy(issuer))
        {
            return new RevocationOutcome.Unknown(list.IsNamedAfter(issuer) ? RevocationDoubt.NotSigned : RevocationDoubt.NoList);
        }

        return list.Find(serialNumber) switch
        {
            { Reason: RevocationReason.RemoveFromCrl } => new RevocationOutcome.Unknown(RevocationDoubt.Contradiction),
            { } entry => new RevocationOutcome.Revoked(entry.Reason, entry.RevokedAt, entry.InvalidityDate),
            // A list of one scope, or a delta list, says nothing of certificates that it may not cover.
            null when list.Scope is not null || list.DeltaBase is not null => new RevocationOutcome.Unknown(RevocationDoubt.NoList),
            null => new RevocationOutcome.Good(),
        };
    }

    /// <summary>Why a list does not hold at an instant; null when it does.</summary>
    internal static RevocationDoubt? AgeDoubt(CertificateList list, DateTimeOffset at)
    {
        if (list.ThisUpdate > at)
        {
            return RevocationDoubt.FromTheFuture;
        }

        var isOver = list.NextUpdate is { } next ? at > next || next < list.ThisUpdate : at - list.ThisUpdate > MaxAgeWithoutEnd;
        return isOver ? RevocationDoubt.Stale : null;
    }
}
