using System.ComponentModel.DataAnnotations;
using Trust.CA.Persons;

namespace Trust.CA;

/// <summary>Configuration section <c>Ca</c>.</summary>
public sealed record CaOptions : IValidatableObject
{
    /// <summary>Base of the public addresses inside certificates, plain HTTP, without a final slash: <c>http://127.0.0.3:7080</c>.</summary>
    [Required]
    public required Uri PublicBaseUrl { get; init; }

    /// <summary>Label of the root token, present at the ceremony and offline afterwards.</summary>
    public string RootTokenLabel { get; init; } = "root";

    /// <summary>The root token's PIN file; the ceremony's <c>--root-token-pin-file</c> overrides it.</summary>
    public string? RootTokenPinFile { get; init; }

    /// <summary>Whether SM2 keys may be software keys sealed by the token. False in production.</summary>
    public bool AllowSoftwareSm2 { get; init; }

    /// <summary>Whether the token's mechanism table offers SM2.</summary>
    public bool TokenHasSm2 { get; init; }

    /// <summary>Longest time between two CRLs of an issuer.</summary>
    public TimeSpan CrlInterval { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How long a CRL may be relied on.</summary>
    public TimeSpan CrlLifetime { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long an OCSP answer may be cached by its reader.</summary>
    public TimeSpan OcspLifetime { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Age at which an unfinished issuance is taken up again.</summary>
    public TimeSpan ResumeAfter { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Which region gives people their identifiers.</summary>
    public PersonOptions Persons { get; init; } = new();

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Persons is { Registrar: not null, IsRegistrar: true })
        {
            yield return new ValidationResult("Persons: an installation asks a registrar or is one; both would give one person two identifiers");
        }
    }

    internal string Base => PublicBaseUrl.ToString().TrimEnd('/');
}
