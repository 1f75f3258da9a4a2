using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Trust.Kernel.Hosting;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Hosting;

public sealed class LimitTests
{
    [Fact]
    public async Task A_caller_beyond_its_rate_is_told_when_to_come_back_and_others_are_not_harmed()
    {
        await using var issuer = await TestIssuer.Start();
        await using var service = await Start(issuer, new JsonObject { ["Client"] = 2 });
        List<HttpResponseMessage> answers = [];
        for (var i = 0; i < 8; i++)
        {
            answers.Add(await Call(service, issuer, "loud", "token"));
        }

        Assert.Equal(HttpStatusCode.OK, answers[0].StatusCode);
        var refused = Assert.Single(answers.Where(a => a.StatusCode == HttpStatusCode.TooManyRequests).Take(1));
        Assert.Equal(TimeSpan.FromSeconds(1), refused.Headers.RetryAfter?.Delta);
        Assert.Contains("urn:trust:problem:test:too-many-requests", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var other = await Call(service, issuer, "quiet", "token");
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
        await Eventually.Holds(async () =>
        {
            using var again = await Call(service, issuer, "loud", "token");
            return again.StatusCode == HttpStatusCode.OK;
        }, "the caller may call again");
        answers.ForEach(a => a.Dispose());
    }

    [Fact]
    public async Task A_route_without_a_limit_is_not_counted()
    {
        await using var issuer = await TestIssuer.Start();
        await using var service = await Start(issuer, new JsonObject { ["Read"] = 1, ["Client"] = 0 });
        using var client = service.Client();
        for (var i = 0; i < 20; i++)
        {
            using var live = await client.GetAsync("health/live");
            using var token = await Call(service, issuer, "any", "token");
            Assert.Equal([HttpStatusCode.OK, HttpStatusCode.OK], [live.StatusCode, token.StatusCode]);
        }
    }

    [Fact]
    public async Task A_flood_on_an_anonymous_listener_leaves_the_others_alone()
    {
        await using var issuer = await TestIssuer.Start();
        await using var service = await Start(issuer, new JsonObject { ["Sign"] = 1 });
        using var anonymous = service.Client();
        List<HttpStatusCode> flood = [];
        for (var i = 0; i < 10; i++)
        {
            using var answer = await anonymous.GetAsync("open");
            flood.Add(answer.StatusCode);
        }

        Assert.Contains(HttpStatusCode.TooManyRequests, flood);
        List<TcpClient> held = [];
        await Eventually.Holds(async () =>
        {
            held.Add(await Connect(service.Addresses[0]));
            return await IsClosed(held[^1]);
        }, "the listener takes no more connections");
        Assert.InRange(held.Count, 2, 6);

        using var answered = await Call(service, issuer, "any", "token", listener: 1);
        Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
        held.ForEach(h => h.Dispose());
        await Eventually.Holds(async () =>
        {
            using var again = await Connect(service.Addresses[0]);
            return !await IsClosed(again);
        }, "closed connections make room");
    }

    [Fact]
    public async Task One_address_cannot_take_every_connection()
    {
        await using var issuer = await TestIssuer.Start();
        await using var service = await Start(issuer, [], perAddress: 2);
        using var first = await Connect(service.Addresses[0]);
        using var second = await Connect(service.Addresses[0]);
        Assert.False(await IsClosed(first));
        Assert.False(await IsClosed(second));
        using var third = await Connect(service.Addresses[0]);
        Assert.True(await IsClosed(third));
    }

    [Fact]
    public async Task Tokens_that_are_refused_are_counted_by_address_and_those_of_a_good_caller_are_not()
    {
        await using var issuer = await TestIssuer.Start();
        await using var service = await Start(issuer, new JsonObject { ["Client"] = 3 });
        List<HttpStatusCode> answers = [];
        for (var i = 0; i < 20; i++)
        {
            using var client = service.Client();
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", issuer.Token(header: """{"alg":"ES256","typ":"JWT","kid":"k1"}"""));
            using var answer = await client.GetAsync("token");
            answers.Add(answer.StatusCode);
        }

        Assert.Equal(HttpStatusCode.Unauthorized, answers[0]);
        Assert.Equal(HttpStatusCode.TooManyRequests, answers[^1]);
        await Eventually.Holds(async () =>
        {
            using var good = await Call(service, issuer, "patient", "token");
            return good.StatusCode == HttpStatusCode.OK;
        }, "a good caller is let in again");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(10)]
    [InlineData(19)]
    [InlineData(5_000)]
    [InlineData(999_999)]
    public void A_bucket_fills_at_the_rate_that_is_configured(int perSecond)
    {
        var bucket = RateLimits.BucketOf(perSecond);
        Assert.InRange(bucket.TokensPerPeriod / bucket.ReplenishmentPeriod.TotalSeconds, perSecond * 0.999, perSecond * 1.001);
        Assert.Equal(2 * perSecond, bucket.TokenLimit);
    }

    private static Task<TestService> Start(TestIssuer issuer, JsonObject limits, int perAddress = 0)
    {
        var sections = issuer.Sections;
        sections["RateLimits"] = limits;
        return TestService.Start(new TestService.Wish
        {
            Sections = sections,
            Listen = new JsonObject
            {
                ["A"] = new JsonObject { ["Url"] = "http://127.0.0.1:0", ["MaxConnections"] = 4, ["MaxConnectionsPerAddress"] = perAddress },
                ["B"] = new JsonObject { ["Url"] = "http://127.0.0.1:0" },
            },
            Routes = () => new RouteTable()
                .Get("/open", Who.Anyone, Limit.Sign, () => Results.Text("signed"), "Anonymous work.")
                .Get("/token", Who.Token("read"), Limit.Client, () => Results.Text("good"), "With a token."),
        });
    }

    private static async Task<HttpResponseMessage> Call(TestService service, TestIssuer issuer, string name, string path, int listener = 0)
    {
        var claims = TestIssuer.Claims(DateTimeOffset.UtcNow);
        claims["client_id"] = name;
        using var client = service.Client(listener);
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", issuer.Token(claims));
        return await client.GetAsync(path);
    }

    private static async Task<TcpClient> Connect(Uri address)
    {
        var client = new TcpClient();
        try
        {
            await client.ConnectAsync(address.Host, address.Port);
        }
        catch (SocketException)
        {
            // Closed before the handshake of TCP was told of: IsClosed says so.
        }

        return client;
    }

    // An accepted connection answers a request; a refused one ends.
    private static async Task<bool> IsClosed(TcpClient client)
    {
        try
        {
            var stream = client.GetStream();
            await stream.WriteAsync("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray());
            return await stream.ReadAsync(new byte[4096]) == 0;
        }
        catch (Exception e) when (e is IOException or InvalidOperationException)
        {
            return true;
        }
    }
}
