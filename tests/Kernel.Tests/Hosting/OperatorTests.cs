using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Trust.Cli.Local;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;

namespace Trust.Kernel.Tests.Hosting;

public sealed class OperatorTests
{
    [Fact]
    public async Task Metrics_are_served_on_the_operators_listener_and_nowhere_else()
    {
        var address = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{PostgresCluster.FreePort()}"));
        await using var service = await TestService.Start(Wish(address));
        using var own = new HttpClient { BaseAddress = address };
        using var open = service.Client();
        using var asked = await open.GetAsync("open");
        Assert.Equal(HttpStatusCode.OK, asked.StatusCode);
        var metrics = await own.GetStringAsync("metrics");
        Assert.Contains("http_server_request_duration_seconds", metrics, StringComparison.Ordinal);
        Assert.Contains("kestrel_active_connections", metrics, StringComparison.Ordinal);
        using var elsewhere = await open.GetAsync("metrics");
        using var route = await own.GetAsync("open");
        using var health = await own.GetAsync("health/live");
        Assert.Equal([HttpStatusCode.NotFound, HttpStatusCode.NotFound, HttpStatusCode.OK], [elsewhere.StatusCode, route.StatusCode, health.StatusCode]);
    }

    [Fact]
    public async Task Every_meter_of_ours_is_measured_with_what_waits_for_the_ledger()
    {
        var address = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{PostgresCluster.FreePort()}"));
        var clock = new TestKit.ManualClock(DateTimeOffset.UtcNow);
        using var outbox = new OutboxState(clock);
        outbox.Publish(reached: false, pending: 7, oldest: clock.GetUtcNow() - TimeSpan.FromSeconds(90));
        await using var service = await TestService.Start(Wish(address));
        using var own = new HttpClient { BaseAddress = address };
        var metrics = await own.GetStringAsync("metrics");
        var ours = metrics.Split('\n').Where(line => line.StartsWith("trust_audit", StringComparison.Ordinal)).ToList();
        Assert.Contains(ours, line => Value(line, "trust_audit_waiting") is 7);
        Assert.Contains(ours, line => Value(line, "trust_audit_waiting_oldest_seconds") is >= 90 and < 91);
    }

    private static double? Value(string line, string name) =>
        line.StartsWith(name + "{", StringComparison.Ordinal) && line[(line.LastIndexOf('}') + 1)..].Trim().Split(' ') is [var value, ..]
            ? double.Parse(value, CultureInfo.InvariantCulture) : null;

    [Theory]
    [InlineData("http://192.0.2.1:9464")]
    [InlineData("http://0.0.0.0:9464")]
    [InlineData("http://localhost.example:9464")]
    public void An_operators_listener_that_others_reach_in_clear_stops_the_start(string address) =>
        Assert.Throws<ValidationException>(() => TestService.Build(Wish(new Uri(address))).App.Services.GetRequiredService<Microsoft.AspNetCore.Hosting.Server.IServer>());

    [Fact]
    public async Task Readiness_is_worked_out_once_however_many_ask_at_once()
    {
        var asked = 0;
        var gate = new TaskCompletionSource();
        await using var service = await TestService.Start(Wish(null) with
        {
            With = builder => builder.Services.AddSingleton<IReadinessCheck>(new ReadinessCheck("slow", async _ =>
            {
                Interlocked.Increment(ref asked);
                await gate.Task;
                return new Readiness(true, "answers");
            })),
        });
        using var client = service.Client();
        var answers = Enumerable.Range(0, 20).Select(_ => client.GetAsync("health/ready")).ToList();
        await TestKit.Eventually.Holds(() => Volatile.Read(ref asked) == 1, "the check is asked");
        gate.SetResult();
        foreach (var answer in await Task.WhenAll(answers))
        {
            Assert.Contains("slow", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            answer.Dispose();
        }

        Assert.InRange(Volatile.Read(ref asked), 1, 3);
    }

    private static TestService.Wish Wish(Uri? address) => new()
    {
        Sections = address is null ? [] : new(StringComparer.Ordinal) { ["Service"] = new JsonObject { ["OperatorListener"] = address.ToString() } },
        Routes = () => new RouteTable().Get("/open", Who.Anyone, Limit.None, () => Results.Text("open"), "Anyone."),
    };
}
