namespace Trust.CA.Officers;

/// <summary>Approvals count while their officers are officers and both cards' certificates are good: a stolen card's word ends with the card.</summary>
internal static class GoodApprovals
{
    /// <summary>Approvals that a certificate needs; neither of the requester nor of the holder.</summary>
    public const int Needed = 2;

    /// <summary>SQL: whether the approval <c>a</c> counts at $2.</summary>
    public const string Counts = """
        officer_counts(a.officer, a.certificate_sha256, $2) AND (a.login_sha256 IS NULL OR officer_counts(a.officer, a.login_sha256, $2))
        """;

    /// <summary>SQL: how many approvals of request $1 count at $2.</summary>
    public const string Number = $"SELECT count(*) FROM approvals a WHERE a.request = $1 AND {Counts}";
}
