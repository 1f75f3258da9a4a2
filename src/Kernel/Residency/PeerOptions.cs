using System.ComponentModel.DataAnnotations;

namespace Trust.Kernel.Residency;

/// <summary>One outbound peer, declared with its region; nothing undeclared is ever connected to (docs/RULES.md §9).</summary>
public sealed record PeerOptions
{
    /// <summary>The peer's service name; over TLS it must prove the exact name <c>&lt;name&gt;.trust.internal</c>, or that of <see cref="Service"/>.</summary>
    [Required, RegularExpression("^[a-z][a-z0-9-]{1,30}$")]
    public required string Name { get; init; }

    /// <summary>Base address. A host name is resolved by <c>Service:Resolvers</c>; the address connected to must lie in a declared network.</summary>
    [Required]
    public required Uri Address { get; init; }

    /// <summary>GB/T 2260 code; unknown counts as outside.</summary>
    [Required, RegularExpression(@"^\d{6}$")]
    public required string Region { get; init; }

    /// <summary>Of a service of another region's installation: that installation's service-issuing certificate, PEM, in the public folder or by its full path. Absent for our own.</summary>
    public string? IssuerFile { get; init; }

    /// <summary>Of a service of another region's installation: the service name that it proves there, for example <c>ca</c>.</summary>
    [RegularExpression("^[a-z][a-z0-9-]{1,30}$")]
    public string? Service { get; init; }

    /// <summary>The service name that the peer proves.</summary>
    internal string Proves => Service ?? Name;
}
