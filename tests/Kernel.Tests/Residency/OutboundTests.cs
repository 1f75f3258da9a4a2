using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;

namespace Trust.Kernel.Tests.Residency;

public sealed class OutboundTests
{
    private static PeerOptions Peer(string address, string region = "510000", params string[] networks) => new() { Name = "peer", Address = new Uri(address), Region = region, Networks = networks };

    [Fact]
    public void A_peer_that_is_not_declared_is_never_connected_to()
    {
        using var outbound = new Outbound([Peer("http://127.0.0.1:9")], null);
        Assert.Throws<UndeclaredPeerException>(() => outbound.Client("other"));
    }

    [Theory]
    [InlineData("810000")]
    [InlineData("710000")]
    [InlineData("820000")]
    [InlineData("999999")]
    [InlineData("51")]
    public void A_peer_outside_the_mainland_or_in_an_unknown_region_stops_the_start(string region) =>
        Assert.Throws<UndeclaredPeerException>(() => new Outbound([Peer("http://127.0.0.1:9", region)], null));

    [Fact]
    public void A_host_name_without_declared_networks_stops_the_start() =>
        Assert.Throws<UndeclaredPeerException>(() => new Outbound([Peer("http://registry.example")], null));

    [Fact]
    public async Task A_host_name_that_resolves_outside_its_declared_networks_is_refused()
    {
        using var outbound = new Outbound([Peer("http://localhost:9", "510000", "10.0.0.0/8")], null);
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => outbound.Client("peer").GetAsync("/"));
        Assert.Contains("inside the networks declared", refused.ToString(), StringComparison.Ordinal);
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
        using var outbound = new Outbound([Peer($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}")], null);
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
        using var outbound = new Outbound([Peer(endless.Urls.First())], null);
        await Assert.ThrowsAsync<HttpRequestException>(() => outbound.Client("peer").GetByteArrayAsync("x", TestContext.Current.CancellationToken));
        await Assert.ThrowsAsync<HttpRequestException>(() => outbound.Client("peer").GetAsync("x", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_request_to_another_address_through_a_declared_peers_client_is_refused()
    {
        using var outbound = new Outbound([Peer("http://127.0.0.1:9")], null);
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => outbound.Client("peer").GetAsync("http://127.0.0.2:9/"));
        Assert.Contains("is not the declared address", refused.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_database_outside_is_not_opened() => Assert.Throws<UndeclaredPeerException>(() => Outbound.Database(new DatabaseOptions
    {
        ConnectionString = "Host=127.0.0.1", PasswordFile = "none", Schema = "ca", Region = "810000",
    }));
}
