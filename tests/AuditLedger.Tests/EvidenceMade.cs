using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.AuditLedger.Tests.Anchoring;
using Trust.AuditLedger.Tests.Witnessing;
using Trust.Cli.Local;
using Trust.Cli.Verify;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

/// <summary>One ledger with a witness and an outside authority, one prescription, one file.</summary>
public sealed class EvidenceMade : IAsyncLifetime
{
    private readonly SignedPrescription _signed = new();
    private LedgerFixture _fixture = null!;
    private TokenIssuer _issuer = null!;
    private ScriptedWitness _witness = null!;
    private SampleTimeStamper _outside = null!;
    private readonly TokenOptions _token = Tokens.NewOptions("ledger");
    private WebApplication _sign = null!;
    private Uri _signAddress = null!;

    internal RunningLedger Ledger { get; private set; } = null!;

    public ReadOnlyMemory<byte> FileBytes { get; private set; }

    public ReadOnlySpan<byte> File => FileBytes.Span;

    public TrustedList Trusted { get; private set; } = null!;

    public TestDatabase Database => _fixture.Database;

    public string PublicFolder => _fixture.Public;

    /// <summary>A patient with one event whose detail is sealed.</summary>
    public SubjectKey Patient { get; } = SubjectKey.Patient(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));

    public async ValueTask InitializeAsync()
    {
        _fixture = await LedgerFixture.Create();
        _fixture.Tokens = _issuer = await TokenIssuer.Start();
        _witness = await ScriptedWitness.Start("w1");
        await System.IO.File.WriteAllTextAsync(Path.Combine(_fixture.Public, "witnesses.vkeys"), _witness.Key.VKey + "\n");
        _fixture.AddWitness(_witness.Name, _witness.Address, _witness.Key);
        _fixture.Quorum = 1;
        _outside = await SampleTimeStamper.Start();
        _fixture.MorePeers.Add((_outside.Name, _outside.Address));
        _fixture.Anchoring = new { Authorities = new[] { _outside.Options() }, Interval = "00:00:00.100" };
        _fixture.Evidence = new { MaxEvents = 500, MaxBatchHashes = 1000 };
        _signAddress = await StartSigning();
        await Start();
        await Fill();
        await Eventually.Holds(() => Ledger.App.Services.GetRequiredService<OutboxState>().LedgerReached == true, "the ledger's own relay runs");
        await Eventually.Holds(
            async () => JsonNode.Parse((FileBytes = await Bytes("/evidence/prescription/rx-1", "510000")).Span)!["anchor"] is not null, "the file is anchored");
        await System.IO.File.WriteAllTextAsync(Path.Combine(PublicFolder, "root.pem"), _signed.RootPem);
        System.IO.File.Copy(_outside.RootFile, Path.Combine(PublicFolder, "root-outside.pem"));
        Trusted = TrustedList.Load(PublicFolder);
    }

    public JsonObject Json() => JsonNode.Parse(File)!.AsObject();

    /// <summary>A caller of that role and region.</summary>
    internal HttpClient Client(string role, string? region) => _issuer.Client(Ledger.Address, "urn:mdid:p:regulator", "audit.read", role, region);

    internal async Task<byte[]> Bytes(string path, string region)
    {
        using var client = Client("regulator", region);
        using var answer = await client.GetAsync(SampleSubjects.Path(path));
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return await answer.Content.ReadAsByteArrayAsync();
    }

    /// <summary>Asks, and verifies the answer.</summary>
    internal async Task<Verdict> Verified(string path, string region = "510000")
    {
        var verdict = EvidenceVerifier.Verify(await Bytes(path, region), Trusted);
        Assert.Null(verdict.Finding);
        return verdict;
    }

    internal async Task<string> Problem(string path) => (await Refused(path))["title"]!.GetValue<string>();

    internal async Task<JsonObject> Refused(string path)
    {
        using var client = Client("regulator", "510000");
        return (await (await client.GetAsync(SampleSubjects.Path(path))).Content.ReadFromJsonAsync<JsonObject>())!;
    }

    /// <summary>Sizes that were published: one past each commit entry.</summary>
    internal Task<List<long>> PublishedSizes() => Ledger.App.Services.GetRequiredService<NpgsqlDataSource>()
        .Sql("SELECT idx + 1 FROM entries WHERE substring(leaf FROM 1 FOR 1) = '\\x02' ORDER BY idx").All(r => r.GetInt64(0), default);

    /// <summary>The verdict line of the Python verifier.</summary>
    internal async Task<string> Python(byte[] file)
    {
        var folder = Scratch.Directory("python");
        var (evidence, trusted) = (Path.Combine(folder, "evidence.json"), Path.Combine(folder, "trusted.json"));
        await System.IO.File.WriteAllBytesAsync(evidence, file);
        await System.IO.File.WriteAllTextAsync(trusted, ListOf(Trusted).ToJsonString());
        return await SecondVerifier.Judge(evidence, trusted, default) ?? throw new InvalidOperationException("python3-cryptography is not installed");
    }

    /// <summary>A trusted list as the file that the second verifier reads.</summary>
    internal static JsonObject ListOf(TrustedList trusted) => new()
    {
        ["version"] = 1,
        ["roots"] = new JsonArray([.. trusted.Roots.Select(r => (JsonNode)Convert.ToBase64String(r.Der.Span))]),
        ["issuers"] = new JsonArray(),
        ["checkpointKeys"] = new JsonArray([.. trusted.CheckpointKeys.Select(k => (JsonNode)k)]),
        ["witnesses"] = new JsonArray([.. trusted.Witnesses.Select(k => (JsonNode)k)]),
        ["witnessQuorum"] = trusted.WitnessQuorum,
        ["sources"] = new JsonArray([.. trusted.BatchKeys.SelectMany(k => k.Value.Select(v => (JsonNode)new JsonObject { ["name"] = k.Key, ["batchKey"] = Convert.ToBase64String(v) }))]),
    };

    public async ValueTask DisposeAsync()
    {
        await Ledger.DisposeAsync();
        await _sign.DisposeAsync();
        await _witness.DisposeAsync();
        await _outside.DisposeAsync();
        await _issuer.DisposeAsync();
        await _fixture.DisposeAsync();
        _signed.Dispose();
    }

    private async Task Start()
    {
        Ledger = await _fixture.Start(_token, sign: _signAddress);
        await Ledger.Leads();
    }

    private async Task<Uri> StartSigning()
    {
        var address = new Uri($"http://127.0.0.1:{PostgresCluster.FreePort()}");
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls(address.ToString());
        _sign = builder.Build();
        var attachments = await _signed.Attachments(SampleSubjects.Id("rx-1"), "b64");
        var other = attachments.DeepClone().AsObject();
        other["prescription"] = SampleSubjects.Id("rx-2");
        var uncritical = await _signed.Attachments(SampleSubjects.Id("rx-5"), "srCms");
        var unknown = await _signed.Attachments(SampleSubjects.Id("rx-6"), "b64", "exp");
        var misstated = await _signed.Misstated(SampleSubjects.Id("rx-7"));
        var held = new[] { ("rx-1", attachments), ("rx-2", other), ("rx-5", uncritical), ("rx-6", unknown), ("rx-7", misstated) }
            .ToDictionary(pair => SampleSubjects.Id(pair.Item1), pair => pair.Item2, StringComparer.Ordinal);
        _sign.MapGet("/prescriptions/{id}/evidence", (string id) => held.TryGetValue(id, out var some) ? Results.Text(some.ToJsonString(), "application/json") : Results.NotFound());
        await _sign.StartAsync();
        return address;
    }

    private async Task Fill()
    {
        var ca = await Producer("ca");
        await Post("ca", ca.Next(TestProducer.Ceremony()), 1);
        var sign = await Producer("sign");
        await Post("sign", sign.Next(sign.Body("rx-0"), sign.Body("rx-1", "RX.sign", _signed.Basis, certificate: _signed.Signers[0]), sign.Body("rx-2", "RX.sign", _signed.Basis, certificate: new string('a', 64))), 3);
        await Post("ca", ca.Next(ca.Body("rx-9")), 1);
        await Post("sign", sign.Next(sign.Body("rx-1", basis: _signed.Basis, certificate: _signed.Signers[1]), sign.Body("rx-3")), 2);
        await Ledger.DisposeAsync();
        sign = await _fixture.ChangeBatchKey(sign);
        await Start();
        await Post("sign", sign.Next(sign.Body("rx-1", "RX.claim")), 1);
        await Post("sign", sign.Next(sign.Body("rx-1", "RX.dispense"), sign.Body("rx-3"), sign.Body("rx-4")), 3);
        await Post("sign", sign.Next(sign.Body("rx-5", basis: _signed.Basis), sign.Body("rx-6", basis: _signed.Basis)), 2);
        // A full batch: its first event brings more hashes along than one file may hold, another subject has more events than that.
        await Post("sign", sign.Next([sign.Body("rx-first"), .. Enumerable.Range(0, 501).Select(_ => sign.Body("rx-many")), .. Enumerable.Range(0, 521).Select(_ => sign.Body("rx-other")), sign.Body("rx-last")]), 1024);
        await Post("sign", sign.Next(sign.Body("rx-7", "RX.sign", _signed.Basis, certificate: _signed.Signers[^1])), 1);
        var idp = await Producer("idp");
        await Post("idp", idp.Next(EventBody.TryBuild(
            new AuditEvent
            {
                Action = "REC.write", Actor = new Actor("urn:mdid:p:1"), Subjects = [Patient], Outcome = EventOutcome.Success, Class = "ACCESS",
                Sealed = Encoding.UTF8.GetBytes("姓名 张某"),
            },
            new EventPlace("510000", "n"), DateTimeOffset.UtcNow, out _)!), 1);
    }

    private async Task<TestProducer> Producer(string source)
    {
        using var client = _fixture.Client(source, Ledger.Address);
        await new LedgerLink(client, source).OpenEpoch(new string('0', 64), default);
        return _fixture.Producer(source);
    }

    private async Task Post(string source, byte[] frame, int count)
    {
        using var client = _fixture.Client(source, Ledger.Address);
        Assert.IsType<PostOutcome.Accepted>(await new LedgerLink(client, source).Post(frame, count, default));
    }
}

/// <summary>Both classes that ask it share one.</summary>
[CollectionDefinition(nameof(EvidenceMade))]
public sealed class OneEvidenceMade : ICollectionFixture<EvidenceMade>;
