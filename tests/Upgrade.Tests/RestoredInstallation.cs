using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.TestKit;

namespace Trust.Upgrade.Tests;

/// <summary>
/// A kept installation, brought up by the code of this commit as an operator would who switches it on after months: clusters restored, files put back,
/// schemas migrated, expired service certificates made anew by the ceremony's own file, then everything started.
/// </summary>
public sealed class RestoredInstallation : IAsyncLifetime
{
    private static readonly string[] Migrated = ["idp", "ca", "sign", "ledger"];

    /// <summary>The files it is restored from.</summary>
    internal KeptInstallation Kept { get; } = new(Path.Combine(Cli.Program.RepositoryRoot(), "tests", "Upgrade.Tests", "Installations", "first"));

    /// <summary>Who and what is in it.</summary>
    internal Facts Facts { get; private set; } = null!;

    /// <summary>The processes.</summary>
    public Installation Installation { get; } = new(Scratch.Directory("installation"), AddressPlan.FreePorts(), Cli.Program.RepositoryRoot());

    /// <summary>Its people and systems, with the cards and keys they had.</summary>
    public World World { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        var ct = CancellationToken.None;
        Facts = JsonSerializer.Deserialize(await File.ReadAllTextAsync(Kept.Facts, ct), FactsJson.Default.Facts)!;
        await Kept.Unpack(Installation.Directory, ct);
        var ports = await Task.WhenAll(Restore("main", ct), Restore("ledger", ct));
        foreach (var file in KeptInstallation.Placed(Installation.Directory))
        {
            var text = await File.ReadAllTextAsync(file, ct);
            foreach (var (mark, value) in KeptInstallation.Marks(Installation.Directory, Installation.Addresses, ports[0], ports[1]))
            {
                text = text.Replace(mark, value, StringComparison.Ordinal);
            }

            await File.WriteAllTextAsync(file, text, ct);
        }

        foreach (var file in Directory.GetFiles(Path.Combine(Installation.Directory, "config"), "*.json"))
        {
            await WithoutRegionTable(file, ct);
        }

        await Task.WhenAll(Migrated.Select(name => Installation.Services[name].Verb("migrate", [], ct)));
        await Installation.Services["ca"].Verb("ceremony", ["--file", Path.Combine(Installation.Directory, "ceremony.json")], ct);
        // docs/OPERATIONS.md §6: where everything stands is declared by two of its officers from now on.
        await Installation.Declare(await Installation.DraftDeclaration(ct), ct);
        await Installation.StartServices(ct);
        World = await World.Open(Installation, Cli.Program.RepositoryRoot(), ct);
        await World.ImportRegistry(ct);
        // Their resources are addresses, which are others now.
        await World.RegisterClients(ct);
    }

    public async ValueTask DisposeAsync()
    {
        if (World is not null)
        {
            await World.DisposeAsync();
        }

        await Installation.Stop(CancellationToken.None);
    }

    // docs/OPERATIONS.md §6: the regions are the program's own since.
    private static async Task WithoutRegionTable(string file, CancellationToken ct)
    {
        var configuration = JsonNode.Parse(await File.ReadAllTextAsync(file, ct))!.AsObject();
        (configuration["Ca"] as JsonObject)?.Remove("RegionTableFile");
        (configuration["AuditLedger"] as JsonObject)?.Remove("RegionTableFile");
        await File.WriteAllTextAsync(file, configuration.ToJsonString(), ct);
    }

    private async Task<int> Restore(string cluster, CancellationToken ct)
    {
        var server = await PostgresCluster.Start(Path.Combine(Installation.Directory, "postgres", cluster), ["fsync = off"], ct);
        await server.Sql("postgres", await KeptInstallation.Read(Kept.Dump(cluster), ct), ct);
        return server.Port;
    }
}
