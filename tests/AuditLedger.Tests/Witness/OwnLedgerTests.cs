using System.Text.Json;
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
        await Provision(address, ledgerAddress);
        _fixture.AddWitness(Name, address, NoteVerifier.TryParse((await File.ReadAllTextAsync(Path.Combine(_fixture.Public, "witness.vkey"))).Trim())!);
        _fixture.Quorum = 1;
        _fixture.Address = ledgerAddress;
        await using var ledger = await _fixture.Start(_token);
        await using var app = ServiceHost.Build(["run", "--config", Config], Trust.Witness.Program.Service);
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
        await using var again = ServiceHost.Build(["run", "--config", Config], Trust.Witness.Program.Service);
        await again.StartAsync();
        Assert.IsType<PostOutcome.Accepted>(await link.Post(producer.Next(producer.Body()), 1, default));
        await Eventually.Holds(() => ledger.SetBack is not null, "signing ends");
        Assert.Contains("the witness witness has cosigned another log than the one of", ledger.SetBack, StringComparison.Ordinal);
        Assert.Contains("entry 100: ", ledger.SetBack, StringComparison.Ordinal);
        await again.StopAsync();
    }

    private string Config => Path.Combine(_fixture.Directory, "witness.json");

    private async Task Provision(Uri address, Uri ledger)
    {
        var data = _fixture.Tls(Name);
        await File.WriteAllTextAsync(Config, JsonSerializer.Serialize(new
        {
            Service = new { Region = "510000", Node = "witness-1", PublicDirectory = _fixture.Public, DataDirectory = data },
            Listen = new { Main = new { Url = address.ToString(), ClientCertificate = "None" } },
            Token = new { _witnessToken.ModulePath, _witnessToken.TokenLabel, _witnessToken.PinFile, Region = "510000" },
            Peers = new[] { new { Name = "ledger", Address = ledger.ToString(), Region = "510000" } },
            Witness = new { Name = "witness.example", Logs = new[] { new { LedgerFixture.Origin, Peer = "ledger", VKeysFile = Path.Combine(_fixture.Public, "ledger.vkeys") } } },
        }));
        TestDeclaration.Write(Config, Trust.Witness.Program.Service);
        await using var app = ServiceHost.Build(["provision", "--config", Config], Trust.Witness.Program.Service);
        await Trust.Witness.Program.Service.Provision!(app.Services, default);
    }
}
