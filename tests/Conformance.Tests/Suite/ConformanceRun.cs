using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.TestKit;

[assembly: AssemblyFixture(typeof(Trust.Conformance.Tests.Suite.ConformanceRun))]

namespace Trust.Conformance.Tests.Suite;

/// <summary>One whole installation for the run, with the suite as a declared peer, one person with a card, and the plans' clients registered when a plan first asks.</summary>
public sealed class ConformanceRun : IAsyncLifetime
{
    /// <summary>Life of a code in this run; everything else is as a fresh installation has it.</summary>
    public static readonly TimeSpan CodeLife = TimeSpan.FromSeconds(5);

    private const string IssuerFile = "suite-issuing.pem";

    public ConformanceRun()
    {
        Receiver = new Receiver();
        Installation = new Installation(Scratch.Directory("conformance"), AddressPlan.FreePorts(), Cli.Program.RepositoryRoot()) { Unlimited = true, Extend = Extend };
        Provider = new Provider(Installation.Addresses.Idp, Installation.RootFile);
        Clients = new Registrations(this);
    }

    public Installation Installation { get; }

    public World World { get; private set; } = null!;

    internal Provider Provider { get; }

    internal Receiver Receiver { get; }

    internal Registrations Clients { get; }

    /// <summary>Of a person with one affiliation: nothing has to be chosen, so a silent request can be answered.</summary>
    internal Card Card => World.Pharmacist;

    public async ValueTask InitializeAsync()
    {
        await Receiver.Start();
        Directory.CreateDirectory(Installation.PublicDirectory);
        await File.WriteAllTextAsync(Path.Combine(Installation.PublicDirectory, IssuerFile), Receiver.IssuerPem);
        await Installation.Start(_ => { }, CancellationToken.None);
        World = await World.Open(Installation, Cli.Program.RepositoryRoot(), CancellationToken.None);
        await World.ImportRegistry(CancellationToken.None);
        await World.Enrol(1, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        if (World is not null)
        {
            await World.DisposeAsync();
        }

        await Installation.Stop(CancellationToken.None);
        await Receiver.DisposeAsync();
    }

    /// <summary>The person decides about a request of the backchannel, in a live session of their own.</summary>
    internal Task Decide(RelyingParty client, string id, bool approves) => throw new Xunit.Sdk.XunitException($"No place is known yet where a person decides about {client.Id} {id} {approves}.");

    /// <summary>Makes the provider's token keys old, so that the next one takes over: what ninety days do in production.</summary>
    internal Task AgeTokenKeys() => Installation.Cluster!.Sql("trust", "UPDATE idp.signing_keys SET activated_at = activated_at - interval '100 days' WHERE state = 'active' AND alg = 'ES256'", CancellationToken.None);

    private void Extend(string service, JsonObject configuration)
    {
        if (service != "idp")
        {
            return;
        }

        configuration["Idp"]!["CodeLife"] = CodeLife.ToString("c");
        configuration["Peers"]!.AsArray().Add(new JsonObject
        {
            ["Name"] = "suite", ["Address"] = Receiver.Address, ["Region"] = Installation.Region, ["IssuerFile"] = IssuerFile, ["Service"] = "suite",
        });
    }
}
