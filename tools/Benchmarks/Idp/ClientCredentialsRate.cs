using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Trust.Benchmarks.Load;
using Trust.Cli.Demo;

namespace Trust.Benchmarks.Idp;

/// <summary><c>idp.clientcredentials</c>: tokens for a system proved by <c>private_key_jwt</c>, assertions made beforehand, every row committed.</summary>
internal static class ClientCredentialsRate
{
    /// <summary>Name of the row.</summary>
    public const string Name = "idp.clientcredentials";

    /// <summary>What it should reach.</summary>
    public const string Target = "≥1,500/s and not below the peer";
    private const int Connections = 64;

    /// <summary>Measures, interleaved with the peer when it can be had.</summary>
    public static async Task<Row> Measure(BenchRun run, CancellationToken ct)
    {
        var world = await run.World(ct);
        var (idp, sign) = (world.Installation.Addresses.Idp, world.Installation.Addresses.Sign);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var client = await run.Register(world, new JsonObject
        {
            ["client_id"] = "bench", ["name_zh"] = "压测", ["name_en"] = "Load", ["profile"] = "standard", ["grant_types"] = new JsonArray("client_credentials"),
            ["scopes"] = new JsonArray("validate"), ["resources"] = new JsonArray(sign), ["role"] = "hospital-system", ["institution"] = world.Institutions[0], ["region"] = "510000",
        }, key, ct);
        var (peer, why) = await Peer.TryStart(run, ct);
        await using var stopped = peer;
        await using var ours = await Lane.Open(idp, world.Installation.RootFile, Connections, ct);
        await using var theirs = peer is null ? null : await Lane.Open(peer.Url, peer.RootFile, Connections, ct);
        for (var i = 0; i < 3; i++)
        {
            // Warm-up: the runtime compiles the hot paths anew while two processors are busy.
            await ours.Send(Requests(run, client, idp, sign), run.Slice, 200, ct);
        }

        var (value, reference, time) = (default(Slice), default(Slice), new ProcessorTime(world.Installation));
        for (var i = 0; i < 2; i++)
        {
            var requests = Requests(run, client, idp, sign);
            value += await time.Over(() => ours.Send(requests, run.Slice, 200, ct));
            if (theirs is not null)
            {
                if (i == 0)
                {
                    await theirs.Send(Requests(run, peer!.Client, peer.Url, sign), run.Slice, 200, ct); // Warm-up.
                }

                reference += await theirs.Send(Requests(run, peer!.Client, peer.Url, sign), run.Slice, 200, ct);
            }
        }

        return new Row(Name, value.Rate, "/s", peer is null ? null : reference.Rate, peer is null ? "" : "npm oidc-provider", Target,
            value.Rate >= 1500 && peer is not null && value.Rate >= reference.Rate,
            peer is null ? $"{why}; {time}" : string.Create(CultureInfo.InvariantCulture, $"{Connections} connections; {time}; the peer keeps its tokens in memory"));
    }

    // Enough for the slice at several times the target; an assertion counts once and lives a minute, so they are made just before.
    private static Supply Requests(BenchRun run, OAuthClient client, string issuer, string resource)
    {
        var requests = new byte[(int)(run.Slice.TotalSeconds * 4000)][];
        Parallel.For(0, requests.Length, i => requests[i] = WireConnection.Post(new Uri(issuer), "/token", "application/x-www-form-urlencoded",
            $"grant_type=client_credentials&scope=validate&resource={Uri.EscapeDataString(resource)}&{TokenForm.Authentication(client, issuer)}"));
        return new Supply(requests);
    }
}

/// <summary>Parts of token requests.</summary>
internal static class TokenForm
{
    /// <summary>The two fields of <c>private_key_jwt</c>.</summary>
    public static string Authentication(OAuthClient client, string issuer) =>
        $"client_id={client.ClientId}&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={client.Assertion(issuer)}";
}
