using System.ComponentModel.DataAnnotations;

namespace Trust.Idp;

/// <summary>Configuration section <c>Idp</c>.</summary>
public sealed record IdpOptions
{
    /// <summary>Issuer identifier and base of every published URL; never taken from a request header (GHSA-2wmj-46rj-qm2w).</summary>
    [Required, RegularExpression("^https://[^/?#]+$")]
    public required string Issuer { get; init; }

    /// <summary>Base URL of the card listener, a host of its own.</summary>
    [Required, RegularExpression("^https://[^/?#]+$")]
    public required string CardUrl { get; init; }

    /// <summary>Base URL of the listener for clients that prove themselves or bind their tokens by a certificate (RFC 8705 5); absent: they cannot.</summary>
    [RegularExpression("^https://[^/?#]+$")]
    public string? MtlsUrl { get; init; }

    /// <summary>Issuing certificates that <c>tls_client_auth</c> trusts, as PEM files of the public folder, roots among them. Empty: the method is refused.</summary>
    public IReadOnlyList<string> ClientIssuers { get; init; } = [];

    /// <summary>Life of an access token; at most five minutes, because it cannot be recalled (docs/ARCHITECTURE.md §1 rule 3).</summary>
    [Range(typeof(TimeSpan), "00:00:30", "00:05:00")]
    public TimeSpan AccessTokenLife { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Life of an authorization code; FAPI 2.0 5.3.2.1 allows 60 s.</summary>
    [Range(typeof(TimeSpan), "00:00:05", "00:01:00")]
    public TimeSpan CodeLife { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Longest a session lasts without a new card login.</summary>
    [Range(typeof(TimeSpan), "00:05:00", "12:00:00")]
    public TimeSpan SessionLife { get; init; } = TimeSpan.FromHours(4);

    /// <summary>Longest a browser may leave its session unused: a ward's workstation is left standing.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "04:00:00")]
    public TimeSpan SessionIdle { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>How long a token key signs before the next one takes over.</summary>
    [Range(typeof(TimeSpan), "01:00:00", "365.00:00:00")]
    public TimeSpan KeyLife { get; init; } = TimeSpan.FromDays(90);

    /// <summary>Version of the notice shown before the first use of a client; a new version is acknowledged anew.</summary>
    [Required]
    public string NoticeVersion { get; init; } = "2026-11";

    /// <summary>Whom a person calls who cannot go on, as it is shown on pages: a name and a number. Null for the words that name the institution's registration officer.</summary>
    [StringLength(200, MinimumLength = 1)]
    public string? HelpDesk { get; init; }
}
