namespace Trust.CA.Persons;

/// <summary>Configuration section <c>Ca:Persons</c>: which region gives people their identifiers (docs/RESIDENCY.md §8). All absent: this installation gives its own.</summary>
public sealed record PersonOptions
{
    /// <summary>Peer name of the other region's ca that gives them for this region too; absent where this one gives them.</summary>
    public string? Registrar { get; init; }

    /// <summary>Peer names of other regions' ca that this one gives them for.</summary>
    public IReadOnlyList<string> Askers { get; init; } = [];

    /// <summary>True when this ca gives identifiers for others.</summary>
    internal bool IsRegistrar => Askers.Count > 0;
}
