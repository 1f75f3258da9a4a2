using System.ComponentModel.DataAnnotations;

namespace Trust.AuditLedger.Anchoring;

/// <summary>Outside authorities that say when a checkpoint existed (RFC 3161).</summary>
public sealed record AnchoringOptions
{
    /// <summary>Asked in this order until one answers; none: nothing is anchored.</summary>
    public IReadOnlyList<StampingAuthorityOptions> Authorities { get; init; } = [];

    /// <summary>Time between anchors of a log that grows. At most a minute keeps every anchored checkpoint younger than that.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "1.00:00:00")]
    public TimeSpan Interval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a grown log may stay without an anchor before that is an alarm.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "30.00:00:00")]
    public TimeSpan Budget { get; init; } = TimeSpan.FromHours(4);

    /// <summary>Whether intake stops when the budget is spent.</summary>
    public bool StopIntake { get; init; }

    /// <summary>How long before an authority's certificate ends its time-stamps are stamped again.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "3650.00:00:00")]
    public TimeSpan RenewBefore { get; init; } = TimeSpan.FromDays(90);
}

/// <summary>One authority.</summary>
public sealed record StampingAuthorityOptions
{
    /// <summary>Its declared peer. Plain http serves: a token proves itself; https asks for a service certificate of our own CA.</summary>
    [Required, RegularExpression("^[a-z][a-z0-9-]{1,30}$")]
    public required string Peer { get; init; }

    /// <summary>Path of its RFC 3161 service.</summary>
    [Required, RegularExpression("^/[!-~]{0,200}$")]
    public string Path { get; init; } = "/timestamp";

    /// <summary>PEM files of the roots its certificates must lead to.</summary>
    [MinLength(1)]
    public required IReadOnlyList<string> RootFiles { get; init; }
}
