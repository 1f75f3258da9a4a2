using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Trust.AuditLedger.Tests.Witnessing;
using Trust.Cli.Verify;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Index;

/// <summary>What a person or a system did: a question like any other, also of a log that is older than the index by actors.</summary>
public sealed class ActorTests : IAsyncLifetime
{
    private const string Officer = "urn:mdid:p:01JD000000000000000000000A";
    private const string Machine = "pharmacy-jincheng";

    private readonly TokenOptions _token = Tokens.NewOptions("ledger");
    private LedgerFixture _fixture = null!;
    private TokenIssuer _issuer = null!;
    private ScriptedWitness _witness = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await LedgerFixture.Create();
        _fixture.Tokens = _issuer = await TokenIssuer.Start();
        _witness = await ScriptedWitness.Start("w1");
        await File.WriteAllTextAsync(Path.Combine(_fixture.Public, "witnesses.vkeys"), _witness.Key.VKey + "\n");
        _fixture.AddWitness(_witness.Name, _witness.Address, _witness.Key);
        _fixture.Quorum = 1;
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        var root = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=root", key, System.Security.Cryptography.HashAlgorithmName.SHA256);
        using var certificate = root.CreateSelfSigned(DateTimeOffset.UnixEpoch.AddYears(50), DateTimeOffset.UnixEpoch.AddYears(90));
        await File.WriteAllTextAsync(Path.Combine(_fixture.Public, "root.pem"), certificate.ExportCertificatePem());
    }

    public async ValueTask DisposeAsync()
    {
        await _witness.DisposeAsync();
        await _issuer.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task What_a_person_or_a_system_did_is_asked_and_proved_to_be_all()
    {
        await using var ledger = await _fixture.Start(_token);
        await ledger.Leads();
        var producer = await Open(ledger);
        await Post(ledger, producer, TestProducer.Ceremony(), By(Officer), By(Machine), By(Officer), By(Machine, "CERT.revoke"));
        await Post(ledger, producer, By(Officer, "CERT.hold"));
        await Records(ledger);

        var (verdict, second) = await Ask(ledger, Officer);
        Assert.Equal(["ID.state", "ID.state", "CERT.hold"], verdict.Events.Select(e => e.Action));
        Assert.Null(verdict.CoversFrom);
        Assert.StartsWith($"VERIFIED actor {Officer}; ledger", second, StringComparison.Ordinal);
        (verdict, _) = await Ask(ledger, Machine);
        Assert.Equal(["ID.state", "CERT.revoke"], verdict.Events.Select(e => e.Action));
        (verdict, second) = await Ask(ledger, "nobody");
        Assert.True(verdict.HasNoEvent);
        Assert.StartsWith("NO EVENT", second, StringComparison.Ordinal);
        Assert.Empty((await ledger.Check()).Faults);
    }

    [Fact]
    public async Task Of_an_older_log_the_answer_says_from_which_entry_on_it_covers_who_acted()
    {
        TestProducer producer;
        await using (var young = await _fixture.Start(_token))
        {
            await young.Leads();
            producer = await Open(young);
        }

        await WriteOldGroup(producer.Next(TestProducer.Ceremony(), By(Officer), By(Machine)));
        await using var ledger = await _fixture.Start(_token);
        await ledger.Leads();
        Assert.Equal("actors-unknown", await Refused(ledger, Officer));
        await Post(ledger, producer, By(Machine), By(Officer));
        await Post(ledger, producer, By(Officer, "CERT.hold"));
        await Records(ledger);

        var (verdict, second) = await Ask(ledger, Officer);
        Assert.Equal(["ID.state", "CERT.hold"], verdict.Events.Select(e => e.Action));
        var covered = Assert.NotNull(verdict.CoversFrom);
        Assert.InRange(covered.Index, 5, 6);
        Assert.Contains($"only from #{covered.Index} on, nothing of before", second, StringComparison.Ordinal);
        Assert.Contains($"ONLY FROM #{covered.Index}", VerdictText.Write(verdict, english: true), StringComparison.Ordinal);
        Assert.Empty((await ledger.Check()).Faults);

        // By another subject nothing has changed: events of both types, all of them.
        (verdict, _) = await Ask(ledger, SampleSubjects.Institution, "institution");
        Assert.Equal(5, verdict.Events.Count);
    }

    [Fact]
    public async Task A_file_that_claims_to_cover_who_acted_before_the_log_knew_it_is_refused_by_both_verifiers()
    {
        TestProducer producer;
        await using (var young = await _fixture.Start(_token))
        {
            await young.Leads();
            producer = await Open(young);
        }

        await WriteOldGroup(producer.Next(TestProducer.Ceremony(), By(Officer), By(Machine)));
        await using var ledger = await _fixture.Start(_token);
        await ledger.Leads();
        await Post(ledger, producer, By(Machine), By(Officer));
        await Post(ledger, producer, By(Officer, "CERT.hold"));
        await Records(ledger);
        var file = JsonNode.Parse(await Bytes(ledger, Officer, "actor"))!.AsObject();
        var older = JsonNode.Parse(await Bytes(ledger, SampleSubjects.Institution, "institution"))!["events"]![0]!;
        (file["range"]!["before"]!["leaf"], file["range"]!["before"]!["proof"]) = (older["leaf"]!.DeepClone(), older["proof"]!.DeepClone());
        file["range"]!["from"] = older["index"]!.GetValue<long>() + 1;
        var bytes = Crypto.Json.CanonicalJson.Encode(System.Text.Json.JsonSerializer.SerializeToElement(file));
        var trusted = TrustedList.Load(_fixture.Public);
        Assert.Equal("period", EvidenceVerifier.Verify(bytes, trusted).Finding!.Code);
        Assert.StartsWith("REFUSED [period]", await Python(bytes, trusted), StringComparison.Ordinal);
    }

    private static byte[] By(string actor, string action = "ID.state") => EventBody.TryBuild(
        new AuditEvent { Action = action, Actor = new Actor(actor), Subjects = [SubjectKey.Institution(SampleSubjects.Institution)], Outcome = EventOutcome.Success },
        new EventPlace("510000", "node-1"), TimeProvider.System.GetUtcNow(), out _)!.Bytes;

    private static Task Records(RunningLedger ledger) =>
        Eventually.Holds(() => ledger.App.Services.GetRequiredService<OutboxState>().LedgerReached == true, "the ledger's own relay runs");

    private async Task<TestProducer> Open(RunningLedger ledger)
    {
        using var client = _fixture.Client("ca", ledger.Address);
        await new LedgerLink(client, "ca").OpenEpoch(new string('0', 64), default);
        return _fixture.Producer("ca");
    }

    private async Task Post(RunningLedger ledger, TestProducer producer, params byte[][] bodies)
    {
        using var client = _fixture.Client("ca", ledger.Address);
        Assert.IsType<PostOutcome.Accepted>(await new LedgerLink(client, "ca").Post(producer.Next(bodies), bodies.Length, default));
    }

    private async Task<byte[]> Bytes(RunningLedger ledger, string subject, string kind)
    {
        using var client = _issuer.Client(ledger.Address, "urn:mdid:p:regulator", "audit.read", "regulator", "510000");
        using var answer = await client.GetAsync($"evidence/{kind}/{subject}");
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return await answer.Content.ReadAsByteArrayAsync();
    }

    private async Task<string> Refused(RunningLedger ledger, string subject)
    {
        using var client = _issuer.Client(ledger.Address, "urn:mdid:p:regulator", "audit.read", "regulator", "510000");
        using var answer = await client.GetAsync($"evidence/actor/{subject}");
        return JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["type"]!.GetValue<string>().Split(':')[^1];
    }

    private async Task<(Verdict First, string Second)> Ask(RunningLedger ledger, string subject, string kind = "actor")
    {
        var file = await Bytes(ledger, subject, kind);
        var trusted = TrustedList.Load(_fixture.Public);
        var verdict = EvidenceVerifier.Verify(file, trusted);
        Assert.Null(verdict.Finding);
        return (verdict, await Python(file, trusted));
    }

    private static async Task<string> Python(byte[] file, TrustedList trusted)
    {
        var folder = Scratch.Directory("python");
        var (evidence, list) = (Path.Combine(folder, "evidence.json"), Path.Combine(folder, "trusted.json"));
        await File.WriteAllBytesAsync(evidence, file);
        await File.WriteAllTextAsync(list, EvidenceMade.ListOf(trusted).ToJsonString());
        return await SecondVerifier.Judge(evidence, list, default) ?? throw new InvalidOperationException("python3-cryptography is not installed");
    }

    // What a sequencer of before left when it ended: events of type 1 with their commit entry, stored and not signed for.
    private async Task WriteOldGroup(byte[] frame)
    {
        await using var owner = Outbound.Database(_fixture.Database.Options, asOwner: true);
        var batch = BatchFrame.TryRead(frame)!;
        var (tree, index, prev, time) = (new LogTree(), new SubjectIndex(), batch.Prev.ToArray(), Microseconds.Since1970(TimeProvider.System.GetUtcNow()));
        var source = await owner.Sql("SELECT id FROM sources WHERE name = 'ca'").Scalar<short>(default);
        for (var i = 0; i < batch.Events.Count; i++)
        {
            var body = batch.Events[i].Body;
            var keys = new System.Buffers.ArrayBufferWriter<byte>();
            Assert.Null(EventBodyReader.Check(body.Span, keys, out _));
            var distinct = SubjectKeys.Distinct(keys.WrittenSpan);
            var hash = System.Security.Cryptography.SHA256.HashData(body.Span);
            var leaf = new byte[EventLeaf.Length("ca", distinct.Length, body.Length)];
            EventLeaf.Write(leaf, new EntryPlace("ca", 1, i + 1, prev, hash), distinct, time, body.Span);
            prev = Next(i + 1, prev, hash);
            await Insert(leaf);
            index.Append(i, MerkleProof.LeafHash(leaf), distinct);
        }

        var count = batch.Events.Count;
        await Insert(index.Commit(count, long.MaxValue).Write());
        await owner.Sql("INSERT INTO batches (source, epoch, first_seq, last_seq, first_idx, signature) VALUES ($1, 1, 1, $2, 0, $3)")
            .With(source).With((long)count).With(batch.Signature.ToArray()).Execute(default);
        await owner.Sql("UPDATE sources SET epoch = 1, seq = $2, hash = $3 WHERE id = $1").With(source).With((long)count).With(prev).Execute(default);
        await owner.Sql("UPDATE head SET size = $1, root = $2, time = $3").With(tree.Size).With(tree.Root()).With(time).Execute(default);

        async Task Insert(byte[] leaf)
        {
            var hash = MerkleProof.LeafHash(leaf);
            await owner.Sql("INSERT INTO entries (idx, leaf_hash, leaf) VALUES ($1, $2, $3)").With(tree.Size).With(hash).With(leaf).Execute(default);
            tree.Append(hash, null);
        }
    }

    private static byte[] Next(long seq, byte[] prev, byte[] hash)
    {
        var next = new byte[32];
        Envelope.Hash("ca", 1, seq, prev, hash, next);
        return next;
    }
}
