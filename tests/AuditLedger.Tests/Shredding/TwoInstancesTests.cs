using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.AuditLedger.Shredding;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Shredding;

/// <summary>Two instances over one database: one holds a subject's key in memory and sequences, the other shreds.</summary>
public sealed class TwoInstancesTests : IAsyncLifetime
{
    private readonly ShiftedClock _clock = new();
    private readonly TokenOptions _token = Tokens.NewOptions("ledger");
    private readonly SubjectKey _anna = SubjectKey.Patient(RandomNumberGenerator.GetBytes(32));
    private readonly SubjectKey _bela = SubjectKey.Patient(RandomNumberGenerator.GetBytes(32));
    private readonly AtPoint _faults = new();
    private LedgerFixture _fixture = null!;
    private RunningLedger _leads = null!;
    private RunningLedger _shreds = null!;
    private TestProducer _idp = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await LedgerFixture.Create();
        _leads = await _fixture.Start(_token, faults: _faults, clock: _clock);
        await _leads.Leads();
        _shreds = await _fixture.Start(_token, "ledger-2", clock: _clock);
        await Eventually.Holds(async () => await Db.Sql("SELECT count(*) FROM subject_masters").Scalar<long>(default) == 1, "the first master exists");
        await Post("ca", (await Producer("ca")).Next(TestProducer.Ceremony()), 1);
        _idp = await Producer("idp");
        await Logged(_anna, "before");
        await Logged(_bela, "before");
        _clock.Shift(TimeSpan.FromDays(220));
    }

    public async ValueTask DisposeAsync()
    {
        await _shreds.DisposeAsync();
        await _leads.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task What_comes_after_a_shredding_elsewhere_does_not_lie_under_the_key_that_was_shredded()
    {
        // The one that leads has just opened both keys.
        var (first, other) = (await LastOf(_anna), await LastOf(_bela));
        Assert.Equal("before", await Detail(Vault(_leads), first));
        Assert.Equal("before", await Detail(Vault(_leads), other));
        var identity = await Identity(_bela);
        await ShredElsewhere(_anna);
        Assert.Null(await Detail(Vault(_leads), first));

        var later = await Logged(_anna, "after");
        Assert.Equal("after", await Detail(AnotherVault(), later));
        Assert.Equal("after", await Detail(Vault(_leads), later));
        Assert.Null(await Detail(AnotherVault(), first));
        // The other's key has moved to the new master and is the same key.
        Assert.Equal(identity, await Identity(_bela));
        var kept = await Logged(_bela, "after");
        Assert.Equal("after", await Detail(AnotherVault(), kept));
        Assert.Equal("before", await Detail(AnotherVault(), other));
        Assert.Empty((await _leads.Check()).Faults);
    }

    [Fact]
    public async Task Detail_that_is_being_logged_when_another_instance_is_about_to_shred_spares_its_subject()
    {
        Task? shredding = null;
        _faults.Hook = point =>
        {
            if (point is "before-commit" && shredding is null)
            {
                shredding = Task.Run(() => ShredElsewhere(_anna));
                Eventually.Holds(
                    async () => shredding.IsCompleted || await Db.Sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%subject_keys%'").Scalar<long>(default) > 0,
                    "the other instance waits for the detail, or has shredded").GetAwaiter().GetResult();
            }
        };
        var later = await Logged(_anna, "meanwhile");
        await shredding!;
        Assert.Equal("meanwhile", await Detail(AnotherVault(), later));
        Assert.Equal("refused", await Db.Sql("SELECT state FROM shreddings").Scalar<string>(default));
    }

    [Fact]
    public async Task A_batch_whose_subject_is_being_shredded_is_taken_once_that_is_decided_and_no_other_batch_waits_for_it()
    {
        var connection = await Db.OpenConnectionAsync();
        await using (connection)
        {
            await using var tx = await connection.BeginTransactionAsync();
            await tx.Sql("SELECT subject FROM subject_keys WHERE subject = $1 FOR UPDATE").With(_anna.Key.ToArray()).Scalar<byte[]>(default);
            using var client = _fixture.Client("idp", _leads.Address);
            var link = new LedgerLink(client, "idp");
            var e = Event(_anna, "after");
            var frame = _idp.Next(e);
            Assert.IsNotType<PostOutcome.Accepted>(await link.Post(frame, 1, default));
            await Post("ca", _ca!.Next(_ca.Body()), 1);
            await tx.Sql("DELETE FROM subject_keys WHERE subject = $1").With(_anna.Key.ToArray()).Execute(default);
            await tx.CommitAsync();
            Assert.IsType<PostOutcome.Accepted>(await link.Post(frame, 1, default));
            _events[await LastOf(_anna)] = e;
        }

        Assert.Equal("after", await Detail(AnotherVault(), await LastOf(_anna)));
    }

    private readonly Dictionary<long, BuiltEvent> _events = [];
    private TestProducer? _ca;

    private NpgsqlDataSource Db => _leads.App.Services.GetRequiredService<NpgsqlDataSource>();

    private static SubjectKeyVault Vault(RunningLedger of) => of.App.Services.GetRequiredService<SubjectKeyVault>();

    private SubjectKeyVault AnotherVault() => new(Db, _leads.App.Services.GetRequiredService<IToken>(), _clock);

    private async Task ShredElsewhere(SubjectKey subject)
    {
        await Db.Sql("""
            INSERT INTO shreddings (id, kind, subject, reason, state, requested_by, requested_at, approved_by, approved_at) VALUES ($1, 'patient', $2, 'x', 'approved', 'a', now(), 'b', now())
            """).With(Guid.CreateVersion7()).With(subject.Key.ToArray()).Execute(default);
        // Its own loop may be at it.
        await Eventually.Holds(async () => await _shreds.App.Services.GetRequiredService<Shredder>().CarryOut(default), "the other instance has carried out what was approved");
    }

    private BuiltEvent Event(SubjectKey subject, string detail) => EventBody.TryBuild(
        new AuditEvent { Action = "REC.write", Actor = new Actor("urn:mdid:p:1"), Subjects = [subject], Outcome = EventOutcome.Success, Class = "ACCESS", Sealed = Encoding.UTF8.GetBytes(detail) },
        new EventPlace("510000", "n"), _clock.GetUtcNow(), out _)!;

    private async Task<long> Logged(SubjectKey subject, string detail)
    {
        var e = Event(subject, detail);
        await Post("idp", _idp.Next(e), 1);
        var index = await LastOf(subject);
        _events[index] = e;
        return index;
    }

    private Task<long> LastOf(SubjectKey subject) => Db.Sql("SELECT max(idx) FROM data_keys WHERE subject = $1").With(subject.Key.ToArray()).Scalar<long>(default);

    private async Task<string> Identity(SubjectKey subject) => (await Db.Sql("SELECT to_jsonb(k) ->> 'id' FROM subject_keys k WHERE subject = $1").With(subject.Key.ToArray()).Scalar<string>(default))!;

    private async Task<string?> Detail(SubjectKeyVault vault, long index)
    {
        var e = _events[index];
        var key = await vault.DataKey(index, SHA256.HashData(e.Bytes), default);
        return key is null ? null : Encoding.UTF8.GetString(EventBody.Open(JsonNode.Parse(e.Bytes)!["sealed"]!.GetValue<string>(), key, e.Id));
    }

    private async Task<TestProducer> Producer(string source)
    {
        using var client = _fixture.Client(source, _leads.Address);
        await new LedgerLink(client, source).OpenEpoch(new string('0', 64), default);
        var producer = _fixture.Producer(source);
        _ca = source is "ca" ? producer : _ca;
        return producer;
    }

    private async Task Post(string source, byte[] frame, int count)
    {
        using var client = _fixture.Client(source, _leads.Address);
        Assert.IsType<PostOutcome.Accepted>(await new LedgerLink(client, source).Post(frame, count, default));
    }

    private sealed class AtPoint : LedgerFaults
    {
        public Action<string>? Hook { get; set; }

        public override void At(string point) => Hook?.Invoke(point);
    }
}
