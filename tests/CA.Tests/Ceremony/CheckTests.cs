using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Trust.CA.Ceremony;
using Trust.CA.Certificates;
using Trust.Kernel.Hosting;

namespace Trust.CA.Tests.Ceremony;

/// <summary>A ceremony's file is judged whole before the first key is born.</summary>
public sealed class CheckTests(CaFixture ca)
{
    [Fact]
    public async Task The_file_that_was_held_has_no_fault_and_the_check_makes_nothing()
    {
        Assert.Empty(await Judge(_ => { }));
        Assert.Equal(0, await ServiceHost.Run(["ceremony", "--config", ca.Config, "--file", ca.CeremonyFile, "--check"], Program.Service));
    }

    public static readonly TheoryData<string, string> Faults = new()
    {
        { "$.timeStamping", "names CN=王建国, not CN=TSA." },
        { "$.organization=", "The organization is empty" },
        { "$.organization=long", "longer than 64 characters" },
        { "$.officers[0].name=王建", "names CN=王建国, not CN=王建." },
        { "$.officers[0].region=990000", "The region 990000 of officer 王建国 is unknown" },
        { "$.officers[0].identityNumber=510104197901010112", "has a wrong check character" },
        { "$.officers[1]=copy", "is in the file twice: one person is one voice." },
        { "$.officers[0].signatureRequest=nowhere.p10", "nowhere.p10 cannot be read" },
        { "$.officers[0].signatureRequest=same", "have one key: one key, one purpose." },
        { "$.officers[0].signatureCertificate=same", "is to hold two certificates." },
        { "$.officers[0].signatureCertificate=/proc/none/x.pem", "cannot be written" },
        { "$.services[1].name=sign", "does not ask for the name sign.trust.internal of service sign." },
        { "$.sources[0].key=ceremony.json", "is no public key" },
        { "$.witnessQuorum=1", "witnessQuorum stands there without witnessKeys." },
        { "$.witnessKeys=ceremony.json", "witnessQuorum is missing" },
        { "$.ledgerKeys=ceremony.json", "is no verifier key." },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Each_fault_is_named(string change, string sentence) =>
        Assert.Contains(await Judge(file => Apply(file, change)), fault => fault.Contains(sentence, StringComparison.Ordinal));

    [Fact]
    public async Task All_faults_are_told_at_once()
    {
        var faults = await Judge(file =>
        {
            Apply(file, "$.organization=");
            Apply(file, "$.officers[0].region=990000");
            Apply(file, "$.sources[0].key=ceremony.json");
        });
        Assert.Equal(3, faults.Count);
    }

    private async Task<IReadOnlyList<string>> Judge(Action<JsonObject> change)
    {
        var json = JsonNode.Parse(await File.ReadAllTextAsync(ca.CeremonyFile))!.AsObject();
        change(json);
        var file = JsonSerializer.Deserialize(json, CaJson.Default.CeremonyFile)!;
        return await new CheckCeremony(ca.App.Services.GetRequiredService<ProfileSet>(), TimeProvider.System, ca.Directory).Judge(file, default);
    }

    private static void Apply(JsonObject file, string change)
    {
        var officer = file["officers"]![0]!;
        switch (change)
        {
            case "$.timeStamping":
                file["timeStamping"] = new JsonObject { ["name"] = "TSA", ["request"] = officer["signatureRequest"]!.GetValue<string>(), ["certificate"] = "tsa.pem" };
                break;
            case "$.organization=long":
                file["organization"] = new string('长', 65);
                break;
            case "$.officers[1]=copy":
                file["officers"]![1]!["identityNumber"] = officer["identityNumber"]!.GetValue<string>();
                break;
            case "$.officers[0].signatureRequest=same":
                officer["signatureRequest"] = officer["authenticationRequest"]!.GetValue<string>();
                break;
            case "$.officers[0].signatureCertificate=same":
                officer["signatureCertificate"] = officer["authenticationCertificate"]!.GetValue<string>();
                break;
            default:
                var (path, value) = (change[..change.IndexOf('=', StringComparison.Ordinal)], change[(change.IndexOf('=', StringComparison.Ordinal) + 1)..]);
                var last = path[(path.LastIndexOf('.') + 1)..];
                JsonNode at = path.StartsWith("$.officers", StringComparison.Ordinal) ? officer : path.StartsWith("$.services", StringComparison.Ordinal) ? file["services"]![1]!
                    : path.StartsWith("$.sources", StringComparison.Ordinal) ? file["sources"]![0]! : file;
                at[last] = last is "witnessQuorum" ? JsonValue.Create(1) : JsonValue.Create(value);
                break;
        }
    }
}
