namespace Trust.Kernel.LiveStatus;

/// <summary>What someone asks to be allowed. Unknown act = deny.</summary>
/// <param name="Person">Practitioner URN, or null when an institution acts alone (claim, seal, system).</param>
/// <param name="Institution">Acting institution URN; null only for <c>login</c> before an institution is chosen.</param>
/// <param name="Act"><c>login</c>, <c>prescribe</c>, <c>review</c>, <c>dispense</c>, <c>claim</c>, <c>seal</c>, or <c>system</c>: that an institution's systems may act at all.</param>
/// <param name="Certificate">SHA-256 (lower-case hex) of the certificate used, whose own status then counts too.</param>
/// <param name="At">The instant asked about; null for now. An answer about the past is never kept.</param>
public sealed record EntitlementQuestion(string? Person, string? Institution, string Act, string? Certificate = null, DateTimeOffset? At = null);

/// <summary>The registry's answer at an instant.</summary>
public abstract record Entitlement
{
    private Entitlement()
    {
    }

    /// <summary>Allowed.</summary>
    /// <param name="Role">Professional role, for example <c>physician</c>; null for an institution acting alone.</param>
    /// <param name="Licence">The licence as the registry shows it; null for an institution acting alone.</param>
    /// <param name="Region">GB/T 2260 code of the acting institution.</param>
    /// <param name="VerifiedAt">When the registry looked.</param>
    /// <param name="RuleVersion">Version of the rule that permitted.</param>
    public sealed record Permit(string? Role, LicenceStatus? Licence, string Region, DateTimeOffset VerifiedAt, string RuleVersion) : Entitlement
    {
        /// <summary>The person's registered name; null for an institution acting alone.</summary>
        public string? Name { get; init; }

        /// <summary>The institution's registered name.</summary>
        public string? InstitutionName { get; init; }
    }

    /// <summary>Not allowed.</summary>
    /// <param name="Reason">Rule that refused, for example <c>suspended</c>; <see cref="StatusUnknown"/> or <see cref="ClockSkew"/> when no answer could be had.</param>
    /// <param name="RuleVersion">Version of the rule.</param>
    public sealed record Deny(string Reason, string RuleVersion) : Entitlement
    {
        /// <summary>No answer could be had.</summary>
        public const string StatusUnknown = "status-unknown";

        /// <summary>The registry's clock and this machine's differ too much for its answers to be taken.</summary>
        public const string ClockSkew = "clock-skew";

        /// <summary>True when nothing is known, rather than that the right is not there.</summary>
        public bool IsUnanswered => Reason is StatusUnknown or ClockSkew;
    }
}

/// <summary>A licence as it stands.</summary>
/// <param name="NumberLast4">Last four characters of the licence number.</param>
/// <param name="Category">Category as registered, for example <c>clinical</c>.</param>
/// <param name="Scope">Registered scope of practice.</param>
/// <param name="Status">State of docs/RULES.md §3, for example <c>active</c>.</param>
public sealed record LicenceStatus(string NumberLast4, string Category, IReadOnlyList<string> Scope, string Status)
{
    /// <summary>The whole number, for comparison with what a document says; shown and logged nowhere.</summary>
    public string? Number { get; init; }
}

/// <summary>One numbered change of the registry or of a certificate.</summary>
/// <param name="Seq">Position in the feed, without gaps.</param>
/// <param name="Kind"><c>practitioner</c>, <c>institution</c>, <c>affiliation</c> or <c>certificate</c>.</param>
/// <param name="Id">URN, or SHA-256 hex of a certificate.</param>
/// <param name="Person">Practitioner concerned, if any.</param>
/// <param name="State">The new state.</param>
public sealed record StatusChange(long Seq, string Kind, string Id, string? Person, string State);
