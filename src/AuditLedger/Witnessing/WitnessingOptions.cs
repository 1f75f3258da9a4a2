using System.ComponentModel.DataAnnotations;

namespace Trust.AuditLedger.Witnessing;

/// <summary>Who cosigns checkpoints, and how many must (C2SP tlog-witness).</summary>
public sealed record WitnessingOptions : IValidatableObject
{
    /// <summary>The witnesses; each also reads entry bundles, because it recomputes the index before it cosigns.</summary>
    public IReadOnlyList<WitnessOptions> Witnesses { get; init; } = [];

    /// <summary>How many different witnesses must have cosigned a checkpoint before <c>/checkpoint</c> shows it; 0 waits for none.</summary>
    [Range(0, 16)]
    public int Quorum { get; init; }

    /// <summary>
    /// True: while no quorum can be had for <see cref="Patience"/>, <c>/checkpoint</c> goes on without it, visibly. False: it stays at the last
    /// checkpoint that had one. Intake goes on in both cases.
    /// </summary>
    public bool FailOpen { get; init; }

    /// <summary>Time between rounds when nobody asks for one.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "01:00:00")]
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long the newest checkpoint may be without a quorum before that is an alarm.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Quorum > Witnesses.Count)
        {
            yield return new ValidationResult($"Witnessing: a quorum of {Quorum} cannot be had from {Witnesses.Count} witnesses.");
        }

        if (Witnesses.Select(w => w.Peer).Distinct(StringComparer.Ordinal).Count() != Witnesses.Count)
        {
            yield return new ValidationResult("Witnessing: a witness is listed twice.");
        }
    }
}

/// <summary>One witness.</summary>
public sealed record WitnessOptions
{
    /// <summary>Its declared peer.</summary>
    [Required, RegularExpression("^[a-z][a-z0-9-]{1,30}$")]
    public required string Peer { get; init; }

    /// <summary>File holding its vkey line (type 04).</summary>
    [Required]
    public required string VKeyFile { get; init; }
}
