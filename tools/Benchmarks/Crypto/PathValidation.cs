using System.Diagnostics;
using System.Globalization;
using Trust.Cli.Local;
using Trust.Crypto.Asn1;

namespace Trust.Benchmarks.Crypto;

/// <summary>
/// <c>path.validate</c>: paths of three certificates, each person's seen for the first time, on one thread, interleaved with
/// <c>openssl verify</c> over the same files in one process.
/// </summary>
internal static class PathValidation
{
    /// <summary>Name of the row.</summary>
    public const string Name = "path.validate";

    /// <summary>What it should reach.</summary>
    public const string Target = "P-256 no slower than openssl verify";
    private const int People = 400;

    /// <summary>Measures both suites; the row is P-256, SM2 stands in its note.</summary>
    public static async Task<Row> Measure(BenchRun run, CancellationToken ct)
    {
        _ = run;
        var (ours, openssl) = await Suite(sm2: false, ct);
        var (sm2, opensslSm2) = await Suite(sm2: true, ct);
        return new Row(Name, ours, "/s", openssl, "openssl verify", Target, ours >= openssl, string.Create(
            CultureInfo.InvariantCulture, $"processor time an act = {1000 / ours:F3} ms; SM2 {sm2:N0}/s, {sm2 / opensslSm2:P0} of openssl verify of the last signature alone ({opensslSm2:N0})"));
    }

    private static async Task<(double Ours, double OpenSsl)> Suite(bool sm2, CancellationToken ct)
    {
        using var chain = await SampleChain.Make(sm2, ct);
        var directory = Directory.CreateTempSubdirectory("trust-bench-");
        try
        {
            List<byte[]> people = [];
            List<string> files = [];
            await File.WriteAllTextAsync(Path.Combine(directory.FullName, "root.pem"), chain.Root.ToPem(), ct);
            await File.WriteAllTextAsync(Path.Combine(directory.FullName, "issuing.pem"), chain.Issuing.ToPem(), ct);
            for (var i = 0; i < People; i++)
            {
                var person = await chain.Person(sm2, i, ct);
                people.Add(person.Der.ToArray());
                files.Add(Path.Combine(directory.FullName, string.Create(CultureInfo.InvariantCulture, $"{i}.pem")));
                await File.WriteAllTextAsync(files[^1], person.ToPem(), ct);
            }

            Validate(chain, people);
            var (ours, openssl) = (TimeSpan.Zero, TimeSpan.Zero);
            for (var round = 0; round < 3; round++)
            {
                var watch = Stopwatch.StartNew();
                Validate(chain, people);
                ours += watch.Elapsed;
                watch.Restart();
                // It takes the signer's identity for the last certificate alone, so of an SM2 path it checks one signature, ours two.
                await Command.Run("openssl", [
                    "verify", .. sm2
                        ? ["-partial_chain", "-CAfile", Path.Combine(directory.FullName, "issuing.pem"), "-vfyopt", "distid:1234567812345678"]
                        : new[] { "-CAfile", Path.Combine(directory.FullName, "root.pem"), "-untrusted", Path.Combine(directory.FullName, "issuing.pem") },
                    .. files], ct);
                openssl += watch.Elapsed;
            }

            return (3 * People / ours.TotalSeconds, 3 * People / openssl.TotalSeconds);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    // From bytes, as a caller has them: openssl parses its files too.
    private static void Validate(SampleChain chain, List<byte[]> people)
    {
        foreach (var der in people)
        {
            var now = TimeProvider.System.GetUtcNow();
            if (CertificatePath.Build(Certificate.Parse(der), [chain.Issuing], [chain.Root], now, CertificateUsage.Signature) is PathOutcome.Refused refused)
            {
                throw new InvalidOperationException($"The path is refused: {refused.Reason}.");
            }
        }
    }
}
