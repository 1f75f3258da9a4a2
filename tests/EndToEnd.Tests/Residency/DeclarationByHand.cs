using System.Globalization;
using Trust.Cli.Local;

namespace Trust.EndToEnd.Tests.Residency;

/// <summary>A declaration as operators and officers make it: drafts of the services, <c>trust residency merge</c>, a signature by each of two cards, ca's verb.</summary>
internal static class DeclarationByHand
{
    private static readonly string Cli = Path.Combine(AppContext.BaseDirectory, "trust-cli.dll");

    /// <summary>Declares what the services' configurations use.</summary>
    /// <param name="installation">Whose.</param>
    /// <param name="reader">Whose card reader this process has: a token module knows one folder a process, so all cards of the run lie there.</param>
    /// <param name="version">The document's version.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task Declare(Installation installation, Installation reader, int version, CancellationToken ct)
    {
        var folder = System.IO.Directory.CreateDirectory(Path.Combine(installation.Directory, "by-hand")).FullName;
        var drafts = new List<string>();
        foreach (var (name, service) in installation.Services)
        {
            drafts.Add(Path.Combine(folder, name + ".json"));
            await File.WriteAllTextAsync(drafts[^1], await service.Verb("places", [], ct), ct);
        }

        var (evidence, document) = (Path.Combine(folder, "contract.txt"), Path.Combine(folder, "declaration.json"));
        await File.WriteAllTextAsync(evidence, "机房合同", ct);
        await Run(
            [
                "residency", "merge", .. drafts, "--version", version.ToString(CultureInfo.InvariantCulture), "--attester", "示范机房", "--evidence", evidence,
                "--expires", TimeProvider.System.GetUtcNow().AddYears(1).ToString("O"), "--network", "127.0.0.0/8=510000", "--network", "::1/128=510000",
                "--neighbour", "500000:sign=https://127.50.0.4:7003", "--neighbour", "500000:ledger=https://127.50.0.5:7004", "--out", document,
            ],
            reader, ct);
        var signed = document;
        foreach (var label in installation.Officers.Take(2))
        {
            var next = Path.Combine(folder, label + ".jws");
            var shown = await Run(
                [
                    "residency", "sign", signed, "--module", SoftHsm.InstalledModule!, "--token", label, "--pin-file", Path.Combine(reader.CardDirectory, label, "pin"),
                    "--certificate", Path.Combine(installation.CardDirectory, label, "signature.pem"), "--out", next,
                ],
                reader, ct);
            // Whoever signs has seen what.
            Assert.Contains("\"region\": \"510000\"", shown, StringComparison.Ordinal);
            Assert.Contains("https://127.50.0.4:7003", shown, StringComparison.Ordinal);
            signed = next;
        }

        await installation.Services["ca"].Verb("residency", ["--file", signed], ct);
    }

    private static Task<string> Run(IReadOnlyList<string> arguments, Installation reader, CancellationToken ct) => Command.Run(
        ServiceProcess.DotnetHost(), [Cli, .. arguments], ct,
        environment: new Dictionary<string, string>(StringComparer.Ordinal) { ["SOFTHSM2_CONF"] = Path.Combine(reader.CardTokens, "softhsm2.conf") });
}
