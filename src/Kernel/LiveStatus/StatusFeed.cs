using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;

namespace Trust.Kernel.LiveStatus;

/// <summary>Acts on one change of status, for example by ending a suspended person's sessions. Called in feed order.</summary>
public delegate Task StatusChanged(StatusChange change, CancellationToken ct);

/// <summary>
/// Follows the CA's numbered change feed (NDJSON, a heartbeat every second). While the heartbeat is younger than three
/// seconds, what has not been announced has not changed.
/// </summary>
public sealed class StatusFeed(Outbound outbound, TimeProvider clock, IEnumerable<StatusChanged> listeners)
{
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(3);
    private readonly ConcurrentDictionary<string, long> _changed = new(StringComparer.Ordinal);
    private long _seq = -1;
    private long _heardAt;

    /// <summary>True while the last heartbeat is younger than three seconds.</summary>
    public bool IsFresh => Interlocked.Read(ref _heardAt) is var at and not 0 && clock.GetElapsedTime(at) < Freshness;

    /// <summary>The newest feed position at which anything the question rests on changed; 0 when nothing did since start.</summary>
    public long LastChange(EntitlementQuestion question) => Math.Max(
        Math.Max(Of(question.Person), Of(question.Institution)), Of(question.Certificate));

    /// <summary>A readiness check over the feed.</summary>
    public IReadinessCheck Readiness => new ReadinessCheck("status-feed", _ => ValueTask.FromResult(new Readiness(IsFresh, IsFresh ? "fresh" : "no heartbeat for three seconds")));

    /// <summary>Pause before the feed is followed anew.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    /// <summary>Follows the feed until it is lost; a loss is an exception, or the end of the stream.</summary>
    public async Task Follow(CancellationToken ct)
    {
        // From the start on the first connection: the position is read from the first heartbeat, nothing older is cached.
        var after = _seq < 0 ? "" : "?after=" + _seq.ToString(CultureInfo.InvariantCulture);
        using var response = await outbound.Client("ca").GetAsync("feed" + after, HttpCompletionOption.ResponseHeadersRead, ct);
        response.EnsureSuccessStatusCode();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(ct));
        while (true)
        {
            using var silence = CancellationTokenSource.CreateLinkedTokenSource(ct);
            silence.CancelAfter(Freshness);
            if (await reader.ReadLineAsync(silence.Token) is not { } line)
            {
                return;
            }

            await Accept(line, ct);
        }
    }

    private async Task Accept(string line, CancellationToken ct)
    {
        using var json = JsonDocument.Parse(line);
        var root = json.RootElement;
        if (root.TryGetProperty("heartbeat", out var heartbeat))
        {
            var last = heartbeat.GetInt64();
            if (_seq >= 0 && last > _seq)
            {
                // A gap: something was announced that did not reach us. Start over from what we know.
                throw new InvalidOperationException("The feed skipped a change.");
            }

            _seq = Math.Max(_seq, last);
            Interlocked.Exchange(ref _heardAt, clock.GetTimestamp());
            return;
        }

        var change = new StatusChange(
            root.GetProperty("seq").GetInt64(), root.GetProperty("kind").GetString() ?? "", root.GetProperty("id").GetString() ?? "",
            root.TryGetProperty("person", out var person) && person.ValueKind is JsonValueKind.String ? person.GetString() : null,
            root.GetProperty("state").GetString() ?? "");
        _changed[change.Id] = change.Seq;
        if (change.Person is { } who)
        {
            _changed[who] = change.Seq;
        }

        foreach (var listener in listeners)
        {
            await listener(change, ct);
        }

        _seq = change.Seq;
    }

    private long Of(string? id) => id is not null && _changed.TryGetValue(id, out var seq) ? seq : 0;
}
