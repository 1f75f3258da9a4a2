using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Trust.Kernel.Residency;
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
        var peer = new PeerOptions { Name = "peer", Address = new Uri($"http://registry.example:{new Uri(server.Urls.First()).Port}"), Region = "510000" };
        using var outbound = new Outbound([peer], null, TestDeclaration.Gate(null, peer), new NameResolver([dns.Address]));
        Assert.Equal("here", await Get(outbound));
        var refused = await Assert.ThrowsAnyAsync<HttpRequestException>(() => Get(outbound));
        Assert.Contains("no address in a declared network", refused.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_address_inside_among_some_outside_is_the_one_connected_to()
    {
        await using var server = await Server();
        await using var dns = new StubResolver(IPAddress.Parse("203.0.113.41"), IPAddress.Loopback) { AllAtOnce = true };
        var peer = new PeerOptions { Name = "peer", Address = new Uri($"http://registry.example:{new Uri(server.Urls.First()).Port}"), Region = "510000" };
        using var outbound = new Outbound([peer], null, TestDeclaration.Gate(null, peer), new NameResolver([dns.Address]));
        Assert.Equal("here", await Get(outbound));
    }

    private static async Task<string> Get(Outbound outbound)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "x");
        // A connection of its own each time: the name is asked anew.
        request.Headers.ConnectionClose = true;
        using var answer = await outbound.Client("peer").SendAsync(request, TestContext.Current.CancellationToken);
        return await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
    }

    private static async Task<WebApplication> Server()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = builder.Build();
        server.MapGet("/x", () => "here");
        await server.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    /// <summary>Answers queries for A with one address after the other, or with all, and for AAAA with none (RFC 1035 4.1).</summary>
    private sealed class StubResolver : IAsyncDisposable
    {
        private readonly UdpClient _socket = new(new IPEndPoint(IPAddress.Loopback, 0));
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _serving;
        private int _asked;

        public StubResolver(params IPAddress[] answers) => _serving = Serve(answers);

        public bool AllAtOnce { get; init; }

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
