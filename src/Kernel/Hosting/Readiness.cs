namespace Trust.Kernel.Hosting;

/// <summary>One thing that must hold for the service to do its work.</summary>
public interface IReadinessCheck
{
    /// <summary>Short name, for example <c>database</c>.</summary>
    string Name { get; }

    /// <summary>Checks now; must answer within two seconds.</summary>
    ValueTask<Readiness> Check(CancellationToken ct);
}

/// <summary>The answer of one check.</summary>
/// <param name="Ready">True when the thing holds.</param>
/// <param name="Detail">What is stale or lost, and since when; no secret.</param>
public sealed record Readiness(bool Ready, string Detail);

/// <summary>A check made from a delegate.</summary>
public sealed class ReadinessCheck(string name, Func<CancellationToken, ValueTask<Readiness>> check) : IReadinessCheck
{
    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public ValueTask<Readiness> Check(CancellationToken ct) => check(ct);
}
