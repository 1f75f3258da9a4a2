using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.Kernel.Tests.Hosting;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Residency;

/// <summary>What a declaration lets a service do, from its start on.</summary>
public sealed class ResidencyGateTests
{
    private static RouteTable Routes() => new RouteTable()
        .Get("/public", Who.Anyone, Limit.None, () => TypedResults.Text("public"), "Public.")
        .Get("/personal", Who.Anyone, Limit.None, () => TypedResults.Text("personal"), "Personal.", r => r with { Data = DataClass.Identity });

    private static TestService.Wish Wish(Func<Declaration, Declaration>? declare = null) => new() { Routes = Routes, Declare = declare };

    private static Func<Declaration, Declaration> Places(Func<Place, Place> change) => d => d with { Places = [.. d.Places.Select(change)] };

    public static TheoryData<string, string> Faults => new()
    {
        { "undeclared", "place-undeclared" }, { "expired", "place-expired" }, { "outside", "CN-1" }, { "elsewhere", "CQ-33" }, { "tls", "place-without-tls" }, { "claim", "place-region-differs" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_place_that_is_not_in_order_stops_the_start_by_its_rule(string what, string rule)
    {
        var sections = new Dictionary<string, JsonNode?>
        {
            ["Service"] = new JsonObject { ["Region"] = what is "elsewhere" ? "500000" : "510000" },
            ["Database"] = new JsonObject
            {
                ["ConnectionString"] = "Host=10.9.9.9;Database=trust;Username=u", ["PasswordFile"] = "/none", ["Schema"] = "test", ["Region"] = what switch { "elsewhere" => "510100", "outside" => "810000", _ => "510000" },
            },
        };
        var declare = what switch
        {
            "undeclared" => d => d with { Places = [.. d.Places.Where(p => p.Kind is not PlaceKind.Database)] },
            "expired" => Places(p => p with { Expires = TimeProvider.System.GetUtcNow().AddSeconds(-1) }),
            "tls" => Places(p => p.Kind is PlaceKind.Database ? p with { Tls = PlaceTls.Server } : p),
            "claim" => Places(p => p with { Region = "510100" }),
            _ => (Func<Declaration, Declaration>)(d => d),
        };
        var refused = Assert.Throws<ValidationException>(() => TestService.Build(new TestService.Wish { Routes = Routes, Sections = sections, Declare = declare }));
        Assert.Contains($"Residency rule {rule}:", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_signed_declaration_nothing_is_served()
    {
        var (app, directory) = TestService.Build(Wish());
        ((IDisposable)app).Dispose();
        var folder = Path.Combine(directory, "test-residency");
        // As on a machine that never had one.
        File.Delete(Path.Combine(directory, ResidencyGate.FileName));
        File.WriteAllBytes(Path.Combine(folder, ResidencyGate.FileName), TestDeclaration.Sign(TestDeclaration.Of(1), accepted: false));
        Assert.Contains("ca has not accepted", Rebuild().Message, StringComparison.Ordinal);
        File.WriteAllBytes(Path.Combine(folder, ResidencyGate.FileName), TestDeclaration.Sign(TestDeclaration.Of(1), [0, 0]));
        Assert.Contains("2 officers must sign", Rebuild().Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(folder, ResidencyGate.FileName));
        Assert.Contains("residency.jws is missing", Rebuild().Message, StringComparison.Ordinal);

        ValidationException Rebuild() => Assert.Throws<ValidationException>(() => ServiceHost.Build(["run", "--config", Path.Combine(directory, "test.json")],
            new ServiceDefinition { Name = "test", Assembly = typeof(TestService), HasDatabase = false, HasOutbox = false, Configure = _ => { } }));
    }

    [Fact]
    public async Task A_place_that_is_taken_out_while_the_service_runs_closes_it_and_one_that_is_put_back_opens_it()
    {
        await using var service = await TestService.Start(Wish());
        using var client = service.Client();
        Assert.Equal("public", await client.GetStringAsync("/public"));
        var folder = Path.Combine(service.Directory, "test-residency");
        var declaration = TestDeclaration.Of(2, ResidencyGate.Draft(new UsedPlace(PlaceKind.Log, "console", null, ResidencyAction.Store, DataClass.Deidentified, PlaceTls.None), 0, "820000", TimeProvider.System.GetUtcNow().AddDays(1)));
        TestDeclaration.Write(folder, declaration);
        await Eventually.Holds(async () => (await client.GetAsync("/public")).StatusCode is HttpStatusCode.ServiceUnavailable, "the service is closed");
        var problem = JsonNode.Parse(await (await client.GetAsync("/public")).Content.ReadAsStringAsync())!;
        Assert.Equal("urn:trust:problem:test:place-refused", problem["type"]!.GetValue<string>());
        Assert.Equal("CN-1", problem["rule"]!.GetValue<string>());
        Assert.Contains("CN-1", await (await client.GetAsync("/health/ready")).Content.ReadAsStringAsync(), StringComparison.Ordinal);

        // A lower version is never gone back to, whoever puts the file there.
        TestDeclaration.Write(folder, TestDeclaration.Of(1, [.. declaration.Places.Select(p => p with { Region = "510000" })]));
        TestDeclaration.Write(folder, TestDeclaration.Of(3, [.. declaration.Places.Select(p => p with { Region = "510000" })]));
        await Eventually.Holds(async () => (await client.GetAsync("/public")).StatusCode is HttpStatusCode.OK, "the service is open again");
    }

    [Fact]
    public void An_older_declaration_put_back_before_a_restart_is_not_gone_back_to()
    {
        var (app, directory) = TestService.Build(Wish(d => d with { Version = 7 }));
        ((IDisposable)app).Dispose();
        var folder = Path.Combine(directory, "test-residency");
        TestDeclaration.Write(folder, TestDeclaration.Of(6, ResidencyGate.Draft(
            new UsedPlace(PlaceKind.Log, "console", null, ResidencyAction.Store, DataClass.Deidentified, PlaceTls.None), 0, "510000", TimeProvider.System.GetUtcNow().AddDays(1))));
        var again = ServiceHost.Build(["run", "--config", Path.Combine(directory, "test.json")],
            new ServiceDefinition { Name = "test", Assembly = typeof(TestService), HasDatabase = false, HasOutbox = false, Configure = _ => { }, Routes = _ => Routes() });
        Assert.Equal(7, ((ResidencyGate)again.Services.GetService(typeof(ResidencyGate))!).Terms.Declaration.Version);
        ((IDisposable)again).Dispose();
    }

    [Fact]
    public async Task A_declaration_that_ends_while_the_service_runs_closes_it()
    {
        var clock = new ManualClock(TimeProvider.System.GetUtcNow());
        var gate = TestDeclaration.Gate(TestDeclaration.Of(1), clock);
        Assert.Null(gate.RefuseCaller(IPAddress.Loopback, DataClass.Clinical));
        clock.Advance(TimeSpan.FromDays(370));
        Assert.Equal("CN-1", gate.RefuseCaller(IPAddress.Loopback, DataClass.Clinical)!.Id);
        await gate.Look(null, default);
    }

    [Theory]
    [InlineData("127.0.0.0/8", "810000")]
    [InlineData("10.0.0.0/8", "510000")]
    public async Task Whoever_is_outside_or_nobody_knows_where_is_shown_nothing_personal_whatever_the_headers_say(string network, string region)
    {
        await using var service = await TestService.Start(Wish(d => d with { Networks = [TestDeclaration.Network(network, region)] }));
        using var client = service.Client();
        client.DefaultRequestHeaders.Add("X-Forwarded-For", "10.0.0.1");
        client.DefaultRequestHeaders.Add("Forwarded", "for=10.0.0.1");
        Assert.Equal("public", await client.GetStringAsync("/public"));
        using var refused = await client.GetAsync("/personal");
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        var problem = JsonNode.Parse(await refused.Content.ReadAsStringAsync())!;
        Assert.Equal("urn:trust:problem:test:caller-outside", problem["type"]!.GetValue<string>());
        Assert.Equal("CN-1", problem["rule"]!.GetValue<string>());
    }

    [Fact]
    public async Task Callers_of_declared_networks_inside_are_served()
    {
        await using var service = await TestService.Start(Wish());
        using var client = service.Client();
        Assert.Equal("personal", await client.GetStringAsync("/personal"));
    }
}
