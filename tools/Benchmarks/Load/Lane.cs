using System.Diagnostics;
using System.Text;

namespace Trust.Benchmarks.Load;

/// <summary>How a slice went.</summary>
/// <param name="Done">Acts completed.</param>
/// <param name="Elapsed">Wall time of the slice.</param>
internal readonly record struct Slice(int Done, TimeSpan Elapsed)
{
    /// <summary>Adds another slice of the same kind.</summary>
    public static Slice operator +(Slice a, Slice b) => new(a.Done + b.Done, a.Elapsed + b.Elapsed);

    /// <summary>Acts a second.</summary>
    public double Rate => Done / Elapsed.TotalSeconds;
}

/// <summary>A closed loop over a fixed number of connections: each sends its next request when the last is answered.</summary>
internal sealed class Lane : IAsyncDisposable
{
    private readonly IReadOnlyList<WireConnection> _connections;

    private Lane(IReadOnlyList<WireConnection> connections) => _connections = connections;

    /// <summary>Opens the connections, eight at a time.</summary>
    public static async Task<Lane> Open(string url, string? rootFile, int connections, CancellationToken ct, System.Security.Cryptography.X509Certificates.X509Certificate2? certificate = null)
    {
        var opened = new List<WireConnection>(connections);
        while (opened.Count < connections)
        {
            opened.AddRange(await Task.WhenAll(Enumerable.Range(0, Math.Min(8, connections - opened.Count)).Select(_ => WireConnection.Open(new Uri(url), rootFile, ct, certificate))));
        }

        return new Lane(opened);
    }

    /// <summary>Performs acts until the time is over; each connection performs one after the other.</summary>
    public Task<Slice> Run(TimeSpan limit, Func<WireConnection, Task> act, CancellationToken ct) => Run(_connections, limit, act, ct);

    /// <summary>Sends prepared requests, each once, until the time is over or none is left.</summary>
    /// <exception cref="InvalidOperationException">An answer was not the one expected.</exception>
    public async Task<Slice> Send(Supply requests, TimeSpan limit, int expected, CancellationToken ct) => await Run(limit, async connection =>
    {
        Expect(await connection.Send(requests.Next(), ct), expected);
    }, ct);

    /// <summary>Checks an answer.</summary>
    /// <exception cref="InvalidOperationException">Another status came back.</exception>
    public static WireAnswer Expect(WireAnswer answer, int status) => answer.Status == status
        ? answer
        : throw new InvalidOperationException($"answered {answer.Status}: {Encoding.UTF8.GetString(answer.Body, 0, Math.Min(answer.Body.Length, 300))}{answer.Header("Location")}");

    /// <summary>The same closed loop for anything: signatures by a token, calls over a client.</summary>
    public static async Task<Slice> Run<T>(IReadOnlyList<T> workers, TimeSpan limit, Func<T, Task> act, CancellationToken ct)
    {
        var done = 0;
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(workers.Select(worker => Task.Run(async () =>
        {
            try
            {
                while (watch.Elapsed < limit)
                {
                    await act(worker);
                    Interlocked.Increment(ref done);
                }
            }
            catch (SupplyEndedException)
            {
                return;
            }
        }, ct)));
        return new Slice(done, watch.Elapsed);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var connection in _connections)
        {
            await connection.DisposeAsync();
        }
    }
}

/// <summary>Requests made beforehand, handed out once each.</summary>
/// <param name="requests">Complete bytes.</param>
/// <param name="again">Start over at the end: for requests that may be repeated.</param>
internal sealed class Supply(IReadOnlyList<byte[]> requests, bool again = false)
{
    private int _next = -1;

    /// <summary>The next request.</summary>
    /// <exception cref="SupplyEndedException">None is left.</exception>
    public byte[] Next()
    {
        var at = Interlocked.Increment(ref _next);
        return again ? requests[(int)((uint)at % (uint)requests.Count)] : at < requests.Count ? requests[at] : throw new SupplyEndedException();
    }
}

/// <summary>Every prepared request was sent; the slice ends early.</summary>
internal sealed class SupplyEndedException : Exception;
