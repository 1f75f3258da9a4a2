using System.ComponentModel.DataAnnotations;

namespace Trust.Witness;

/// <summary>Configuration section <c>Witness</c>.</summary>
public sealed record WitnessOptions
{
    /// <summary>Name of the witness's key, for example <c>witness.example/510000</c>.</summary>
    [Required, RegularExpression(@"^[^\s+]{1,200}$")]
    public required string Name { get; init; }

    /// <summary>The logs it watches; every other is unknown to it.</summary>
    [MinLength(1)]
    public required IReadOnlyList<WatchedLogOptions> Logs { get; init; }
}

/// <summary>One watched log.</summary>
public sealed record WatchedLogOptions
{
    /// <summary>First line of its checkpoints.</summary>
    [Required, RegularExpression(@"^[^\s+]{1,200}$")]
    public required string Origin { get; init; }

    /// <summary>The declared peer that serves its entry bundles.</summary>
    [Required, RegularExpression("^[a-z][a-z0-9-]{1,30}$")]
    public required string Peer { get; init; }

    /// <summary>File of its vkey lines; a checkpoint needs a line of at least one, and no bad line of any.</summary>
    [Required]
    public required string VKeysFile { get; init; }
}
