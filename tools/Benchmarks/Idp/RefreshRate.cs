using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Trust.Benchmarks.Load;
using Trust.Cli.Demo;
using Trust.Cli.Local;

namespace Trust.Benchmarks.Idp;

/// <summary>
/// <c>idp.refresh</c>: access and ID tokens by refresh token, for a client proved by <c>private_key_jwt</c>; live entitlement asked, every row and event committed. The peer does the
/// same in memory.
/// </summary>
internal static class RefreshRate
{
    /// <summary>Name of the row.</summary>
    public const string Name = "idp.refresh";

    /// <summary>What it should reach.</summary>
    public const string Target = "≥2,232/s and not below the peer";
    private const int Connections = 64;

    /// <summary>Measures, interleaved with the peer when it can be had.</summary>
    public static async Task<Row> Measure(BenchRun run, CancellationToken ct)
    {
        var world = await run.World(ct);
        var idp = world.Installation.Addresses.Idp;
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var client = await run.Register(world, new JsonObject
        {
            ["client_id"] = "bench-refresh", ["name_zh"] = "压测", ["name_en"] = "Load", ["profile"] = "standard", ["grant_types"] = new JsonArray("authorization_code", "refresh_token"),
            ["redirect_uris"] = new JsonArray(BenchRun.Redirect), ["scopes"] = new JsonArray("openid", "rx.read"), ["resources"] = new JsonArray(world.Installation.Addresses.Sign),
            ["institution"] = world.Institutions[0], ["region"] = "510000",
        }, key, ct);
        var token = await Granted(world, client, ct);
        var (peer, why) = await Peer.TryStart(run, ct);
        await using var stopped = peer;
        await using var ours = await Lane.Open(idp, world.Installation.RootFile, Connections, ct);
        await using var theirs = peer is null ? null : await Lane.Open(peer.Url, peer.RootFile, Connections, ct);
        var (value, reference, time) = (default(Slice), default(Slice), new ProcessorTime(world.Installation));
        for (var i = 0; i < 3; i++)
        {
            var requests = Requests(run, client, idp, token);
            // The first is warm-up, of both.
            value += i == 0 ? await Idle(ours.Send(requests, run.Slice, 200, ct)) : await time.Over(() => ours.Send(requests, run.Slice, 200, ct));
            if (theirs is not null)
            {
                var slice = theirs.Send(Requests(run, peer!.Client, peer.Url, peer.RefreshToken), run.Slice, 200, ct);
                reference += i == 0 ? await Idle(slice) : await slice;
            }
        }

        return new Row(Name, value.Rate, "/s", peer is null ? null : reference.Rate, peer is null ? "" : "npm oidc-provider", Target,
            value.Rate >= 2232 && peer is not null && value.Rate >= reference.Rate,
            peer is null ? $"{why}; {time}" : string.Create(CultureInfo.InvariantCulture, $"{Connections} connections, one family; {time}; the peer keeps its tokens in memory"));
    }

    private static async Task<Slice> Idle(Task<Slice> slice)
    {
        await slice;
        return default;
    }

    private static async Task<string> Granted(World world, OAuthClient client, CancellationToken ct)
    {
        var card = await world.Pharmacist.ForTls(Card.AuthenticationKey, ct);
        if (await client.Authorize(card, BenchRun.Redirect, "openid rx.read", world.Institutions[0], world.Installation.Addresses.Sign, ct) is not AuthorizeResult.Answered answered)
        {
            throw new InvalidOperationException("The login was refused.");
        }

        using var http = Cli.Local.Connections.Client(world.Installation.RootFile);
        var answer = await client.Token(http, [new("grant_type", "authorization_code"), new("code", answered.Code), new("redirect_uri", BenchRun.Redirect), new("code_verifier", answered.Verifier)], ct);
        return answer.Expect("/token")["refresh_token"]!.GetValue<string>();
    }

    private static Supply Requests(BenchRun run, OAuthClient client, string issuer, string token)
    {
        var requests = new byte[(int)(run.Slice.TotalSeconds * 4000)][];
        Parallel.For(0, requests.Length, i => requests[i] = WireConnection.Post(new Uri(issuer), "/token", "application/x-www-form-urlencoded",
            $"grant_type=refresh_token&refresh_token={Uri.EscapeDataString(token)}&{TokenForm.Authentication(client, issuer)}"));
        return new Supply(requests);
    }
}
