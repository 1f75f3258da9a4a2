using System.Buffers.Text;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Trust.AuditLedger.Watching;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Watching;

/// <summary>Which alarms there were, and about whom, as a regulator asks.</summary>
public sealed class ListAlarmsTests : IAsyncLifetime
{
    private const string Doctor = "urn:mdid:p:01JD000000000000000000000A";

    private readonly SubjectKey _patient = SubjectKey.Patient(RandomNumberGenerator.GetBytes(32));
    private LedgerFixture _fixture = null!;
    private TokenIssuer _issuer = null!;
    private RunningLedger _ledger = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await LedgerFixture.Create();
        _fixture.Tokens = _issuer = await TokenIssuer.Start();
        _ledger = await _fixture.Start(Tokens.NewOptions("ledger"));
        await _ledger.Leads();
        using var client = _fixture.Client("ca", _ledger.Address);
        var link = new LedgerLink(client, "ca");
        await link.OpenEpoch(new string('0', 64), default);
        Assert.IsType<PostOutcome.Accepted>(await link.Post(_fixture.Producer("ca").Next(TestProducer.Ceremony()), 1, default));
        var watch = _ledger.App.Services.GetRequiredService<AccessWatch>();
        watch.LookAtLeaves([.. Enumerable.Repeat(Read(_patient), 31)]);
        watch.LookAtLeaves([.. Enumerable.Range(0, 200).Select(_ => Read(SubjectKey.Patient(RandomNumberGenerator.GetBytes(32))))]);
        await Eventually.Holds(async () => (await _fixture.Alarms()).Count == 2, "both alarms are logged");
    }

    public async ValueTask DisposeAsync()
    {
        await _ledger.DisposeAsync();
        await _issuer.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task A_regulator_lists_alarms_with_whom_they_are_about_a_page_at_a_time_and_leaves_a_record()
    {
        using var regulator = Client("regulator", "510000");
        using var first = await regulator.GetAsync("alarms?limit=1");
        var page = (await first.Content.ReadFromJsonAsync<JsonElement>()).EnumerateArray().ToList();
        var snooping = Assert.Single(page);
        Assert.Equal("snooping", snooping.GetProperty("kind").GetString());
        Assert.Equal($"actor:{Doctor} count:31", snooping.GetProperty("detail").GetString());
        Assert.Equal("510000", snooping.GetProperty("region").GetString());
        Assert.Equal(
            [SubjectKey.Of("alarm", "snooping"), _patient, SubjectKey.Actor(Doctor), SubjectKey.Practitioner(Doctor), SubjectKey.Institution(SampleSubjects.Institution)],
            snooping.GetProperty("subjects").EnumerateArray().Select(s => SubjectKey.FromBytes(s.GetProperty("kind").GetString()!, Base64Url.DecodeFromChars(s.GetProperty("key").GetString()))));
        var next = Assert.Single(first.Headers.GetValues("Link"))[1..].Split('>')[0];
        using var second = await regulator.GetAsync(next);
        Assert.Equal("bulk-reading", Assert.Single((await second.Content.ReadFromJsonAsync<JsonElement>()).EnumerateArray()).GetProperty("kind").GetString());
        Assert.False(second.Headers.Contains("Link"));
        Assert.Equal(2, await Queries("alarms:all"));
    }

    [Fact]
    public async Task Time_and_kind_narrow_the_list()
    {
        using var regulator = Client("regulator", "510000");
        var all = await regulator.GetFromJsonAsync<JsonElement>("alarms");
        Assert.Equal(2, all.GetArrayLength());
        Assert.Equal(1, (await regulator.GetFromJsonAsync<JsonElement>("alarms?kind=bulk-reading")).GetArrayLength());
        Assert.Equal(0, (await regulator.GetFromJsonAsync<JsonElement>("alarms?kind=backlog")).GetArrayLength());
        Assert.Equal(0, (await regulator.GetFromJsonAsync<JsonElement>("alarms?to=2026-01-01T00:00:00%2B08:00")).GetArrayLength());
        Assert.Equal(2, (await regulator.GetFromJsonAsync<JsonElement>("alarms?from=2026-01-01T00:00:00%2B08:00&to=2099-01-01T00:00:00Z")).GetArrayLength());
    }

    [Theory]
    [InlineData("from=2026-01-01T00:00:00", "from")]
    [InlineData("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to")]
    [InlineData("kind=Snooping", "kind")]
    [InlineData("form=2026-01-01T00:00:00Z", "form")]
    [InlineData("kind=snooping&kind=backlog", "kind")]
    public async Task What_cannot_be_read_is_refused_by_name(string query, string member)
    {
        using var regulator = Client("regulator", "510000");
        using var answer = await regulator.GetAsync("alarms?" + query);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal("urn:trust:problem:ledger:malformed-alarm-question", problem.GetProperty("type").GetString());
        Assert.Equal(member, problem.GetProperty("member").GetString());
    }

    [Theory]
    [InlineData("regulator", "310000")]
    [InlineData("regulator", "510100")]
    [InlineData("physician", "510000")]
    public async Task Nobody_else_is_told(string role, string region)
    {
        using var other = Client(role, region);
        using var answer = await other.GetAsync("alarms");
        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        Assert.Equal(0, await Queries("alarms:all"));
    }

    [Theory]
    [InlineData("{\"action\":\"LEDGER.alarm\"", "}\"action\":\"LEDGER.alarm\"")]
    [InlineData("alarm:snooping", "alarm:snopping")]
    public async Task An_alarm_whose_entry_was_altered_is_named_as_damaged_and_not_told(string logged, string altered)
    {
        var index = await _fixture.Database.Runtime.Sql("SELECT min(idx) FROM alarms").Scalar<long>(default);
        const string alter = "UPDATE entries SET leaf = overlay(leaf placing $2 from position($1 in leaf)) WHERE idx = $3";
        await _fixture.Database.Owner.Sql(alter).With(Encoding.UTF8.GetBytes(logged)).With(Encoding.UTF8.GetBytes(altered)).With(index).Execute(default);
        using var regulator = Client("regulator", "510000");
        using var answer = await regulator.GetAsync("alarms");
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal("urn:trust:problem:ledger:entry-damaged", problem.GetProperty("type").GetString());
        Assert.Equal(index, problem.GetProperty("index").GetInt64());
    }

    [Fact]
    public async Task The_row_of_an_alarm_cannot_be_removed_by_the_service_itself()
    {
        var e = await Assert.ThrowsAsync<Npgsql.PostgresException>(() => _fixture.Database.Runtime.Sql("DELETE FROM alarms").Execute(default));
        Assert.Equal(Npgsql.PostgresErrorCodes.InsufficientPrivilege, e.SqlState);
    }

    private HttpClient Client(string role, string region) => _issuer.Client(_ledger.Address, "urn:mdid:p:regulator", "audit.read", role, region);

    private async Task<int> Queries(string basis)
    {
        var bodies = await _fixture.Database.Runtime
            .Sql("SELECT convert_from(body, 'UTF8') FROM audit_outbox WHERE action = 'REG.query'").All(r => r.GetString(0), default);
        return bodies.Count(b => b.Contains($"\"basis\":\"{basis}\"", StringComparison.Ordinal));
    }

    private static byte[] Read(SubjectKey patient)
    {
        var body = EventBody.TryBuild(
            new AuditEvent { Action = "REC.read", Actor = new Actor(Doctor, Institution: SampleSubjects.Institution), Subjects = [patient], Outcome = EventOutcome.Success },
            new EventPlace("510000", "n"), TimeProvider.System.GetUtcNow(), out _)!.Bytes;
        var leaf = new byte[EventLeaf.Length("sign", 32, body.Length)];
        EventLeaf.Write(leaf, new EntryPlace("sign", 1, 1, new byte[32], SHA256.HashData(body)), patient.Key, 0, body);
        return leaf;
    }
}
