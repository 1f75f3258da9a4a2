using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.TestKit;

[assembly: AssemblyFixture(typeof(Trust.EndToEnd.Tests.RunningTrust))]

namespace Trust.EndToEnd.Tests;

/// <summary>One whole installation for the run: four processes, two clusters, cards, the sample people enrolled.</summary>
public sealed class RunningTrust : IAsyncLifetime
{
    public const string Redirect = "https://127.0.0.10:9443/callback";
    private readonly System.Collections.Concurrent.ConcurrentDictionary<string, string> _identities = new(StringComparer.Ordinal);
    private readonly System.Collections.Concurrent.ConcurrentDictionary<string, (string Name, string Licence)> _names = new(StringComparer.Ordinal);

    public Installation Installation { get; } = new(Scratch.Directory("installation"), AddressPlan.FreePorts(), Trust.Cli.Program.RepositoryRoot());

    public World World { get; private set; } = null!;

    public string Sign => Installation.Addresses.Sign;

    public async ValueTask InitializeAsync()
    {
        await Installation.Start(_ => { }, CancellationToken.None);
        World = await World.Open(Installation, Trust.Cli.Program.RepositoryRoot(), CancellationToken.None);
        await World.ImportRegistry(CancellationToken.None);
        await World.RegisterClients(CancellationToken.None);
        for (var person = 0; person < 3; person++)
        {
            await World.Enrol(person, CancellationToken.None);
        }

        await World.EnrolSeal(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await World.DisposeAsync();
        await Installation.Stop(CancellationToken.None);
    }

    /// <summary>A practitioner of a test's own, so that suspending or revoking one disturbs no other test.</summary>
    public async Task<(string Urn, Card Card)> NewPhysician(CancellationToken ct)
    {
        var serial = RandomNumberGenerator.GetInt32(100_000, 999_999);
        var row = new JsonObject
        {
            ["name"] = "测试" + serial, ["identityType"] = "resident-id", ["identityNumber"] = IdentityNumber(), ["role"] = "physician",
            ["licenceNumber"] = "110510000" + serial, ["category"] = "clinical", ["scope"] = new JsonArray("内科专业"), ["region"] = "510000",
            ["effectiveFrom"] = "2012-08-01T00:00:00+08:00",
        };
        var practitioner = "physician:110510000" + serial;
        var results = await World.Import(new JsonObject
        {
            ["practitioners"] = new JsonArray(row),
            ["affiliations"] = new JsonArray(new JsonObject { ["practitioner"] = practitioner, ["institution"] = World.Institutions[0], ["kind"] = "main", ["from"] = "2012-08-01T00:00:00+08:00" }),
            ["filings"] = new JsonArray(new JsonObject { ["practitioner"] = practitioner, ["institution"] = World.Institutions[0], ["number"] = "CHUAN-WL-" + serial, ["from"] = "2024-01-01T00:00:00+08:00" }),
        }, ct);
        var urn = results[0]!["urn"]!.GetValue<string>();
        _identities[urn] = row["identityNumber"]!.GetValue<string>();
        _names[urn] = (row["name"]!.GetValue<string>(), row["licenceNumber"]!.GetValue<string>());
        var card = await Card.Open(World.Reader, Installation.CardDirectory, "card-" + serial, ct);
        foreach (var (key, profile) in new[] { (Card.AuthenticationKey, "practitioner-authentication"), (Card.SignatureKey, "practitioner-signature") })
        {
            var request = await World.Officers[0].RequestCertificate(profile, urn, World.Institutions[0], await card.Request(key, "测试" + serial, ct), "card-" + serial, ct);
            await card.Store(key, await World.ApproveByTwo(request, ct), ct);
        }

        return (urn, card);
    }

    /// <summary>The identity number of a practitioner made by <see cref="NewPhysician"/>.</summary>
    public string IdentityNumberOf(string urn) => _identities[urn];

    /// <summary>Name and licence number of a practitioner made by <see cref="NewPhysician"/>.</summary>
    public (string Name, string Licence) RegisteredAs(string urn) => _names[urn];

    /// <summary>Logs in with a card through the hospital's workstation.</summary>
    public async Task<LoginResult> Login(Card card, string scope, CancellationToken ct) =>
        await World.Client("his-shuan").Login(await card.ForTls(Card.AuthenticationKey, ct), Redirect, scope, World.Institutions[0], Sign, ct);

    /// <summary>The identity number of a person nobody registered yet.</summary>
    public static string IdentityNumber()
    {
        ReadOnlySpan<byte> weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        var text = "51010419" + RandomNumberGenerator.GetInt32(50, 99) + "0" + RandomNumberGenerator.GetInt32(1, 9) + RandomNumberGenerator.GetInt32(10, 28) + RandomNumberGenerator.GetInt32(100, 999);
        var sum = 0;
        for (var i = 0; i < 17; i++)
        {
            sum += (text[i] - '0') * weights[i];
        }

        return text + "10X98765432"[sum % 11];
    }
}
