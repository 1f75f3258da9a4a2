using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Trust.Benchmarks.Load;
using Trust.Cli.Demo;
using Trust.Pkcs11;

namespace Trust.Benchmarks.CA;

/// <summary>
/// <c>ca.issue</c>: the first approval is recorded and the second is signed beforehand; measured is its delivery, which judges it, lints, reserves with an
/// intent confirmed by the ledger, signs and records.
/// </summary>
internal static class IssueRate
{
    /// <summary>Name of the row.</summary>
    public const string Name = "ca.issue";

    /// <summary>What it should reach.</summary>
    public const string Target = "≥100/s (P-256 issuer)";
    private const int Callers = 16;

    /// <summary>Measures, interleaved with raw C_Sign on a token of the same kind.</summary>
    public static async Task<Row> Measure(BenchRun run, CancellationToken ct)
    {
        var world = await run.World(ct);
        var each = run.Extended ? 2000 : 300;
        var rows = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(world.Samples, "registry.json"), ct))!;
        var name = rows["practitioners"]![0]!["name"]!.GetValue<string>();
        var approvals = await Prepare(world, name, (each * 2) + 40, ct);
        await using var raw = await BenchRun.RawToken(world, ct);
        var at = -1;
        async Task Issue(int _)
        {
            var (path, approval) = approvals[Interlocked.Increment(ref at)];
            var state = (await world.Officers[2].Api.Send(HttpMethod.Post, path, approval, null, ct)).Expect(path)["state"]!.GetValue<string>();
            if (state != "issued")
            {
                throw new InvalidOperationException($"A certificate was not issued but {state}.");
            }
        }

        await Count(40, Issue, ct); // Warm-up.
        var (value, reference, time) = (default(Slice), default(Slice), new ProcessorTime(world.Installation));
        for (var i = 0; i < 2; i++)
        {
            value += await time.Over(() => Count(each, Issue, ct));
            reference += await RawSignatures.Run(raw, run.Slice, ct);
        }

        return new Row(Name, value.Rate, "/s", reference.Rate, "raw C_Sign", Target, value.Rate >= 100,
            string.Create(CultureInfo.InvariantCulture, $"{value.Done} certificates by {Callers} callers at once; {time}"));
    }

    private static async Task<Slice> Count(int count, Func<int, Task> act, CancellationToken ct)
    {
        var left = count;
        return await Lane.Run(Enumerable.Range(0, Callers).ToList(), TimeSpan.FromMinutes(2),
            worker => Interlocked.Decrement(ref left) < 0 ? throw new SupplyEndedException() : act(worker), ct);
    }

    // As many distinct keys as certificates: a key is asked for once, ever.
    private static async Task<List<(string Path, JsonObject Approval)>> Prepare(World world, string name, int count, CancellationToken ct)
    {
        var prepared = new List<(string, JsonObject)>(count);
        foreach (var chunk in Enumerable.Range(0, count).Chunk(Callers))
        {
            prepared.AddRange(await Task.WhenAll(chunk.Select(async _ =>
            {
                using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
                var pkcs10 = new CertificateRequest(new X500DistinguishedName($"CN={name}, C=CN"), key, HashAlgorithmName.SHA256).CreateSigningRequest();
                var request = await world.Officers[0].RequestCertificate("practitioner-signature", world.Practitioners[0], world.Institutions[0], pkcs10, "bench", ct);
                (await world.Officers[1].Approve(request, ct)).Expect("approval");
                return ($"/certificate-requests/{request["id"]}/approvals", await world.Officers[2].Approval(request, ct));
            })));
        }

        return prepared;
    }
}
