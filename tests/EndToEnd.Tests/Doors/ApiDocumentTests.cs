using System.Text.Json;

namespace Trust.EndToEnd.Tests.Doors;

/// <summary>Each running service describes itself, and the page that shows it needs nothing from outside.</summary>
public sealed class ApiDocumentTests(RunningTrust trust)
{
    [Fact]
    public async Task Every_service_answers_its_own_document_and_a_page_to_read_it()
    {
        var addresses = trust.Installation.Addresses;
        using var client = Trust.Cli.Local.Connections.Client(trust.Installation.RootFile);
        foreach (var (address, path) in new[] { (addresses.Idp, "/token"), (addresses.Public, "/ocsp"), (addresses.Sign, "/timestamp"), (addresses.Ledger, "/checkpoint") })
        {
            using var document = JsonDocument.Parse(await client.GetStringAsync(new Uri(address + "/openapi/v1.json")));
            Assert.True(document.RootElement.GetProperty("paths").TryGetProperty(path, out _), $"{address} does not describe {path}");
            var page = await client.GetStringAsync(new Uri(address + "/docs"));
            Assert.DoesNotContain("://", page, StringComparison.Ordinal);
        }
    }
}
