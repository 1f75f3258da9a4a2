using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
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
                ["ConnectionString"] = "Host=10.9.9.9;Database=trust;Username=u" + (what is "tls" ? "" : ";SSL Mode=VerifyFull"), ["PasswordFile"] = "/none", ["Schema"] = "test", ["Region"] = what switch { "elsewhere" => "510100", "outside" => "810000", _ => "510000" },
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
        var gate = service.Services.GetRequiredService<ResidencyGate>();
        TestDeclaration.Write(folder, TestDeclaration.Of(1, [.. declaration.Places.Select(p => p with { Region = "510000" })]));
        await gate.Look(default);
        Assert.Equal((2, "CN-1"), (gate.Terms.Declaration.Version, gate.Closed?.Rule));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await client.GetAsync("/public")).StatusCode);

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
        var (clock, alone) = (new ManualClock(TimeProvider.System.GetUtcNow()), new Alone());
        var gate = alone.Open(clock);
        await gate.Look(default);
        Assert.Null(gate.Closed);
        Assert.Null(gate.RefuseCaller(IPAddress.Loopback, DataClass.Clinical));
        clock.Advance(TimeSpan.FromDays(370));
        await gate.Look(default);
        Assert.Equal("place-expired", gate.Closed?.Rule);
        Assert.False((await gate.Check(default)).Ready);
        Assert.Equal("CN-1", gate.RefuseCaller(IPAddress.Loopback, DataClass.Clinical)!.Id);
    }

    // Of what is written or read here nothing may keep the service from judging its places.
    [Fact]
    public async Task A_declaration_that_cannot_be_kept_is_in_force_all_the_same_and_kept_as_soon_as_it_can_be()
    {
        var (clock, alone) = (TimeProvider.System, new Alone());
        var gate = alone.Open(clock);
        var block = Directory.CreateDirectory(Path.Combine(alone.Data, ResidencyGate.FileName + ".next")).FullName;
        TestDeclaration.Write(alone.Folder, Outside(alone, 2));
        await Assert.ThrowsAsync<IOException>(() => gate.Look(default));
        Assert.Equal((2, "CN-1"), (gate.Terms.Declaration.Version, gate.Closed?.Rule));
        Directory.Delete(block);
        TestDeclaration.Write(alone.Folder, alone.Declaration);
        await gate.Look(default);
        Assert.Contains("Residency rule CN-1", Assert.Throws<ValidationException>(() => alone.Open(clock)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_cannot_be_read_keeps_neither_the_other_from_being_read_nor_an_end_from_being_noticed()
    {
        var (clock, alone) = (new ManualClock(TimeProvider.System.GetUtcNow()), new Alone());
        var gate = alone.Open(clock);
        await using var held = new FileStream(Path.Combine(alone.Folder, ResidencyGate.FileName), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        await Assert.ThrowsAsync<IOException>(() => gate.Look(default));
        Assert.Null(gate.Closed);
        await File.WriteAllBytesAsync(Path.Combine(alone.Data, ResidencyGate.FileName), TestDeclaration.Sign(Outside(alone, 2)));
        await Assert.ThrowsAsync<IOException>(() => gate.Look(default));
        Assert.Equal("CN-1", gate.Closed?.Rule);

        var another = new Alone();
        var ending = another.Open(clock);
        await using var too = new FileStream(Path.Combine(another.Folder, ResidencyGate.FileName), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        clock.Advance(TimeSpan.FromDays(370));
        await Assert.ThrowsAsync<IOException>(() => ending.Look(default));
        Assert.Equal("place-expired", ending.Closed?.Rule);
    }

    [Fact]
    public async Task Who_is_asked_for_a_newer_declaration_and_does_not_answer_is_given_up_soon()
    {
        var gate = new Alone().Open(TimeProvider.System);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gate.Ask(
            async ct =>
            {
                // Hangs, as a ca that accepts and never answers does; the asker's patience ends it.
                await Task.Delay(Timeout.InfiniteTimeSpan, ct);
                return null;
            }, default).WaitAsync(TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public async Task What_ca_answers_is_kept_at_once_so_that_a_process_that_ends_then_begins_by_it()
    {
        var (clock, alone) = (TimeProvider.System, new Alone());
        await alone.Open(clock).Ask(_ => Task.FromResult<byte[]?>(TestDeclaration.Sign(alone.Declaration with { Version = 4 })), default);
        Assert.Equal(4, alone.Open(clock).Terms.Declaration.Version);
    }

    [Fact]
    public async Task A_newer_declaration_in_force_that_cannot_be_read_makes_the_service_unready_and_stops_its_next_start()
    {
        var (clock, alone) = (TimeProvider.System, new Alone());
        var gate = alone.Open(clock);
        await File.WriteAllBytesAsync(Path.Combine(alone.Data, ResidencyGate.FileName), TestDeclaration.Sign(alone.Declaration with { Version = 5, Format = 2 }));
        await gate.Look(default);
        var readiness = await gate.Check(default);
        Assert.False(readiness.Ready);
        Assert.Contains("needs format 1", readiness.Detail, StringComparison.Ordinal);
        Assert.Contains("An older one is not gone back to", Assert.Throws<ValidationException>(() => alone.Open(clock)).Message, StringComparison.Ordinal);
        // One that ca did not accept says nothing.
        await File.WriteAllBytesAsync(Path.Combine(alone.Data, ResidencyGate.FileName), TestDeclaration.Sign(alone.Declaration with { Version = 5, Format = 2 }, accepted: false));
        Assert.Equal(1, alone.Open(clock).Terms.Declaration.Version);
    }

    [Fact]
    public void A_code_that_ends_does_not_bring_back_the_declaration_before()
    {
        var (clock, alone) = (new ManualClock(TimeProvider.System.GetUtcNow()), new Alone());
        _ = alone.Open(clock);
        var ends = ResidencyTerms.DayOf(clock.GetUtcNow().AddDays(2));
        TestDeclaration.Write(alone.Folder, alone.Declaration with
        {
            Version = 2, Regions = [new AddedRegion("510190", "510100", "新区", new DateOnly(2026, 1, 1), ends)], Networks = [TestDeclaration.Network("127.0.0.0/8", "510190")],
        });
        Assert.Null(alone.Open(clock).RefuseCaller(IPAddress.Loopback, DataClass.Clinical));
        // As where the newer one came from ca: the given file is still the first.
        TestDeclaration.Write(alone.Folder, alone.Declaration);
        clock.Advance(TimeSpan.FromDays(3));
        var later = alone.Open(clock);
        Assert.Equal(2, later.Terms.Declaration.Version);
        Assert.Equal("CN-1", later.RefuseCaller(IPAddress.Loopback, DataClass.Clinical)!.Id);
    }

    [Fact]
    public async Task A_resolver_a_time_source_and_telemetry_that_are_refused_close_nothing_but_themselves_and_are_told()
    {
        var clock = new ManualClock(TimeProvider.System.GetUtcNow());
        var alone = new Alone(new JsonObject
        {
            ["Service"] = new JsonObject { ["Resolvers"] = new JsonArray("127.0.0.1:53"), ["TimeSources"] = new JsonArray("ntp.example"), ["OtlpEndpoint"] = "http://127.0.0.1:4317" },
        });
        var gate = alone.Open(clock);
        TestDeclaration.Write(alone.Folder, alone.Declaration with
        {
            Version = 2, Places = [.. alone.Declaration.Places.Select(p => p.Kind is PlaceKind.Log ? p : p with { Expires = clock.GetUtcNow().AddDays(1) })],
        });
        await gate.Look(default);
        clock.Advance(TimeSpan.FromDays(2));
        await gate.Look(default);
        Assert.Null(gate.Closed);
        var readiness = await gate.Check(default);
        Assert.True(readiness.Ready);
        Assert.Equal(3, readiness.Detail.Split("by place-expired").Length - 1);
        Assert.Equal(3, gate.Unrecorded.Count);
    }

    [Fact]
    public async Task Every_kind_of_place_that_closes_the_service_is_known_and_not_the_first_alone()
    {
        var alone = new Alone(Database);
        var gate = alone.Open(TimeProvider.System);
        TestDeclaration.Write(alone.Folder, Outside(alone, 2));
        await gate.Look(default);
        Assert.StartsWith("Log", gate.Closed!.Place, StringComparison.Ordinal);
        Assert.True(gate.IsClosedBy(PlaceKind.Database));
        TestDeclaration.Write(alone.Folder, alone.Declaration with { Version = 3, Places = [.. alone.Declaration.Places.Select(p => p.Kind is PlaceKind.Log ? p with { Region = "820000" } : p)] });
        await gate.Look(default);
        Assert.Equal((true, false), (gate.Closed is not null, gate.IsClosedBy(PlaceKind.Database)));
    }

    [Fact]
    public async Task A_database_that_closed_the_service_is_not_even_asked_whether_it_answers()
    {
        await using var service = await TestService.Start(new TestService.Wish { Routes = Routes, Sections = Database.ToDictionary(s => s.Key, s => s.Value) });
        using var client = service.Client();
        var before = JsonNode.Parse(await (await client.GetAsync("/health/ready")).Content.ReadAsStringAsync())!["checks"]!["database"]!["detail"]!.GetValue<string>();
        Assert.NotEqual("not asked, because residency does not let it be used", before);
        var declaration = service.Services.GetRequiredService<ResidencyGate>().Terms.Declaration;
        TestDeclaration.Write(Path.Combine(service.Directory, "test-residency"), declaration with { Version = 2, Places = [.. declaration.Places.Select(p => p with { Region = "820000" })] });
        await Eventually.Holds(
            async () => JsonNode.Parse(await (await client.GetAsync("/health/ready")).Content.ReadAsStringAsync())!["checks"]!["database"]!["detail"]!.GetValue<string>() == "not asked, because residency does not let it be used",
            "the database is not asked");
    }

    [Fact]
    public async Task Work_that_lasts_ends_when_the_service_closes_and_begins_anew_when_it_opens()
    {
        var work = new Lasting();
        await using var service = await TestService.Start(Wish() with
        {
            With = builder => builder.Services.AddSingleton(work).AddLoop<Lasting>("lasting", TimeSpan.FromMilliseconds(20), (lasting, ct) => lasting.Round(ct)),
        });
        var gate = service.Services.GetRequiredService<ResidencyGate>();
        var declaration = gate.Terms.Declaration;
        await Eventually.Holds(() => work.Runs, "the work runs");
        TestDeclaration.Write(Path.Combine(service.Directory, "test-residency"), declaration with { Version = 2, Places = [.. declaration.Places.Select(p => p with { Region = "820000" })] });
        await Eventually.Holds(() => !work.Runs, "the work has ended");
        Assert.Equal((1, true), (work.Begun, gate.Closed is not null));
        TestDeclaration.Write(Path.Combine(service.Directory, "test-residency"), declaration with { Version = 3 });
        await Eventually.Holds(() => work.Runs, "the work runs again");
        Assert.Equal(2, work.Begun);
    }

    private sealed class Lasting
    {
        public volatile bool Runs;

        public int Begun { get; private set; }

        public async Task Round(CancellationToken ct)
        {
            (Begun, Runs) = (Begun + 1, true);
            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, ct);
            }
            finally
            {
                Runs = false;
            }
        }
    }

    [Fact]
    public async Task A_process_that_runs_outside_does_not_start_and_one_whose_region_is_taken_out_is_closed()
    {
        var outside = new Alone(new JsonObject { ["Service"] = new JsonObject { ["Region"] = "820000" } }, d => d with { Region = "510000", Places = [.. d.Places.Select(p => p with { Region = "510000" })] });
        var refused = Assert.Throws<ValidationException>(() => outside.Open(TimeProvider.System));
        Assert.Contains("Residency rule CN-1: The process test-1 runs in region 820000 (Service:Region)", refused.Message, StringComparison.Ordinal);

        var alone = new Alone(new JsonObject { ["Service"] = new JsonObject { ["Region"] = "510100" } }, d => d with { Region = "510000" });
        var gate = alone.Open(TimeProvider.System);
        var rule = new ResidencyRule("X-1", "x", "510000", DataClass.Personal, [ResidencyAction.Access], "510700", RuleForce.Must, RuleExit.None);
        TestDeclaration.Write(alone.Folder, alone.Declaration with { Version = 2, Region = "510000", Rules = [.. ResidencyTerms.StandardRules(), rule] });
        await gate.Look(default);
        Assert.Equal("X-1", gate.Closed?.Rule);
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
    public async Task A_place_that_ends_under_load_closes_the_service_for_everyone_and_breaks_no_request()
    {
        await using var service = await TestService.Start(Wish(Places(p => p with { Expires = TimeProvider.System.GetUtcNow().AddSeconds(2) })));
        var answers = new System.Collections.Concurrent.ConcurrentDictionary<HttpStatusCode, int>();
        using var enough = new CancellationTokenSource();
        var callers = Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            using var client = service.Client();
            while (!enough.IsCancellationRequested)
            {
                // Whatever breaks off is an exception, and fails the test.
                using var answer = await client.GetAsync("/personal", CancellationToken.None);
                answers.AddOrUpdate(answer.StatusCode, 1, (_, n) => n + 1);
            }
        })).ToList();
        await Eventually.Holds(() => Task.FromResult(answers.GetValueOrDefault(HttpStatusCode.ServiceUnavailable) > 100), "the service is closed", TimeSpan.FromSeconds(30));
        var served = answers.GetValueOrDefault(HttpStatusCode.OK);
        await Eventually.Holds(() => Task.FromResult(answers.GetValueOrDefault(HttpStatusCode.ServiceUnavailable) > 1000), "all are refused", TimeSpan.FromSeconds(30));
        await enough.CancelAsync();
        await Task.WhenAll(callers);
        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable], answers.Keys.Order());
        // At most the requests that were under way.
        Assert.InRange(answers[HttpStatusCode.OK], 1, served + 8);
    }

    [Fact]
    public async Task Callers_of_declared_networks_inside_are_served()
    {
        await using var service = await TestService.Start(Wish());
        using var client = service.Client();
        Assert.Equal("personal", await client.GetStringAsync("/personal"));
    }

    private static JsonObject Database => new()
    {
        ["Database"] = new JsonObject { ["ConnectionString"] = "Host=127.0.0.1;Port=1;Database=trust;Username=u;Timeout=1", ["PasswordFile"] = Empty, ["Schema"] = "test", ["Region"] = "510000" },
    };

    private static string Empty { get; } = WriteEmpty();

    private static string WriteEmpty()
    {
        var file = Path.Combine(Scratch.Directory("password"), "password");
        File.WriteAllText(file, "none");
        return file;
    }

    private static Declaration Outside(Alone alone, int version) => alone.Declaration with { Version = version, Places = [.. alone.Declaration.Places.Select(p => p with { Region = "820000" })] };

    /// <summary>A configuration with its signed declaration, for gates without a service around them.</summary>
    private sealed class Alone
    {
        private static readonly ServiceDefinition Service = new() { Name = "test", Assembly = typeof(Alone), HasOutbox = false, Configure = _ => { } };
        private readonly string _file;

        public Alone(JsonObject? sections = null, Func<Declaration, Declaration>? declare = null)
        {
            var directory = Scratch.Directory("gate");
            Data = Directory.CreateDirectory(Path.Combine(directory, "data")).FullName;
            var config = new JsonObject { ["Service"] = new JsonObject { ["Region"] = "510000", ["Node"] = "test-1", ["PublicDirectory"] = directory, ["DataDirectory"] = Data } };
            foreach (var (name, section) in sections ?? new JsonObject())
            {
                var into = config[name] as JsonObject ?? new JsonObject();
                section!.AsObject().ToList().ForEach(member => into[member.Key] = member.Value?.DeepClone());
                config[name] = into.Parent is null ? into : into.DeepClone();
            }

            _file = Path.Combine(directory, "test.json");
            File.WriteAllText(_file, config.ToJsonString());
            Folder = TestDeclaration.Write(_file, Service, d => Declaration = declare is null ? d : declare(d));
        }

        public string Data { get; }

        public string Folder { get; }

        public Declaration Declaration { get; private set; } = null!;

        public ResidencyGate Open(TimeProvider clock) => ResidencyGate.Open(new ConfigurationBuilder().AddJsonFile(_file).Build(), Service, clock);
    }
}
