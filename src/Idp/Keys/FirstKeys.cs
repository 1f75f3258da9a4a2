namespace Trust.Idp.Keys;

/// <summary>Loads the keys before the first request: a provider without a key must not answer.</summary>
internal sealed class FirstKeys(SigningKeys keys) : IHostedService
{
    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => keys.Start(cancellationToken);

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
