using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.AuditLedger.Checkpoints;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Fsck;
using Trust.AuditLedger.Shredding;
using Trust.Kernel.Audit;
using Trust.Kernel.LockStore;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Fsck;

/// <summary>Keys of sealed detail: no hash speaks for them, so a check opens each.</summary>
public sealed class DataKeyCheckTests : IAsyncLifetime
{
    private const int Own = 4;

    private readonly Dictionary<long, BuiltEvent> _events = [];
    private LedgerFixture _fixture = null!;
    private RunningLedger _ledger = null!;
    private NpgsqlDataSource _owner = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await LedgerFixture.Create();
        _ledger = await _fixture.Start(Tokens.NewOptions("ledger"));
        await _ledger.Leads();
        _owner = Outbound.Database(_fixture.Database.Options, asOwner: true);
        await Eventually.Holds(async () => await _owner.Sql("SELECT count(*) FROM subject_masters").Scalar<long>(default) == 1, "the first master exists");
        var ca = await Producer("ca");
        await Post("ca", ca.Next(TestProducer.Ceremony()), 1);
        for (var i = 0; i < Own; i++)
        {
            await OwnEvent($"of the ledger {i}");
        }

        var idp = await Producer("idp");
        var events = Enumerable.Range(0, 6).Select(i => EventBody.TryBuild(Event($"of idp {i}"), new EventPlace("510000", "n"), DateTimeOffset.UtcNow, out _)!).ToArray();
        await Post("idp", idp.Next(events), events.Length);
        var first = await _owner.Sql("SELECT first_idx FROM batches ORDER BY first_idx DESC LIMIT 1").Scalar<long>(default);
        for (var i = 0; i < events.Length; i++)
        {
            _events[first + i] = events[i];
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _owner.DisposeAsync();
        await _ledger.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task Any_flipped_bit_of_a_data_key_or_of_the_key_it_lies_under_is_found()
    {
        Assert.Empty((await Check()).Faults);
        var random = new Random();
        var indices = await _owner.Sql("SELECT idx FROM data_keys ORDER BY idx").All(r => r.GetInt64(0), default);
        Assert.Equal(Own + 6, indices.Count);
        for (var i = 0; i < (Environment.GetEnvironmentVariable("TRUST_TEST_LONG") is null ? 20 : 200); i++)
        {
            var index = indices[random.Next(indices.Count)];
            var (sql, bits, code) = i % 4 == 0
                ? ("UPDATE subject_keys SET wrapped = set_bit(wrapped, $2, 1 - get_bit(wrapped, $2)) WHERE subject = (SELECT subject FROM data_keys WHERE idx = $1)", 60 * 8, "subject-key")
                : ("UPDATE data_keys SET key = set_bit(key, $2, 1 - get_bit(key, $2)) WHERE idx = $1", 92 * 8, "data-key");
            var bit = random.Next(bits);
            await Flip();
            var fault = Assert.Single((await Check()).Faults);
            Assert.Equal((code, code is "data-key" ? index : null), (fault.Code, fault.Index));
            await Flip();

#pragma warning disable CA1857 // One of two statements of this test.
            async Task Flip() => Assert.Equal(1, await _owner.Sql(sql).With(index).With(bit).Execute(default));
#pragma warning restore CA1857
        }

        Assert.Empty((await Check()).Faults);
    }

    [Theory]
    [InlineData("UPDATE data_keys SET key = set_bit(key, 700, 1 - get_bit(key, 700)) WHERE idx = $1", "data-key")]
    [InlineData("UPDATE data_keys SET key = set_bit(key, 7, 1 - get_bit(key, 7)) WHERE idx = $1", "data-key")] // another subject's
    [InlineData("DELETE FROM data_keys WHERE idx = $1", "data-key-missing")]
    [InlineData("UPDATE data_keys SET idx = 0 WHERE idx = $1", "data-key-missing", "data-key-stray")]
    [InlineData("UPDATE data_keys SET idx = 1000000 WHERE idx = $1", "data-key-missing", "data-key-stray")]
    public async Task A_data_key_is_repaired_from_its_producers_outbox_and_opens_the_same_detail(string damage, params string[] codes)
    {
        var index = await OwnEvent("of the ledger, damaged");
        await Run(damage, index);
        var report = await Check();
        Assert.Equal(codes, report.Faults.Select(f => f.Code).Order(StringComparer.Ordinal));
        Assert.Equal(codes.Length, (await Repair(report)).Count);
        Assert.Empty((await Check()).Faults);
        var body = await _owner.Sql("SELECT body FROM audit_outbox WHERE idx = $1").With(index).Scalar<byte[]>(default);
        var key = await _ledger.App.Services.GetRequiredService<SubjectKeyVault>().DataKey(index, SHA256.HashData(body!), default);
        var text = JsonNode.Parse(body)!;
        Assert.Equal("of the ledger, damaged", Encoding.UTF8.GetString(EventBody.Open(text["sealed"]!.GetValue<string>(), key, new Trust.LogFormat.EventId(text["id"]!.GetValue<Guid>()))));
    }

    [Fact]
    public async Task What_its_producer_holds_no_longer_stays_listed()
    {
        var index = _events.Keys.First();
        await Run("DELETE FROM data_keys WHERE idx = $1", index);
        var report = await Check();
        Assert.Equal(("data-key-missing", index), (Assert.Single(report.Faults).Code, report.Faults[0].Index));
        Assert.Empty(await Repair(report));
        Assert.Single((await Check()).Faults);
    }

    [Fact]
    public async Task Detail_without_its_key_is_refused_and_so_is_a_key_without_detail()
    {
        var sign = await Producer("sign");
        using var client = _fixture.Client("sign", _ledger.Address);
        var link = new LedgerLink(client, "sign");
        var sealedEvent = EventBody.TryBuild(Event("detail"), new EventPlace("510000", "n"), DateTimeOffset.UtcNow, out _)!;
        var without = sign.Frame(1, 1, new byte[32], [sign.Body(), sealedEvent.Bytes], out _, [[], []]);
        Assert.Equal(new PostOutcome.Poison(1, "data-key"), await link.Post(without, 2, default));
        var stray = sign.Frame(1, 1, new byte[32], [sign.Body()], out _, [new byte[32]]);
        Assert.Equal(new PostOutcome.Poison(0, "data-key"), await link.Post(stray, 1, default));
        Assert.IsType<PostOutcome.Accepted>(await link.Post(sign.Frame(1, 1, new byte[32], [sealedEvent.Bytes], out _, [sealedEvent.DataKey]), 1, default));
    }

    [Fact]
    public async Task Opened_in_portions_that_each_go_on_from_what_is_stored_every_flipped_bit_is_found_and_nothing_else()
    {
        var anna = SubjectKey.Patient(Small(1));
        for (var i = 0; i < 5; i++)
        {
            await OwnEvent("of one patient", anna);
        }

        var (faults, portions) = await InPortions();
        Assert.Empty(faults);
        // Eleven subjects, two a page and a portion; the first with more data keys than one statement reads; then fifteen data keys of any subject.
        Assert.InRange(portions, 10, 25);
        foreach (var index in await _owner.Sql("SELECT idx FROM data_keys ORDER BY idx").All(r => r.GetInt64(0), default))
        {
            await Run("UPDATE data_keys SET key = set_bit(key, 600, 1 - get_bit(key, 600)) WHERE idx = $1", index);
            var fault = Assert.Single((await InPortions()).Faults);
            Assert.Equal(("data-key", index), (fault.Code, fault.Index));
            await Run("UPDATE data_keys SET key = set_bit(key, 600, 1 - get_bit(key, 600)) WHERE idx = $1", index);
        }

        // Of another subject than any that has a key: only the last portions see it.
        await Run("UPDATE data_keys SET key = set_bit(key, 7, 1 - get_bit(key, 7)) WHERE idx = $1", await _owner.Sql("SELECT max(idx) FROM data_keys").Scalar<long>(default));
        Assert.Equal("data-key", Assert.Single((await InPortions()).Faults).Code);
    }

    [Fact]
    public async Task A_subject_that_is_shredded_between_two_portions_keeps_none_of_another_from_being_opened()
    {
        var (anna, bela, cili) = (SubjectKey.Patient(Small(1)), SubjectKey.Patient(Small(2)), SubjectKey.Patient(Small(3)));
        var damaged = await OwnEvent("of the third", cili);
        for (var i = 0; i < 4; i++)
        {
            await OwnEvent("of the first", anna);
        }

        await OwnEvent("of the second", bela);
        await Run("UPDATE data_keys SET key = set_bit(key, 600, 1 - get_bit(key, 600)) WHERE idx = $1", damaged);
        CheckReport report;
        CheckPosition? at = null;
        do
        {
            report = await Portion(at);
            at = report.Next;
        }
        while (at is { Keys: null or { Last.Length: 0 } });
        Assert.True(at!.Keys!.Index > damaged, "the page of the first two is under way, beyond the third one's data key");
        await _owner.Sql("DELETE FROM subject_keys WHERE subject = $1").With(anna.Key.ToArray()).Execute(default);
        await _owner.Sql("""
            INSERT INTO shreddings (id, kind, subject, reason, state, requested_by, requested_at, master, destroyed_at) VALUES ($1, 'patient', $2, 'x', 'destroyed', 'a', now(), 1, now())
            """).With(Guid.CreateVersion7()).With(anna.Key.ToArray()).Execute(default);
        while (report.Next is { } next)
        {
            report = await Portion(next);
        }

        Assert.Equal(("data-key", damaged), (Assert.Single(report.Faults).Code, report.Faults[0].Index));
    }

    // Each as by a process of its own, from the position as stored.
    private async Task<(IReadOnlyList<Fault> Faults, int Portions)> InPortions()
    {
        var portions = 0;
        var report = await Portion(null);
        for (; report.Next is { } next; portions += next.Keys is null ? 0 : 1)
        {
            report = await Portion(CheckPosition.TryRead(next.Write()));
        }

        return (report.Faults, portions);
    }

    private Task<CheckReport> Portion(CheckPosition? from)
    {
        var services = _ledger.App.Services;
        var check = new LogCheck(
            services.GetRequiredService<NpgsqlDataSource>(), services.GetRequiredService<DatabaseOptions>(), services.GetRequiredService<ILockStore>(),
            services.GetRequiredService<CheckpointSigner>(), services.GetRequiredService<Sources>(), services.GetRequiredService<IToken>())
        {
            KeyPace = new KeyPace { Page = 2, Step = 2, Subjects = 2, Keys = 3 },
        };
        return check.RunPortion(from, null, default);
    }

    private static byte[] Small(byte last) => [.. new byte[31], last];

    private Task<CheckReport> Check() => _ledger.Check();

    private Task<List<Fault>> Repair(CheckReport report) => _ledger.Repair(report, _owner);

#pragma warning disable CA1857 // The statements are this class's own test data.
    private async Task Run(string statement, long index) => Assert.Equal(1, await _owner.Sql(statement).With(index).Execute(default));
#pragma warning restore CA1857

    private async Task<long> OwnEvent(string detail, SubjectKey? patient = null)
    {
        var services = _ledger.App.Services;
        await Eventually.Holds(() => services.GetRequiredService<OutboxState>().LedgerReached == true, "the relay runs");
        await using var connection = await services.GetRequiredService<NpgsqlDataSource>().OpenConnectionAsync();
        await using var tx = await connection.BeginTransactionAsync();
        return Assert.IsType<ConfirmOutcome.Confirmed>(await services.GetRequiredService<Outbox>().AppendConfirmed(tx, Event(detail, patient), default)).Receipt.Index;
    }

    private static AuditEvent Event(string detail, SubjectKey? patient = null) => new()
    {
        Action = "REC.write",
        Actor = new Actor("urn:mdid:p:1"),
        Subjects = [patient ?? SubjectKey.Patient(RandomNumberGenerator.GetBytes(32)), SubjectKey.Institution("urn:mdid:o:1")],
        Outcome = EventOutcome.Success,
        Class = "ACCESS",
        Sealed = Encoding.UTF8.GetBytes(detail),
    };

    private async Task<TestProducer> Producer(string source)
    {
        using var client = _fixture.Client(source, _ledger.Address);
        await new LedgerLink(client, source).OpenEpoch(new string('0', 64), default);
        return _fixture.Producer(source);
    }

    private async Task Post(string source, byte[] frame, int count)
    {
        using var client = _fixture.Client(source, _ledger.Address);
        Assert.IsType<PostOutcome.Accepted>(await new LedgerLink(client, source).Post(frame, count, default));
    }
}
