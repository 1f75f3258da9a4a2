using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.Kernel.Tests.Hosting;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Residency;

/// <summary>Names are asked of declared resolvers, and what they answer is believed only as far as the declared networks.</summary>
public sealed class NameResolverTests
{
    [Fact]
    public async Task A_name_that_resolves_inside_at_first_and_outside_later_is_connected_to_at_first_only()
    {
        await using var server = await Server();
        await using var dns = new StubResolver(IPAddress.Loopback, IPAddress.Parse("203.0.113.40"));
        using var outbound = To(server, dns);
        Assert.Equal("here", await Get(outbound));
        var refused = await Assert.ThrowsAnyAsync<HttpRequestException>(() => Get(outbound));
        Assert.Contains("no address in a declared network", refused.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_address_inside_among_some_outside_is_the_one_connected_to()
    {
        await using var server = await Server();
        await using var dns = new StubResolver(IPAddress.Parse("203.0.113.41"), IPAddress.Loopback) { AllAtOnce = true };
        using var outbound = To(server, dns);
        Assert.Equal("here", await Get(outbound));
    }

    [Fact]
    public async Task A_resolver_that_is_not_declared_or_not_any_more_is_not_asked_and_the_next_one_is()
    {
        await using var undeclared = new StubResolver(IPAddress.Parse("203.0.113.42"));
        await using var ending = new StubResolver(IPAddress.Loopback);
        await using var lasting = new StubResolver(IPAddress.Loopback);
        var clock = new ManualClock(TimeProvider.System.GetUtcNow());
        var places = new[] { (ending, 1), (lasting, 3) }.Select((r, i) => ResidencyGate.Draft(UsedPlace.Resolver(r.Item1.Address), i, "510000", clock.GetUtcNow().AddDays(r.Item2))).ToList();
        var resolver = new NameResolver([undeclared.Address, ending.Address, lasting.Address], TestDeclaration.Gate(TestDeclaration.Of(1, places), clock));
        Assert.Equal([IPAddress.Loopback], await resolver.Resolve("one.example", TestContext.Current.CancellationToken));
        Assert.Equal((0, true), (undeclared.Asked, ending.Asked + lasting.Asked > 0));
        var (before, then) = (ending.Asked, lasting.Asked);
        clock.Advance(TimeSpan.FromDays(2));
        Assert.Equal([IPAddress.Loopback], await resolver.Resolve("two.example", TestContext.Current.CancellationToken));
        Assert.Equal((0, before, true), (undeclared.Asked, ending.Asked, lasting.Asked > then));
        clock.Advance(TimeSpan.FromDays(2));
        var refused = await Assert.ThrowsAsync<PlaceRefusedException>(() => resolver.Resolve("three.example", TestContext.Current.CancellationToken));
        Assert.Equal("place-undeclared", refused.Refusal.Rule);
    }

    private static Outbound To(TestService server, StubResolver dns)
    {
        var peer = new PeerOptions { Name = "test", Address = new Uri($"https://registry.example:{server.Addresses[0].Port}"), Region = "510000" };
        var expires = TimeProvider.System.GetUtcNow().AddDays(1);
        var gate = TestDeclaration.Gate(TestDeclaration.Of(1, ResidencyGate.Draft(UsedPlace.Peer(peer), 0, "510000", expires), ResidencyGate.Draft(UsedPlace.Resolver(dns.Address), 1, "510000", expires)));
        return new Outbound([peer], server.Services.GetRequiredService<ServiceIdentity>(), gate, new NameResolver([dns.Address], gate));
    }

    private static async Task<string> Get(Outbound outbound)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "x");
        // A connection of its own each time: the name is asked anew.
        request.Headers.ConnectionClose = true;
        using var answer = await outbound.Client("test").SendAsync(request, TestContext.Current.CancellationToken);
        return await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
    }

    private static Task<TestService> Server() => TestService.Start(new TestService.Wish
    {
        Routes = () => new RouteTable().Get("/x", Who.Anyone, Limit.None, () => TypedResults.Text("here"), "Here."),
        Listen = new JsonObject { ["A"] = new JsonObject { ["Url"] = "https://127.0.0.1:0" } },
    });

    /// <summary>Answers queries for A with one address after the other, or with all, and for AAAA with none (RFC 1035 4.1).</summary>
    private sealed class StubResolver : IAsyncDisposable
    {
        private readonly UdpClient _socket = new(new IPEndPoint(IPAddress.Loopback, 0));
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _serving;
        private int _asked;
        private int _questions;

        public StubResolver(params IPAddress[] answers) => _serving = Serve(answers);

        public bool AllAtOnce { get; init; }

        /// <summary>Questions of either kind that came.</summary>
        public int Asked => Volatile.Read(ref _questions);

        public string Address => _socket.Client.LocalEndPoint!.ToString()!;

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _socket.Dispose();
            _stop.Dispose();
        }

        private async Task Serve(IPAddress[] answers)
        {
            while (true)
            {
                var query = await _socket.ReceiveAsync(_stop.Token);
                Interlocked.Increment(ref _questions);
                var question = query.Buffer.AsMemory(12);
                var end = 0;
                while (question.Span[end] != 0)
                {
                    end += question.Span[end] + 1;
                }

                question = question[..(end + 5)];
                var isA = question.Span[end + 2] == 1;
                IPAddress[] given = !isA ? [] : AllAtOnce ? answers : [answers[Math.Min(_asked++, answers.Length - 1)]];
                // Header of a response without error, the question, and for each address: pointer to the name, A, IN, no time to live, four bytes.
                byte[] answer = [query.Buffer[0], query.Buffer[1], 0x81, 0x80, 0, 1, 0, (byte)given.Length, 0, 0, 0, 0, .. question.Span, .. given.SelectMany(a => (byte[])[0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, .. a.GetAddressBytes()])];
                await _socket.SendAsync(answer, query.RemoteEndPoint, _stop.Token);
            }
        }
    }
}
