using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;

namespace Trust.EndToEnd.Tests.Installing;

/// <summary>What is shipped under samples is taken as it is by a running installation.</summary>
[Collection("faults")]
public sealed class SamplesTests(RunningTrust trust)
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task The_sample_clients_are_registered_as_they_are_shipped()
    {
        var file = Path.Combine(trust.World.Samples, "clients.json");
        try
        {
            // Throws when the verb ends with anything but 0.
            await trust.Installation.Services["idp"].Verb("import-clients", ["--file", file], None);
        }
        finally
        {
            await trust.World.RegisterClients(None);
        }
    }

    [Fact]
    public async Task The_sample_patient_is_registered_as_it_is_shipped()
    {
        var idp = trust.Installation.Addresses.Idp;
        using var http = Connections.Client(trust.Installation.RootFile);
        var api = new Api(http, idp, await trust.World.Client("his-shuan").OwnToken("patient.register", idp, None));
        var patient = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(trust.World.Samples, "patient.json"), None))!;
        (await api.Send(HttpMethod.Post, "/patients", patient, null, None)).Expect("/patients");

        // What the provider cannot read it names as the other services do, without the value.
        foreach (var (body, member) in new[] { ("""{"idType":"resident-identity","idNumber":"510105196008150076","region":"510000","nope":1}""", "$.nope"), ("""{"idType":"resident-identity","region":"510000"}""", "$.idNumber"), ("""{"idType":1,"idNumber":"510105196008150076","region":"510000"}""", "$.idType") })
        {
            var refused = await api.Send(HttpMethod.Post, "/patients", JsonNode.Parse(body), null, None);
            Assert.Equal((400, "malformed-request", member), (refused.Status, refused.Problem, refused.Json!["member"]!.GetValue<string>()));
            Assert.DoesNotContain("510105196008150076", refused.Text, StringComparison.Ordinal);
        }
    }
}
