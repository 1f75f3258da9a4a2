using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Pkcs11;

namespace Trust.CA.Tests;

/// <summary>What <c>provision</c> makes, over a token that has been used.</summary>
public sealed class ProvisionTests
{
    [Fact]
    public async Task Another_label_makes_another_batch_key_and_leaves_the_one_before()
    {
        await using var ca = await CaFixture.Own(receipts: false);
        var before = await File.ReadAllBytesAsync(Path.Combine(ca.Public, "ca-batch.spki"));
        var config = JsonNode.Parse(await File.ReadAllTextAsync(ca.Config))!.AsObject();
        config["Ledger"]!["BatchKey"] = "batch-2";
        var file = Path.Combine(ca.Directory, "ca-2.json");
        await File.WriteAllTextAsync(file, config.ToJsonString());
        Assert.Equal(0, await ServiceHost.Run(["provision", "--config", file], Program.Service));
        Assert.Equal(0, await ServiceHost.Run(["provision", "--config", file], Program.Service));

        var after = await File.ReadAllBytesAsync(Path.Combine(ca.Public, "ca-batch-2.spki"));
        Assert.Equal(before, await File.ReadAllBytesAsync(Path.Combine(ca.Public, "ca-batch.spki")));
        Assert.NotEqual(before, after);
        await using var app = ServiceHost.Build(["run", "--config", file], Program.Service);
        var signs = app.Services.GetRequiredService<AuditOptions>().BatchKey;
        var token = app.Services.GetRequiredService<IToken>();
        Assert.Equal(after, (await token.Find(signs, default))!.SubjectPublicKeyInfo.ToArray());
        Assert.Equal(before, (await token.Find(new KeyRef("batch"), default))!.SubjectPublicKeyInfo.ToArray());
    }
}
