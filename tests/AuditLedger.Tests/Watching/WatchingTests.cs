using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.AuditLedger.Watching;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Watching;

/// <summary>Two alarm families over access, and the check that runs by itself.</summary>
public sealed class WatchingTests
{
    private const long Minute = 60_000_000;

    [Fact]
    public void Reading_one_patient_again_and_again_is_alarmed_once_and_not_across_the_window()
    {
        var (watch, alarms) = Watch();
        var patient = SubjectKey.Patient(RandomNumberGenerator.GetBytes(32));
        for (var i = 0; i < 4; i++)
        {
            watch.LookAtLeaves([Leaf("nosy", "REC.read", patient, i * 25 * Minute)]);
        }

        Assert.Empty(alarms);
        for (var i = 0; i < 4; i++)
        {
            watch.LookAtLeaves([Leaf("nosy", "REC.read", patient, (100 * Minute) + i)]);
        }

        Assert.Equal(["Snooping: actor:nosy count:4"], alarms);
    }

    [Fact]
    public void Reading_many_patients_is_alarmed_and_writing_them_is_not()
    {
        var (watch, alarms) = Watch();
        for (var i = 0; i < 10; i++)
        {
            watch.LookAtLeaves([Leaf("ward", "REC.write", SubjectKey.Patient(RandomNumberGenerator.GetBytes(32)), i)]);
        }

        Assert.Empty(alarms);
        for (var i = 0; i < 7; i++)
        {
            watch.LookAtLeaves([Leaf("harvester", "REC.export", SubjectKey.Patient(RandomNumberGenerator.GetBytes(32)), i), Leaf("other", "REC.read", SubjectKey.Institution("urn:mdid:o:1"), i)]);
        }

        Assert.Equal(["BulkReading: actor:harvester count:6"], alarms);
    }

    [Fact]
    public async Task A_scrub_of_a_damaged_log_makes_the_service_unready_and_is_logged()
    {
        await using var fixture = await LedgerFixture.Create();
        await using var ledger = await fixture.Start(Tokens.NewOptions("ledger"));
        await ledger.Leads();
        using var client = fixture.Client("ca", ledger.Address);
        await new LedgerLink(client, "ca").OpenEpoch(new string('0', 64), default);
        var ca = fixture.Producer("ca");
        Assert.IsType<PostOutcome.Accepted>(await new LedgerLink(client, "ca").Post(ca.Next(TestProducer.Ceremony()), 1, default));
        var scrub = ledger.App.Services.GetRequiredService<Scrub>();
        Assert.Empty((await scrub.CheckLog(default)).Faults);
        Assert.True(scrub.Health().Ready);

        await using var owner = Outbound.Database(fixture.Database.Options, asOwner: true);
        await owner.Sql("UPDATE entries SET leaf = set_bit(leaf, 600, 1 - get_bit(leaf, 600)) WHERE idx = 0").Execute(default);
        Assert.NotEmpty((await scrub.CheckLog(default)).Faults);
        Assert.False(scrub.Health().Ready);
        var logged = await ledger.App.Services.GetRequiredService<NpgsqlDataSource>()
            .Sql("SELECT convert_from(body, 'UTF8') FROM audit_outbox WHERE action = 'LEDGER.verify' ORDER BY ordinal").All(r => r.GetString(0), default);
        Assert.Contains("\"outcome\":\"success\"", logged[0], StringComparison.Ordinal);
        Assert.Contains("\"outcome\":\"failed\"", logged[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_alarm_is_an_event_even_when_the_reader_has_the_longest_name_there_may_be()
    {
        await using var fixture = await LedgerFixture.Create();
        await using var ledger = await fixture.Start(Tokens.NewOptions("ledger"));
        await ledger.Leads();
        using var client = fixture.Client("ca", ledger.Address);
        var link = new LedgerLink(client, "ca");
        await link.OpenEpoch(new string('0', 64), default);
        var ca = fixture.Producer("ca");
        Assert.IsType<PostOutcome.Accepted>(await link.Post(ca.Next(TestProducer.Ceremony()), 1, default));
        var watch = ledger.App.Services.GetRequiredService<AccessWatch>();
        var name = new string('名', EventBody.MaxText / 3);
        var patient = SubjectKey.Patient(RandomNumberGenerator.GetBytes(32));
        watch.LookAtLeaves([.. Enumerable.Repeat(Leaf(name, "REC.read", patient, 0), 31)]);
        await Eventually.Holds(async () => (await fixture.Alarms()).Count == 1, "the alarm is logged");
        Assert.Matches("^alarm:snooping actor:sha256-[0-9a-f]{64} count:31$", (await fixture.Alarms())[0]);
    }

    private static (AccessWatch Watch, List<string> Alarms) Watch()
    {
        var options = new AuditLedgerOptions
        {
            Origin = "o", LockStoreDirectory = "/", Sources = [], Watching = new WatchingOptions { ReadsOfOnePatient = 3, PatientsOfOneReader = 5 },
        };
        var said = new Lines<Alarms>();
        return (new AccessWatch(options, new Alarms(null!, null!, said)), said.Said);
    }

    private static byte[] Leaf(string actor, string action, SubjectKey subject, long time)
    {
        var body = EventBody.TryBuild(
            new AuditEvent { Action = action, Actor = new Actor(actor), Subjects = [subject], Outcome = EventOutcome.Success },
            new EventPlace("510000", "n"), DateTimeOffset.UtcNow, out _)!.Bytes;
        var leaf = new byte[EventLeaf.Length("sign", 32, body.Length)];
        EventLeaf.Write(leaf, new EntryPlace("sign", 1, 1, new byte[32], SHA256.HashData(body)), subject.Key, time, body);
        return leaf;
    }
}
