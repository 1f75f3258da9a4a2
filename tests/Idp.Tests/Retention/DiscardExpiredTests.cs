using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Trust.Idp.Retention;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.Idp.Tests.Retention;

/// <summary>Sessions and consents go when their time is over, and not while a hold lies on them or the ledger does not say.</summary>
public sealed class DiscardExpiredTests : IAsyncLifetime
{
    private const string Rows = """
        INSERT INTO sessions (id, cookie_hash, person, certificate, holder, region, authenticated_at, expires_at) VALUES
            ('00000000-0000-7000-8000-000000000001', '\x01', 'old', 'c', '{}', '510000', now(), now() - interval '7 months'),
            ('00000000-0000-7000-8000-000000000002', '\x02', 'held', 'c', '{}', '510000', now(), now() - interval '7 months'),
            ('00000000-0000-7000-8000-000000000003', '\x03', 'new', 'c', '{}', '510000', now(), now() - interval '5 months');
        INSERT INTO patients (pseudonym, subject_key, region, identity_lookup, identity_sealed, commitment_salt, created_at)
            VALUES ('p', decode(repeat('07', 32), 'hex'), '510000', '\x01', '\x01', '\x01', now());
        INSERT INTO consents (id, patient, institution, kind, notice_version, notice_sha256, method, acknowledged_at, recorded_by, region, withdrawn_at) VALUES
            ('old', 'p', 'o', 'k', '1', 'x', 'm', now(), 'his', '510000', now() - interval '181 months'),
            ('held', 'p', 'held', 'k', '1', 'x', 'm', now(), 'his', '510000', now() - interval '181 months'),
            ('new', 'p', 'o', 'k', '1', 'x', 'm', now(), 'his', '510000', now() - interval '179 months'),
            ('stands', 'p', 'o', 'k', '1', 'x', 'm', now() - interval '400 months', 'his', '510000', NULL);
        """;

    private readonly LedgerStandIn _ledger = new("idp");
    private readonly WebApplication _app;
    private TestDatabase _database = null!;

    public DiscardExpiredTests()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        _app = builder.Build();
    }

    public async ValueTask InitializeAsync()
    {
        _ledger.Map(_app);
        await _app.StartAsync();
        _database = await TestDatabase.Create("idp", typeof(Program).Assembly);
        await _database.Owner.Sql(Rows).Execute(default);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task What_its_time_is_over_for_goes_with_an_event_of_the_portion_and_what_is_held_stays()
    {
        _ledger.Held[HoldQuestion.Name(SubjectKey.Practitioner("held"))] = true;
        _ledger.Held[HoldQuestion.Name(SubjectKey.Institution("held"))] = true;
        await Round();
        Assert.Equal(["held", "new"], await Names("SELECT person FROM sessions"));
        Assert.Equal(["held", "new", "stands"], await Names("SELECT id FROM consents"));
        Assert.Equal(["AUTH.discard sessions:1", "CONSENT.discard consents:1"], await Names("SELECT action || ' ' || (convert_from(body, 'UTF8')::json->>'basis') FROM audit_outbox"));
        _ledger.Held.Clear();
        await Round();
        Assert.Equal(["new"], await Names("SELECT person FROM sessions"));
        Assert.Equal(["new", "stands"], await Names("SELECT id FROM consents"));
    }

    [Fact]
    public async Task Nothing_goes_while_the_ledger_does_not_say_what_is_held()
    {
        _ledger.Away = true;
        await Round();
        Assert.Equal(3, (await Names("SELECT person FROM sessions")).Count);
        Assert.Equal(4, (await Names("SELECT id FROM consents")).Count);
    }

    private async Task Round()
    {
        var options = new AuditOptions { Source = "idp", Region = "510000", Node = "n" };
        var ledger = new PeerOptions { Name = "ledger", Address = new Uri(_app.Urls.First()), Region = "510000" };
        var gate = TestDeclaration.Gate(null, ledger);
        using var outbound = new Outbound([ledger], null, gate, new NameResolver([], gate));
        await new DiscardExpired(
            _database.Runtime, new HoldQuestion(outbound, options),
            new Outbox(_database.Runtime, options, new OutboxState(TimeProvider.System), new ReceiptBoard(), TimeProvider.System, new GroupCommit(_database.Runtime)),
            TimeProvider.System).Round(default);
    }

    private async Task<List<string>> Names(string sql)
    {
        await using var command = _database.Owner.CreateCommand(sql + " ORDER BY 1");
        var names = new List<string>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            names.Add(reader.GetString(0));
        }

        return names;
    }
}
