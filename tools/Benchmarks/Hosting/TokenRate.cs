using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.Benchmarks.Idp;
using Trust.Benchmarks.Load;

namespace Trust.Benchmarks.Hosting;

/// <summary><c>api.token</c>: what an access token costs at an API's door: requests with a token seen before, with one never seen, and with none, by turns.</summary>
internal static class TokenRate
{
    /// <summary>Name of the row.</summary>
    public const string Name = "api.token";

    /// <summary>What it should reach.</summary>
    public const string Target = "a known token ≤0.08 ms of processor";
    private const double MostMilliseconds = 0.08;
    private const int Connections = 64;
    private const int Turns = 3;
    private const int NewTokens = 2000;

    /// <summary>Measures; tokens come from the running provider.</summary>
    public static async Task<Row> Measure(BenchRun run, CancellationToken ct)
    {
        var world = await run.World(ct);
        await using var host = await TokenAnswer.Start(world.Installation.Services["sign"].Configuration, run.Scratch("token-answer"), ct);
        var tokens = await Tokens(run, (Turns * NewTokens) + 1, ct);
        var none = new Supply([WireConnection.Get(host.Url, TokenAnswer.WithoutToken)], again: true);
        var known = new Supply([WithToken(host.Url, tokens[^1])], again: true);
        await using var lane = await Lane.Open(host.Url.ToString(), null, Connections, ct);
        var (without, with, first) = (new Cost(), new Cost(), new Cost());
        for (var turn = 0; turn < Turns; turn++)
        {
            var unseen = new Supply([.. tokens.Skip(turn * NewTokens).Take(NewTokens).Select(t => WithToken(host.Url, t))]);
            // The first turn warms up.
            await (turn == 0 ? new Cost() : without).Over(host, () => lane.Send(none, run.Slice, 204, ct));
            await (turn == 0 ? new Cost() : with).Over(host, () => lane.Send(known, run.Slice, 204, ct));
            await (turn == 0 ? new Cost() : first).Over(host, () => lane.Send(unseen, run.Slice, 204, ct));
        }

        var extra = with.Milliseconds - without.Milliseconds;
        return new Row(Name, with.Rate, "/s", without.Rate, "no token", Target, extra <= MostMilliseconds, string.Create(CultureInfo.InvariantCulture,
            $"processor time a request: none {without.Milliseconds:F3} ms, a known token {extra:F3} more, a new one {first.Milliseconds - without.Milliseconds:F3} more ({first.Rate:N0}/s); {Connections} connections"));
    }

    private static byte[] WithToken(Uri address, string token) => WireConnection.Get(address, TokenAnswer.WithToken, $"Authorization: Bearer {token}\r\n");

    private static async Task<IReadOnlyList<string>> Tokens(BenchRun run, int count, CancellationToken ct)
    {
        var world = await run.World(ct);
        var (idp, sign) = (world.Installation.Addresses.Idp, world.Installation.Addresses.Sign);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var client = await run.Register(world, new JsonObject
        {
            ["client_id"] = "bench-api", ["name_zh"] = "压测", ["name_en"] = "Load", ["profile"] = "standard", ["grant_types"] = new JsonArray("client_credentials"),
            ["scopes"] = new JsonArray(TokenAnswer.Scope), ["resources"] = new JsonArray(sign), ["role"] = "hospital-system", ["institution"] = world.Institutions[0], ["region"] = "510000",
        }, key, ct);
        await using var lane = await Lane.Open(idp, world.Installation.RootFile, Connections, ct);
        var tokens = new ConcurrentBag<string>();
        // A token is refused with more than five minutes left or none: they are made just before.
        await lane.Run(TimeSpan.FromMinutes(2), async connection =>
        {
            if (tokens.Count >= count)
            {
                throw new SupplyEndedException();
            }

            var answer = await connection.Send(WireConnection.Post(new Uri(idp), "/token", "application/x-www-form-urlencoded",
                $"grant_type=client_credentials&scope={TokenAnswer.Scope}&resource={Uri.EscapeDataString(sign)}&{TokenForm.Authentication(client, idp)}"), ct);
            tokens.Add(JsonDocument.Parse(Lane.Expect(answer, 200).Body).RootElement.GetProperty("access_token").GetString()!);
        }, ct);
        return [.. tokens];
    }

    private sealed class Cost
    {
        private Slice _slice;
        private TimeSpan _processor;

        public double Rate => _slice.Rate;

        public double Milliseconds => _processor.TotalMilliseconds / _slice.Done;

        public async Task Over(TokenAnswer host, Func<Task<Slice>> slice)
        {
            var from = host.ProcessorTime;
            _slice += await slice();
            _processor += host.ProcessorTime - from;
        }
    }
}
