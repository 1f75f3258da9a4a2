using System.ComponentModel.DataAnnotations;

namespace Trust.Kernel.Postgres;

/// <summary>Where a service's schema lives, and the two roles that reach it.</summary>
public sealed record DatabaseOptions
{
    /// <summary>Npgsql connection string without password and search path, for the runtime role (no DDL).</summary>
    [Required]
    public required string ConnectionString { get; init; }

    /// <summary>File holding the runtime role's password, readable by the service alone.</summary>
    [Required]
    public required string PasswordFile { get; init; }

    /// <summary>Role that owns the schema and runs migrations; absent where migrations are run elsewhere.</summary>
    public string? OwnerUsername { get; init; }

    /// <summary>File holding the owner role's password.</summary>
    public string? OwnerPasswordFile { get; init; }

    /// <summary>The service's schema; the only one on its search path.</summary>
    [Required, RegularExpression("^[a-z]{2,20}$")]
    public required string Schema { get; init; }

    /// <summary>GB/T 2260 code of the place that holds the data; unknown counts as outside (docs/RULES.md §9).</summary>
    [Required, RegularExpression(@"^\d{6}$")]
    public required string Region { get; init; }
}
