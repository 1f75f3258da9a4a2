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

    private readonly Lazy<Task<Browser>> _decider;

    public ConformanceRun()
        : this(Cli.Program.RepositoryRoot())
    {
    }

    /// <param name="binaries">Folder whose <c>src</c> holds the built services.</param>
    internal ConformanceRun(string binaries)
    {
        Receiver = new Receiver();
        Installation = new Installation(Scratch.Directory("conformance"), AddressPlan.FreePorts(), binaries) { Unlimited = true, Extend = Extend };
        Provider = new Provider(Installation.Addresses.Idp, Installation.RootFile);
        Clients = new Registrations(this);
        _decider = new Lazy<Task<Browser>>(LoggedIn);
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

    /// <summary>The person decides about what a client asks by the back channel, in a live session of their own.</summary>
    internal async Task Decide(RelyingParty client, bool approves)
    {
        var browser = await _decider.Value;
        var asked = JsonNode.Parse((await browser.Get(Provider.Issuer + "/ciba")).Succeeded().Body)!.AsArray();
        var one = Assert.Single(asked, a => a!["client_name_en"]!.GetValue<string>() == client.Registration["name_en"]!.GetValue<string>());
        var decision = approves ? new JsonObject { ["decision"] = "approve", ["institution"] = World.Institutions[0] } : new JsonObject { ["decision"] = "deny" };
        var answer = await browser.Send($"{Provider.Issuer}/ciba/{one!["id"]}/decision", decision);
        Assert.True(answer.Status is 200 or 204, $"{answer.Status}: {answer.Body}");
    }

    internal Task PersonIsLoggedIn() => _decider.Value;

    private async Task<Browser> LoggedIn()
    {
        var browser = new Browser(this);
        await new Authorization((await Clients.Compat("decider")).First, new Manner(), "openid").Complete(browser);
        return browser;
    }

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
