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

    /// <summary>Within what time an answer of a log, or of another witness, has to be there whole.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan AnswerWithin { get; init; } = TimeSpan.FromSeconds(30);
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

    /// <summary>Whose landmark is believed where the log has pruned what this witness would have to read; null for nobody's.</summary>
    public JoinOptions? Join { get; init; }
}

/// <summary>Whom a witness believes what lies before the entries that it can read itself.</summary>
public sealed record JoinOptions
{
    /// <summary>The declared peers that are asked for their landmark.</summary>
    [MinLength(1)]
    public required IReadOnlyList<string> Peers { get; init; }

    /// <summary>File of the vkey lines, type 04, of the witnesses that are believed.</summary>
    [Required]
    public required string VKeysFile { get; init; }

    /// <summary>How many of them must have cosigned one landmark.</summary>
    [Range(1, 64)]
    public required int Quorum { get; init; }
}
