using System.Globalization;
using Trust.Benchmarks.Load;
using Trust.Crypto.Asn1;

namespace Trust.Benchmarks.CA;

/// <summary><c>ca.ocsp</c>: OCSP by GET from the per-serial cache, interleaved with Kestrel answering static bytes of the same size.</summary>
internal static class OcspRate
{
    /// <summary>Name of the row.</summary>
    public const string Name = "ca.ocsp";

    /// <summary>What it should reach.</summary>
    public const string Target = "≥50 % of Kestrel's static answer";
    private const int Connections = 64;

    /// <summary>Measures over plain HTTP, as relying parties ask.</summary>
    public static async Task<Row> Measure(BenchRun run, CancellationToken ct)
    {
        var world = await run.World(ct);
        var address = new Uri(world.Installation.Addresses.Public);
        var issuer = Certificate.ParsePem(await File.ReadAllTextAsync(Path.Combine(world.Installation.PublicDirectory, "practitioner-issuing.pem"), ct))[0];
        var requests = new[] { world.Physician.Authentication, world.Physician.Signature }
            .Select(c => new OcspRequest([CertificateId.Of(issuer, c.SerialNumber)], null).Encode())
            .Select(der => WireConnection.Get(address, "/ocsp/" + Uri.EscapeDataString(Convert.ToBase64String(der)))).ToList();
        int size;
        await using (var probe = await WireConnection.Open(address, null, ct))
        {
            size = Lane.Expect(await probe.Send(requests[0], ct), 200).Body.Length;
        }

        await using var yardstick = await StaticAnswer.Start(size, ct);
        await using var ours = await Lane.Open(world.Installation.Addresses.Public, null, Connections, ct);
        await using var theirs = await Lane.Open(yardstick.Url, null, Connections, ct);
        var (supply, plain) = (new Supply(requests, again: true), new Supply([WireConnection.Get(new Uri(yardstick.Url), "/")], again: true));
        await ours.Send(supply, run.Slice, 200, ct); // Warm-up.
        await theirs.Send(plain, run.Slice, 200, ct);
        var (value, reference) = (default(Slice), default(Slice));
        for (var i = 0; i < 2; i++)
        {
            value += await ours.Send(supply, run.Slice, 200, ct);
            reference += await theirs.Send(plain, run.Slice, 200, ct);
        }

        return new Row(Name, value.Rate, "/s", reference.Rate, "static answer", Target, value.Rate >= 0.5 * reference.Rate,
            string.Create(CultureInfo.InvariantCulture, $"{size} bytes, {Connections} connections"));
    }
}
