using Microsoft.Extensions.Hosting;
using Npgsql;

namespace Trust.Kernel.Hosting;

/// <summary>Deletes idempotency keys and their kept answers after the retention.</summary>
internal sealed class IdempotencySweep(IdempotencyStore keys, TimeProvider clock) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromMinutes(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await keys.DeleteExpired(stoppingToken);
            }
            catch (NpgsqlException)
            {
                // The next round finds the same rows; readiness tells of the database.
                continue;
            }
        }
    }
}
