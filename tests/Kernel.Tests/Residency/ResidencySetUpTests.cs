using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.Kernel.Tests.Hosting;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Residency;

/// <summary>Verbs are held to the declaration in force as services are, and what they store by it stays what it says.</summary>
public sealed class ResidencySetUpTests
{
    private static readonly ServiceDefinition Service = new()
    {
        Name = "test", Assembly = typeof(ResidencySetUpTests), HasOutbox = false, HasDatabase = false, Configure = _ => { }, DeclaringVerb = "declare",
        Verbs = new Dictionary<string, Func<Microsoft.AspNetCore.Builder.WebApplication, string[], CancellationToken, Task<int>>>(StringComparer.Ordinal)
        {
            ["declare"] = (_, _, _) => Task.FromResult(0), ["work"] = (_, _, _) => Task.FromResult(0),
        },
    };

    private const string InsertRow = """
        INSERT INTO idempotency (caller, endpoint, key, request_hash, lease_until, created_at, region) VALUES ('c', 'e', $1, ''::bytea, now(), now(), $1)
        """;

    private const string IsStorable = "SELECT EXISTS (SELECT 1 FROM storable_regions WHERE code = $1)";

    [Theory]
    [InlineData("provision")]
    [InlineData("work")]
    public void A_verb_does_nothing_where_a_declaration_does_not_let_it_and_the_one_that_mends_it_runs(string verb)
    {
        var (file, folder) = Configuration(null);
        // Before there is a declaration: by what the configuration claims.
        File.Delete(Path.Combine(folder, ResidencyGate.FileName));
        Build(verb);
        TestDeclaration.Write(folder, TestDeclaration.Of(1, Log("510000", 1)));
        Build(verb);
        TestDeclaration.Write(folder, TestDeclaration.Of(2, Log("820000", 1)));
        Assert.Contains("Residency rule CN-1", Assert.Throws<ValidationException>(() => Build(verb)).Message, StringComparison.Ordinal);
        Build("declare");
        TestDeclaration.Write(folder, TestDeclaration.Of(3, Log("510000", -1)));
        Assert.Contains("Residency rule place-expired", Assert.Throws<ValidationException>(() => Build(verb)).Message, StringComparison.Ordinal);
        Build("declare");
        // What is no declaration is none that was never there.
        File.WriteAllBytes(Path.Combine(folder, ResidencyGate.FileName), TestDeclaration.Sign(TestDeclaration.Of(4, Log("510000", 1)), accepted: false));
        Assert.Contains("There is no valid residency declaration", Assert.Throws<ValidationException>(() => Build(verb)).Message, StringComparison.Ordinal);
        Build("declare");

        void Build(string which) => ((IDisposable)ServiceHost.Build([which, "--config", file], Service)).Dispose();
    }

    [Theory]
    [InlineData("run")]
    [InlineData("provision")]
    [InlineData("declare")]
    [InlineData("places")]
    public async Task A_token_without_a_region_stops_every_verb(string verb)
    {
        var (file, _) = Configuration(null);
        var config = JsonNode.Parse(await File.ReadAllTextAsync(file))!;
        config["Token"] = new JsonObject { ["ModulePath"] = "/none", ["TokenLabel"] = "t", ["PinFile"] = "/none" };
        await File.WriteAllTextAsync(file, config.ToJsonString());
        Assert.Equal(ServiceHost.Misconfigured, await ServiceHost.Run([verb, "--config", file], Service));
        if (verb is not "places")
        {
            var refused = Assert.Throws<ValidationException>(() => ServiceHost.Build([verb, "--config", file], Service));
            Assert.Contains("Configuration section Token: Region is missing", refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Migrate_stores_what_the_declaration_lets_be_stored_and_takes_out_what_it_does_not()
    {
        await using var database = await TestDatabase.Create("ca");
        Assert.True(await database.Owner.Sql(IsStorable).With("510700").Scalar<bool>(default));
        var rule = new ResidencyRule("X-1", "x", "510700", DataClass.Personal, [ResidencyAction.Store], "510700", RuleForce.Must, RuleExit.None);
        var (file, folder) = Configuration(database.Options);
        var declaration = Read(file);
        TestDeclaration.Write(folder, declaration with
        {
            Rules = [.. ResidencyTerms.StandardRules(), rule], Regions = [new AddedRegion("510190", "510100", "新区", new DateOnly(2026, 1, 1))],
        });
        for (var twice = 0; twice < 2; twice++)
        {
            Assert.Equal(0, await ServiceHost.Run(["migrate", "--config", file], Service with { HasDatabase = true }));
            Assert.Equal((true, false, true), (await Storable("510190"), await Storable("510700"), await Storable("510100")));
        }

        Assert.Equal(1, await database.Runtime.Sql(InsertRow).With("510190").Execute(default));

        Task<bool> Storable(string code) => database.Owner.Sql(IsStorable).With(code).Scalar<bool>(default);
    }

    [Fact]
    public async Task What_is_put_back_under_the_same_declaration_is_taken_out_at_the_next_look()
    {
        await using var database = await TestDatabase.Create("ca");
        var (file, _) = Configuration(database.Options);
        var gate = ResidencyGate.Open(new ConfigurationBuilder().AddJsonFile(file).Build(), Service with { HasDatabase = true }, TimeProvider.System);
        var options = new AuditOptions { Source = "test", Region = "510000", Node = "n" };
        await using var parts = new ServiceCollection().AddSingleton(database.Runtime)
            .AddSingleton(new Outbox(database.Runtime, options, new OutboxState(TimeProvider.System), new ReceiptBoard(), TimeProvider.System, new GroupCommit(database.Runtime))).BuildServiceProvider();
        var watch = new ResidencyWatch(gate, Service, parts);
        await watch.Round(default);
        await database.Owner.Sql("INSERT INTO storable_regions (code) VALUES ('500103')").Execute(default);
        await watch.Round(default);
        Assert.False(await database.Owner.Sql(IsStorable).With("500103").Scalar<bool>(default));
        Assert.True(await database.Owner.Sql(IsStorable).With("510700").Scalar<bool>(default));
    }

    [Fact]
    public async Task A_row_that_the_database_does_not_take_by_its_region_is_a_refusal_and_no_fault()
    {
        await using var database = await TestDatabase.Create("ca");
        await using var service = await TestService.Start(new TestService.Wish
        {
            Routes = () => new RouteTable().Get("/store/{region}", Who.Anyone, Limit.None, Store, "Stores."), Sections = { ["Database"] = JsonSerializer.SerializeToNode(database.Options) },
        });
        using var client = service.Client();
        using var refused = await client.GetAsync("/store/500103");
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        Assert.Equal("urn:trust:problem:test:region-not-storable", JsonNode.Parse(await refused.Content.ReadAsStringAsync())!["type"]!.GetValue<string>());
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/store/510100")).StatusCode);

        static async Task<IResult> Store(NpgsqlDataSource db, string region)
        {
            await db.Sql(InsertRow).With(region).Execute(default);
            return TypedResults.Text("stored");
        }
    }

    private static Place Log(string region, int days) => ResidencyGate.Draft(
        new UsedPlace(PlaceKind.Log, "console", null, ResidencyAction.Store, DataClass.Deidentified, PlaceTls.None), 0, region, TimeProvider.System.GetUtcNow().AddDays(days));

    private static Declaration Read(string file)
    {
        var gate = ResidencyGate.Open(new ConfigurationBuilder().AddJsonFile(file).Build(), Service with { HasDatabase = true }, TimeProvider.System);
        return gate.Terms.Declaration with { Version = 2 };
    }

    // A configuration and the folder of its declaration, which lets it do everything.
    private static (string File, string Folder) Configuration(DatabaseOptions? database)
    {
        var directory = Scratch.Directory("verb");
        var data = Directory.CreateDirectory(Path.Combine(directory, "data")).FullName;
        var config = new JsonObject
        {
            ["Service"] = new JsonObject { ["Region"] = "510000", ["Node"] = "test-1", ["PublicDirectory"] = directory, ["DataDirectory"] = data },
            ["Listen"] = new JsonObject { ["A"] = new JsonObject { ["Url"] = "http://127.0.0.1:0" } },
        };
        if (database is not null)
        {
            config["Database"] = JsonSerializer.SerializeToNode(database);
        }

        var file = Path.Combine(directory, "test.json");
        File.WriteAllText(file, config.ToJsonString());
        return (file, TestDeclaration.Write(file, Service with { HasDatabase = database is not null }));
    }
}
