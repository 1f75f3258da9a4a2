using System.Text.Json;
using Trust.CA.Registry;
using Trust.Kernel.Postgres;

namespace Trust.CA.Tests.Feed;

public sealed class FeedTests(CaFixture ca)
{
    [Fact]
    public async Task Changes_arrive_in_order_without_gaps_and_between_heartbeats()
    {
        using var peer = ca.Peer();
        await using var stream = await peer.GetStreamAsync(new Uri("/feed?after=0", UriKind.Relative));
        using var reader = new StreamReader(stream);
        var writing = Task.WhenAll(Enumerable.Range(0, 8).Select(_ => ca.NewPractitioner()));
        var (person, _, _) = await ca.NewPractitioner();
        using var client = ca.Officer(0);
        using var changed = await client.Post($"/practitioners/{person}/state", new StateRequest("suspended", "order"), CaJson.Default.StateRequest);
        await writing;

        long last = 0;
        var seen = false;
        var beats = 0;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!(seen && beats > 1) && await reader.ReadLineAsync(limit.Token) is { } line)
        {
            var json = JsonElement.Parse(line);
            if (json.TryGetProperty("heartbeat", out var beat))
            {
                Assert.Equal(last, beat.GetInt64());
                beats++;
                continue;
            }

            Assert.Equal(last + 1, json.GetProperty("seq").GetInt64());
            last++;
            seen |= json.GetProperty("id").GetString() == person && json.GetProperty("state").GetString() == "suspended";
        }

        Assert.True(seen);
    }

    [Fact]
    public async Task Numbers_have_no_gaps_however_many_write_at_once()
    {
        await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => ca.NewPractitioner()));
        const string gaps = "SELECT count(*) FROM (SELECT seq - lag(seq, 1, 0::bigint) OVER (ORDER BY seq) AS step FROM feed) s WHERE step <> 1";

        Assert.Equal(0, await ca.Database.Owner.Sql(gaps).Scalar<long>(default));
    }

    [Fact]
    public async Task A_new_follower_starts_now_with_the_heartbeat()
    {
        using var peer = ca.Peer();
        await using var stream = await peer.GetStreamAsync(new Uri("/feed", UriKind.Relative));
        using var reader = new StreamReader(stream);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));

        var first = JsonElement.Parse((await reader.ReadLineAsync(limit.Token))!);

        // Either a change made this very moment, or the beat: never the past.
        Assert.True(first.TryGetProperty("heartbeat", out _) || first.GetProperty("at").GetDateTimeOffset() > DateTimeOffset.UtcNow.AddSeconds(-5));
    }
}
