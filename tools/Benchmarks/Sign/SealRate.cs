using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Trust.Benchmarks.Load;

namespace Trust.Benchmarks.Sign;

/// <summary><c>sign.p256</c>: an institution's system has documents sealed over HTTPS; the ledger confirms each intent before the token signs, each result is committed.</summary>
internal static class SealRate
{
    /// <summary>Name of the row.</summary>
    public const string Name = "sign.p256";

    /// <summary>What it should reach.</summary>
    public const string Target = "≥1,500/s";
    private const int Connections = 128;

    /// <summary>Measures, interleaved with raw C_Sign on a token of the same kind.</summary>
    public static async Task<Row> Measure(BenchRun run, CancellationToken ct)
    {
        var world = await run.World(ct);
        var (sign, institution) = (world.Installation.Addresses.Sign, world.Institutions[0]);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var client = await run.Register(world, new JsonObject
        {
            ["client_id"] = "bench-seal", ["name_zh"] = "压测", ["name_en"] = "Load", ["profile"] = "standard", ["grant_types"] = new JsonArray("client_credentials"),
            ["scopes"] = new JsonArray("seal"), ["resources"] = new JsonArray(sign), ["role"] = "hospital-system", ["institution"] = institution, ["region"] = "510000",
        }, key, ct);
        var token = await client.OwnToken("seal", sign, ct);
        var path = $"/seals/{institution}/signatures";
        byte[] Request() => WireConnection.Post(new Uri(sign), path, "application/json", $$"""{"payload":"{{Convert.ToBase64String(RandomNumberGenerator.GetBytes(1024))}}"}""",
            $"Authorization: Bearer {token}\r\nIdempotency-Key: {Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16))}\r\n");

        await using var lane = await Lane.Open(sign, world.Installation.RootFile, Connections, ct);
        await using var raw = await BenchRun.RawToken(world, ct);
        async Task Seal(WireConnection connection) => Lane.Expect(await connection.Send(Request(), ct), 200);
        await lane.Run(run.Slice * 3, Seal, ct); // Warm-up: the runtime compiles the hot paths anew while two processors are busy.
        var (value, reference, time) = (default(Slice), default(Slice), new ProcessorTime(world.Installation));
        for (var i = 0; i < 2; i++)
        {
            value += await time.Over(() => lane.Run(run.Slice, Seal, ct));
            reference += await RawSignatures.Run(raw, run.Slice, ct);
        }

        return new Row(Name, value.Rate, "/s", reference.Rate, "raw C_Sign", Target, value.Rate >= 1500,
            string.Create(CultureInfo.InvariantCulture, $"{Connections} connections, documents of 1 KiB, time-stamped; {time}"));
    }
}
