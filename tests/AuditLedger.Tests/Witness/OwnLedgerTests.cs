using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Trust.AuditLedger.Witnessing;
using Trust.Cli.Local;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.Pkcs11;
using Trust.TestKit;
using Trust.Witness;

namespace Trust.AuditLedger.Tests.Witness;

/// <summary>Our ledger before our witness, over mutual TLS as in an installation.</summary>
public sealed class OwnLedgerTests : IAsyncLifetime
{
    private const string Name = "witness";

    private readonly TokenOptions _token = Tokens.NewOptions("ledger");
    private readonly TokenOptions _witnessToken = Tokens.NewOptions("witness");
    private LedgerFixture _fixture = null!;

    public async ValueTask InitializeAsync() => _fixture = await LedgerFixture.Create();

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Fact]
    public async Task Each_checkpoint_is_recomputed_and_cosigned_and_a_row_rewritten_in_the_database_ends_that()
    {
        var address = new Uri($"https://127.0.0.1:{PostgresCluster.FreePort()}");
        var ledgerAddress = new Uri($"https://127.0.0.1:{PostgresCluster.FreePort()}");
        await Provision(Name, _witnessToken, address, ledgerAddress);
        _fixture.Quorum = 1;
        _fixture.Address = ledgerAddress;
        await using var ledger = await _fixture.Start(_token);
        await using var app = ServiceHost.Build(["run", "--config", Config(Name)], Trust.Witness.Program.Service);
        await app.StartAsync();
        await ledger.Leads();
        using var client = _fixture.Client("ca", ledger.Address);
        var link = new LedgerLink(client, "ca");
        await link.OpenEpoch(new string('0', 64), default);
        var producer = _fixture.Producer("ca");
        Assert.IsType<PostOutcome.Accepted>(await link.Post(producer.Next(TestProducer.Ceremony()), 1, default));
        var rounds = ledger.App.Services.GetRequiredService<CosignatureRounds>();
        for (var i = 1; i <= 4; i++)
        {
            var frame = producer.Next([.. Enumerable.Range(0, 90 * i).Select(_ => producer.Body())]);
            var answer = Assert.IsType<PostOutcome.Accepted>(await link.Post(frame, 90 * i, default)).Answer;
            using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            Assert.True((await rounds.RequestRound(answer.Receipts[^1].TreeSize, soon.Token)).Checkpoint.Size >= answer.Receipts[^1].TreeSize);
        }

        // A superuser rewrites an entry; the witness, started again, reads what is there now.
        await app.StopAsync();
        await app.DisposeAsync();
        await _fixture.Database.Owner.Sql("UPDATE entries SET leaf = set_byte(leaf, 200, get_byte(leaf, 200) # 1) WHERE idx = 100").Execute(default);
        await using var again = ServiceHost.Build(["run", "--config", Config(Name)], Trust.Witness.Program.Service);
        await again.StartAsync();
        Assert.IsType<PostOutcome.Accepted>(await link.Post(producer.Next(producer.Body()), 1, default));
        await Eventually.Holds(() => ledger.SetBack is not null, "signing ends");
        Assert.Contains("the witness witness has cosigned another log than the one of", ledger.SetBack, StringComparison.Ordinal);
        Assert.Contains("entry 100: ", ledger.SetBack, StringComparison.Ordinal);
        await again.StopAsync();
    }

    [Fact]
    public async Task A_later_witness_begins_at_the_landmark_of_the_first_when_the_ledger_has_pruned_its_first_entries()
    {
        var (address, laterAddress) = (new Uri($"https://127.0.0.1:{PostgresCluster.FreePort()}"), new Uri($"https://127.0.0.1:{PostgresCluster.FreePort()}"));
        var ledgerAddress = new Uri($"https://127.0.0.1:{PostgresCluster.FreePort()}");
        await Provision(Name, _witnessToken, address, ledgerAddress);
        var believed = Path.Combine(_fixture.Directory, "believed.vkeys");
        File.Copy(Path.Combine(_fixture.Public, "witness.vkey"), believed);
        (_fixture.Quorum, _fixture.Address, _fixture.VolumeSize) = (1, ledgerAddress, 300);
        var producer = _fixture.Producer("ca");
        WebApplication app;
        await using (var before = await _fixture.Start(_token))
        {
            app = ServiceHost.Build(["run", "--config", Config(Name)], Trust.Witness.Program.Service);
            await app.StartAsync();
            await before.Leads();
            using var client = _fixture.Client("ca", before.Address);
            var link = new LedgerLink(client, "ca");
            await link.OpenEpoch(new string('0', 64), default);
            Assert.IsType<PostOutcome.Accepted>(await link.Post(producer.Next(TestProducer.Ceremony()), 1, default));
            for (var i = 0; i < 10; i++)
            {
                await Cosigned(before, link, 100);
            }
        }

        // As after a prune, which takes ranges of at least 65,536.
        foreach (var statement in new[] { "DELETE FROM entries WHERE idx < 512", "UPDATE entries_ranges SET first = 512 WHERE first = 0", "UPDATE entries_layout SET minimum = 512" })
        {
#pragma warning disable CA2100 // The test's own text.
            await using var command = _fixture.Database.Owner.CreateCommand(statement);
#pragma warning restore CA2100
            Assert.True(await command.ExecuteNonQueryAsync() > 0);
        }

        await Provision("later", Tokens.NewOptions("later"), laterAddress, ledgerAddress, new { Peers = new[] { Name }, VKeysFile = believed, Quorum = 1 }, (Name, address));
        // Both were provisioned into one public folder; the ledger reads the first one's key there.
        File.Copy(believed, Path.Combine(_fixture.Public, "witness.vkey"), overwrite: true);
        await using var later = ServiceHost.Build(["run", "--config", Config("later")], Trust.Witness.Program.Service);
        await later.StartAsync();
        await using var ledger = await _fixture.Start(_token);
        await ledger.Leads();
        await Eventually.Holds(() => later.Services.GetRequiredService<WatchedLogs>().Find(LedgerFixture.Origin) is { Note.Length: > 0, Waits: null, Wrong: null }, "the later witness cosigns");
        // The first is away: the quorum is now the later one's.
        await app.StopAsync();
        await app.DisposeAsync();
        using var again = _fixture.Client("ca", ledger.Address);
        await Cosigned(ledger, new LedgerLink(again, "ca"), 1);
        await later.StopAsync();

        async Task Cosigned(RunningLedger by, LedgerLink link, int events)
        {
            var frame = producer.Next([.. Enumerable.Range(0, events).Select(_ => producer.Body())]);
            var answer = Assert.IsType<PostOutcome.Accepted>(await link.Post(frame, events, default)).Answer;
            using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            Assert.True((await by.App.Services.GetRequiredService<CosignatureRounds>().RequestRound(answer.Receipts[^1].TreeSize, soon.Token)).Checkpoint.Size >= answer.Receipts[^1].TreeSize);
        }
    }

    private string Config(string name) => Path.Combine(_fixture.Directory, name + ".json");

    private async Task Provision(string name, TokenOptions token, Uri address, Uri ledger, object? join = null, params (string Name, Uri Address)[] others)
    {
        var data = _fixture.Tls(name);
        await File.WriteAllTextAsync(Config(name), JsonSerializer.Serialize(new
        {
            Service = new { Region = "510000", Node = name, PublicDirectory = _fixture.Public, DataDirectory = data },
            Listen = new { Main = new { Url = address.ToString(), ClientCertificate = "None" } },
            Token = new { token.ModulePath, token.TokenLabel, token.PinFile, Region = "510000" },
            Peers = others.Prepend(("ledger", ledger)).Select(p => new { Name = p.Item1, Address = p.Item2.ToString(), Region = "510000" }),
            Witness = new { Name = name + ".example", Logs = new[] { new { LedgerFixture.Origin, Peer = "ledger", VKeysFile = Path.Combine(_fixture.Public, "ledger.vkeys"), Join = join } } },
        }));
        TestDeclaration.Write(Config(name), Trust.Witness.Program.Service);
        await using var app = ServiceHost.Build(["provision", "--config", Config(name)], Trust.Witness.Program.Service);
        await Trust.Witness.Program.Service.Provision!(app.Services, default);
        _fixture.AddWitness(name, address, NoteVerifier.TryParse((await File.ReadAllTextAsync(Path.Combine(_fixture.Public, "witness.vkey"))).Trim())!);
    }
}
