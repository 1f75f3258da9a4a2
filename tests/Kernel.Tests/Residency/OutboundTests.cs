using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.Kernel.Tests.Hosting;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Residency;

public sealed class OutboundTests
{
    private static PeerOptions Peer(string address, string region = "510000") => new() { Name = "peer", Address = new Uri(address), Region = region };

    private static Outbound To(PeerOptions peer, ResidencyGate? gate = null, ServiceIdentity? identity = null)
    {
        var judge = gate ?? TestDeclaration.Gate(null, peer);
        return new Outbound([peer], identity, judge, new NameResolver([], judge));
    }

    [Fact]
    public void A_peer_that_configuration_does_not_name_is_never_connected_to()
    {
        using var outbound = To(Peer("http://127.0.0.1:9"));
        Assert.Throws<UndeclaredPeerException>(() => outbound.Client("other"));
    }

    [Theory]
    [InlineData("810000", "CN-1")]
    [InlineData("710000", "CN-1")]
    [InlineData("820000", "CN-1")]
    public async Task A_peer_that_is_declared_outside_is_refused_by_the_rule(string region, string rule)
    {
        using var outbound = To(Peer("http://127.0.0.1:9", region));
        var refused = await Assert.ThrowsAsync<PlaceRefusedException>(() => outbound.Client("peer").GetAsync("/"));
        Assert.Equal(rule, refused.Refusal.Rule);
    }

    [Fact]
    public async Task A_peer_that_is_not_declared_or_not_any_more_is_refused_by_name()
    {
        var peer = Peer("http://127.0.0.1:9");
        using var undeclared = To(peer, TestDeclaration.Gate(TestDeclaration.Of(1)));
        Assert.Equal("place-undeclared", (await Assert.ThrowsAsync<PlaceRefusedException>(() => undeclared.Client("peer").GetAsync("/"))).Refusal.Rule);
        var clock = new ManualClock(TimeProvider.System.GetUtcNow());
        using var expiring = To(peer, TestDeclaration.Gate(clock, peer));
        await Assert.ThrowsAsync<HttpRequestException>(() => expiring.Client("peer").GetAsync("/"));
        clock.Advance(TimeSpan.FromDays(370));
        Assert.Equal("place-expired", (await Assert.ThrowsAsync<PlaceRefusedException>(() => expiring.Client("peer").GetAsync("/"))).Refusal.Rule);
    }

    [Theory]
    [InlineData("10.0.0.0/8", "510000")]
    [InlineData("127.0.0.0/8", "810000")]
    public async Task An_address_in_no_declared_network_or_in_one_outside_is_not_connected_to(string network, string region)
    {
        var peer = Peer("http://localhost:9");
        var declaration = TestDeclaration.Of(1, ResidencyGate.Draft(UsedPlace.Peer(peer), 0, "510000", TimeProvider.System.GetUtcNow().AddDays(1)));
        using var outbound = To(peer, TestDeclaration.Gate(declaration with { Networks = [TestDeclaration.Network(network, region)] }));
        var refused = await Assert.ThrowsAnyAsync<HttpRequestException>(() => outbound.Client("peer").GetAsync("/"));
        Assert.Contains("no address in a declared network", refused.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Telemetry_is_held_to_its_receivers_place_and_to_the_peers_at_that_address()
    {
        var peer = Peer("http://127.0.0.1:9");
        var clock = new ManualClock(TimeProvider.System.GetUtcNow());
        var declaration = TestDeclaration.Of(
            1, ResidencyGate.Draft(UsedPlace.Peer(peer), 0, "510000", clock.GetUtcNow().AddDays(9)), ResidencyGate.Draft(UsedPlace.Telemetry(peer.Address), 1, "510000", clock.GetUtcNow().AddDays(1)));
        using var outbound = To(peer, TestDeclaration.Gate(declaration, clock));
        Assert.IsNotType<PlaceRefusedException>(await Assert.ThrowsAnyAsync<HttpRequestException>(() => outbound.TelemetryClient(peer.Address).GetAsync("/")));
        clock.Advance(TimeSpan.FromDays(2));
        Assert.Equal("place-expired", (await Assert.ThrowsAsync<PlaceRefusedException>(() => outbound.TelemetryClient(peer.Address).GetAsync("/"))).Refusal.Rule);
        // Who else is at that address is still reached.
        Assert.IsNotType<PlaceRefusedException>(await Assert.ThrowsAnyAsync<HttpRequestException>(() => outbound.Client("peer").GetAsync("/")));
    }

    [Fact]
    public async Task A_name_is_asked_of_no_one_where_no_resolver_is_configured()
    {
        await using var service = await TestService.Start(new TestService.Wish { Routes = () => new RouteTable() });
        using var outbound = To(Peer("https://registry.example"), identity: service.Services.GetRequiredService<ServiceIdentity>());
        var refused = await Assert.ThrowsAnyAsync<HttpRequestException>(() => outbound.Client("peer").GetAsync("/"));
        Assert.Contains("names no resolver to ask", refused.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_peer_that_hangs_up_at_any_instant_is_a_failed_request_and_nothing_else()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var stop = new CancellationTokenSource();
        var hangUp = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                using var accepted = await listener.AcceptSocketAsync(stop.Token);
                accepted.LingerState = new LingerOption(true, 0); // As a killed process does: a reset, not a farewell.
            }
        });
        using var outbound = To(Peer($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"));
        for (var i = 0; i < 1_000; i++)
        {
            await Assert.ThrowsAsync<HttpRequestException>(() => outbound.Client("peer").GetAsync("x", TestContext.Current.CancellationToken));
        }

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => hangUp);
    }

    [Fact]
    public async Task An_answer_without_end_is_given_up_and_not_gathered_in_memory()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var endless = builder.Build();
        endless.MapGet("/x", async context =>
        {
            while (!context.RequestAborted.IsCancellationRequested)
            {
                await context.Response.Body.WriteAsync(new byte[1024 * 1024], context.RequestAborted);
            }
        });
        await endless.StartAsync(TestContext.Current.CancellationToken);
        using var outbound = To(Peer(endless.Urls.First()));
        await Assert.ThrowsAsync<HttpRequestException>(() => outbound.Client("peer").GetByteArrayAsync("x", TestContext.Current.CancellationToken));
        await Assert.ThrowsAsync<HttpRequestException>(() => outbound.Client("peer").GetAsync("x", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_request_to_another_address_through_a_declared_peers_client_is_refused()
    {
        using var outbound = To(Peer("http://127.0.0.1:9"));
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => outbound.Client("peer").GetAsync("http://127.0.0.2:9/"));
        Assert.Contains("is not the declared address", refused.ToString(), StringComparison.Ordinal);
    }
}
