using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Hosting;

public sealed class IssuerKeysTests
{
    private readonly ManualClock _clock = new(DateTimeOffset.UtcNow);

    [Fact]
    public async Task A_new_key_is_found_when_the_first_token_under_it_comes_and_the_old_one_goes_on()
    {
        await using var issuer = await TestIssuer.Start();
        await using var service = await Start(issuer);
        var old = issuer.Token();
        Assert.Equal(HttpStatusCode.OK, await Call(service, old));
        issuer.Rotate("k2");
        _clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(HttpStatusCode.OK, await Call(service, issuer.Token()));
        Assert.Equal(HttpStatusCode.OK, await Call(service, old));
        Assert.Equal(2, issuer.Asked);
    }

    [Fact]
    public async Task Unknown_keys_have_the_issuer_asked_once_a_second_at_most()
    {
        await using var issuer = await TestIssuer.Start();
        await using var service = await Start(issuer);
        Assert.Equal(HttpStatusCode.OK, await Call(service, issuer.Token()));
        _clock.Advance(TimeSpan.FromSeconds(2));
        var strangers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Call(service, issuer.Token(header: $$"""{"alg":"ES256","typ":"at+jwt","kid":"x{{i}}"}"""))));
        Assert.All(strangers, status => Assert.Equal(HttpStatusCode.Unauthorized, status));
        Assert.Equal(2, issuer.Asked);
    }

    [Fact]
    public async Task Strangers_with_unknown_keys_do_not_have_known_tokens_verified_anew()
    {
        await using var issuer = await TestIssuer.Start();
        await using var service = await Start(issuer);
        var keys = service.Services.GetRequiredService<IssuerKeys>();
        var before = await keys.For("k1", CancellationToken.None);
        _clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Same(before, await keys.For("unknown", CancellationToken.None));
        Assert.Equal(2, issuer.Asked);
        issuer.Rotate("k2");
        _clock.Advance(TimeSpan.FromSeconds(2));
        Assert.NotSame(before, await keys.For("k2", CancellationToken.None));
    }

    [Theory]
    [InlineData("null", "application/json")]
    [InlineData("[]", "application/json")]
    [InlineData("{\"keys\":5}", "application/json")]
    [InlineData("{\"keys\":[null]}", "application/json")]
    [InlineData("{\"keys\":[5]}", "application/json")]
    [InlineData("{", "application/json")]
    [InlineData("", "application/json")]
    [InlineData("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k1\",\"x\":\"!!\",\"y\":\"AA\"}]}", "application/json")]
    [InlineData("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k1\",\"x\":\"AA\",\"y\":\"AA\"}]}", "application/json")]
    [InlineData("{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"k1\",\"n\":\"\",\"e\":\"\"}]}", "application/json")]
    [InlineData("{\"keys\":[]}", "application/json; charset=nonsense")]
    public async Task Keys_of_the_issuer_that_cannot_be_read_are_no_fault_of_ours(string body, string type)
    {
        await using var issuer = await TestIssuer.Start();
        issuer.Says = (body, type);
        await using var service = await Start(issuer);
        Assert.Contains(await Call(service, issuer.Token()), new[] { HttpStatusCode.ServiceUnavailable, HttpStatusCode.Unauthorized });
    }

    [Fact]
    public async Task All_who_wait_for_a_slow_issuer_share_one_fetch()
    {
        await using var issuer = await TestIssuer.Start();
        await using var service = await Start(issuer);
        var gate = new TaskCompletionSource();
        issuer.Gate = gate.Task;
        var calls = Enumerable.Range(0, 10).Select(_ => Call(service, issuer.Token())).ToList();
        await Eventually.Holds(() => issuer.Asked == 1, "the issuer is asked");
        gate.SetResult();
        Assert.All(await Task.WhenAll(calls), status => Assert.Equal(HttpStatusCode.OK, status));
        Assert.Equal(1, issuer.Asked);
    }

    [Fact]
    public async Task An_issuer_that_hangs_is_given_up_and_the_next_callers_do_not_queue_behind_it()
    {
        await using var issuer = await TestIssuer.Start();
        var clock = new HurriedClock();
        await using var service = await TestService.Start(new TestService.Wish { Clock = clock, Sections = issuer.Sections, Routes = Routes });
        var gate = new TaskCompletionSource();
        issuer.Gate = gate.Task;
        var watch = Stopwatch.StartNew();
        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Call(service, issuer.Token())));
        Assert.All(answers, status => Assert.Equal(HttpStatusCode.ServiceUnavailable, status));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"{watch.Elapsed}");
        Assert.InRange(issuer.Asked, 1, 10);
        gate.SetResult();
        await Eventually.Holds(async () => await Call(service, issuer.Token()) == HttpStatusCode.OK, "the issuer answers again");
    }

    [Fact]
    public async Task While_the_issuer_is_away_known_keys_go_on_for_five_minutes_and_not_longer()
    {
        await using var issuer = await TestIssuer.Start();
        await using var service = await Start(issuer);
        Assert.Equal(HttpStatusCode.OK, await Call(service, issuer.Token(TestIssuer.Claims(_clock.GetUtcNow()))));
        issuer.Fails = true;
        _clock.Advance(TimeSpan.FromMinutes(4));
        Assert.Equal(HttpStatusCode.OK, await Call(service, issuer.Token(TestIssuer.Claims(_clock.GetUtcNow()))));
        _clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await Call(service, issuer.Token(TestIssuer.Claims(_clock.GetUtcNow()))));
    }

    [Theory]
    [InlineData("idp.example", "https://test.example", typeof(ValidationException))]
    [InlineData("http://idp.example", "https://test.example", typeof(ValidationException))]
    [InlineData("https://idp.example?x=1", "https://test.example", typeof(InvalidOperationException))]
    [InlineData("https://idp.example", "", typeof(ValidationException))]
    public void Options_that_cannot_hold_stop_the_start(string issuer, string audience, Type kind)
    {
        var error = Record.Exception(() => TestService.Build(Wish(new JsonArray(Idp()), new JsonObject { ["Issuer"] = issuer, ["Audience"] = audience })));
        Assert.IsType(kind, error, exactMatch: false);
    }

    [Fact]
    public void An_issuer_whose_peer_is_not_declared_stops_the_start() =>
        Assert.Throws<UndeclaredPeerException>(() => TestService.Build(Wish([], new JsonObject { ["Issuer"] = TestIssuer.Issuer, ["Audience"] = TestIssuer.Audience })));

    private static JsonObject Idp() => new() { ["Name"] = "idp", ["Address"] = "http://127.0.0.1:1", ["Region"] = "510000" };

    private static TestService.Wish Wish(JsonArray peers, JsonObject tokens) =>
        new() { Routes = Routes, Sections = new(StringComparer.Ordinal) { ["Peers"] = peers, ["Tokens"] = tokens } };

    private static RouteTable Routes() => new RouteTable().Get("/caller", Who.Token("read"), Limit.None, () => Results.Text("good"), "Who calls.");

    private Task<TestService> Start(TestIssuer issuer) => TestService.Start(new TestService.Wish { Clock = _clock, Sections = issuer.Sections, Routes = Routes });

    private static async Task<HttpStatusCode> Call(TestService service, string token)
    {
        using var client = service.Client();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var answer = await client.GetAsync("caller");
        return answer.StatusCode;
    }

    /// <summary>The system's time, in which every wait is over in a tenth.</summary>
    private sealed class HurriedClock : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => base.CreateTimer(callback, state, dueTime / 10, period);
    }
}
