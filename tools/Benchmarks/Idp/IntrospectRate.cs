using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Trust.Benchmarks.Load;

namespace Trust.Benchmarks.Idp;

/// <summary><c>idp.introspect</c>: a resource server asks about tokens over kept mutual TLS connections; a hundred tokens of systems, each asked about many times.</summary>
internal static class IntrospectRate
{
    /// <summary>Name of the row.</summary>
    public const string Name = "idp.introspect";

    /// <summary>What it should reach.</summary>
    public const string Target = "≥10,000/s";
    private const int Connections = 32;
    private const int Tokens = 100;

    /// <summary>Measures over HTTPS.</summary>
    public static async Task<Row> Measure(BenchRun run, CancellationToken ct)
    {
        var world = await run.World(ct);
        var (clients, sign) = (world.Installation.Addresses.Clients, world.Installation.Addresses.Sign);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var made = new CertificateRequest("CN=bench", key, HashAlgorithmName.SHA256).CreateSelfSigned(TimeProvider.System.GetUtcNow().AddMinutes(-5), TimeProvider.System.GetUtcNow().AddDays(1));
        using var certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
        await Register(run, world, certificate, key, ct);
        var system = world.Client("his-shuan");
        var requests = new List<byte[]>();
        for (var i = 0; i < Tokens; i++)
        {
            var token = await system.OwnToken("validate", sign, ct);
            requests.Add(WireConnection.Post(new Uri(clients), "/introspect", "application/x-www-form-urlencoded", $"client_id=bench-resource&token={token}"));
        }

        await using var lane = await Lane.Open(clients, world.Installation.RootFile, Connections, ct, certificate);
        var answer = Lane.Expect(await (await WireConnection.Open(new Uri(clients), world.Installation.RootFile, ct, certificate)).Send(requests[0], ct), 200);
        if (!JsonNode.Parse(answer.Body)!["active"]!.GetValue<bool>())
        {
            throw new InvalidOperationException("The token does not count, so the figure would be another's.");
        }

        var time = new ProcessorTime(world.Installation);
        await lane.Send(new Supply(requests, again: true), run.Slice, 200, ct);
        var value = await time.Over(() => lane.Send(new Supply(requests, again: true), run.Slice, 200, ct));
        return new Row(Name, value.Rate, "/s", null, "", Target, value.Rate >= 10_000,
            string.Create(CultureInfo.InvariantCulture, $"{Connections} connections, {Tokens} tokens; {time}"));
    }

    private static async Task Register(BenchRun run, Cli.Demo.World world, X509Certificate2 certificate, ECDsa key, CancellationToken ct)
    {
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        var file = Path.Combine(run.Scratch("clients"), "bench-resource.json");
        await File.WriteAllTextAsync(file, new JsonArray(new JsonObject
        {
            ["client_id"] = "bench-resource", ["name_zh"] = "压测", ["name_en"] = "Load", ["profile"] = "standard", ["grant_types"] = new JsonArray(), ["scopes"] = new JsonArray(),
            ["resources"] = new JsonArray(world.Installation.Addresses.Sign), ["role"] = "resource-server", ["region"] = "510000", ["token_endpoint_auth_method"] = "self_signed_tls_client_auth",
            ["jwks"] = new JsonObject
            {
                ["keys"] = new JsonArray(new JsonObject
                {
                    ["kty"] = "EC", ["crv"] = "P-256", ["kid"] = "tls", ["x"] = Base64Url.EncodeToString(point.X), ["y"] = Base64Url.EncodeToString(point.Y),
                    ["x5c"] = new JsonArray(Convert.ToBase64String(certificate.RawData)),
                }),
            },
        }).ToJsonString(), ct);
        await world.Installation.Services["idp"].Verb("import-clients", ["--file", file], ct);
    }
}
