using System.Net;
using System.Net.Http.Json;
using Trust.AuditLedger.Fsck;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

public sealed class IntakeTests : IAsyncLifetime
{
    private LedgerFixture _fixture = null!;
    private readonly TokenOptions _token = Tokens.NewOptions("ledger");
    private RunningLedger _ledger = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await LedgerFixture.Create();
        _ledger = await _fixture.Start(_token);
        await _ledger.Leads();
    }

    public async ValueTask DisposeAsync()
    {
        await _ledger.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task Nothing_is_taken_before_the_ceremony_and_its_event_is_leaf_0()
    {
        var sign = await Producer("sign");
        using var early = await Post("sign", sign.Frame(1, 1, new byte[32], [sign.Body()], out _));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, early.StatusCode);
        Assert.Equal("1", early.Headers.GetValues("Retry-After").Single());
        Assert.Contains("ceremony-pending", await early.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        var ca = await Producer("ca");
        using var other = await Post("ca", ca.Frame(1, 1, new byte[32], [ca.Body()], out _));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, other.StatusCode);
        var receipts = await Accepted("ca", ca.Next(TestProducer.Ceremony()), 1);
        Assert.Equal(0, receipts.Receipts[0].Index);
        // Index 1 is the commit entry that ends the ceremony's group.
        Assert.Equal(2, (await Accepted("sign", sign.Next(sign.Body()), 1)).Receipts[0].Index);
    }

    [Fact]
    public async Task Receipts_verify_against_the_signed_checkpoint_by_inclusion_proofs()
    {
        var ca = await Begun();
        var answer = await Accepted("ca", ca.Next([.. Enumerable.Range(0, 300).Select(i => ca.Body($"rx-{i}"))]), 300);
        var keys = (await File.ReadAllLinesAsync(Path.Combine(_fixture.Public, "ledger.vkeys"))).Select(l => NoteVerifier.TryParse(l)!).ToList();
        Assert.Equal(3, keys.Count);
        var checkpoint = Checkpoint.TryParse(SignedNote.TryOpen(answer.Checkpoint, keys, 3)!)!;
        using var client = _fixture.Client("ca", _ledger.Address);
        var link = new LedgerLink(client, "ca");
        Assert.Equal(303, checkpoint.Size);
        foreach (var receipt in answer.Receipts.Where((_, i) => i % 37 == 0))
        {
            var proof = await client.GetFromJsonAsync<ProofAnswer>($"proofs/inclusion?index={receipt.Index}&size={checkpoint.Size}");
            Assert.True(MerkleProof.VerifyInclusion(receipt.Index, checkpoint.Size, receipt.LeafHash, [.. proof!.Hashes.Select(Convert.FromBase64String)], checkpoint.Root));
        }

        await Accepted("ca", ca.Next(ca.Body()), 1);
        var later = Checkpoint.TryParse(SignedNote.TryOpen(await link.Checkpoint(default), keys, 3)!)!;
        Assert.True(MerkleProof.VerifyConsistency(303, checkpoint.Root, 305, later.Root, await link.Consistency(303, 305, default)));
    }

    [Fact]
    public async Task The_same_batch_sent_a_thousand_times_on_eight_connections_is_one_leaf()
    {
        var ca = await Begun();
        var frame = ca.Next(ca.Body());
        var indices = new System.Collections.Concurrent.ConcurrentBag<long>();
        await Parallel.ForAsync(0, 8, async (_, _) =>
        {
            using var client = _fixture.Client("ca", _ledger.Address);
            var link = new LedgerLink(client, "ca");
            for (var i = 0; i < 125; i++)
            {
                indices.Add(Assert.IsType<PostOutcome.Accepted>(await link.Post(frame, 1, default)).Answer.Receipts[0].Index);
            }
        });
        Assert.Equal(1000, indices.Count);
        Assert.Equal([2L], indices.Distinct());
        Assert.Equal(2, await Events());
    }

    [Fact]
    public async Task The_same_place_with_another_body_is_refused_and_changes_nothing()
    {
        var ca = await Begun();
        var prev = ca.Head;
        await Accepted("ca", ca.Next(ca.Body()), 1);
        await Problem("ca", ca.Frame(1, 2, prev, [ca.Body("rx-other")], out _), HttpStatusCode.Conflict, "body-differs");
        Assert.Equal(2, await Events());
    }

    [Fact]
    public async Task A_batch_that_does_not_follow_the_head_is_refused()
    {
        var ca = await Begun();
        await Problem("ca", ca.Frame(1, 3, ca.Head, [ca.Body()], out _), HttpStatusCode.Conflict, "head-moved");
        await Problem("ca", ca.Frame(1, 2, new byte[32], [ca.Body()], out _), HttpStatusCode.Conflict, "head-moved");
        await Problem("ca", ca.Frame(2, 1, ca.Head, [ca.Body()], out _), HttpStatusCode.Conflict, "head-moved");
    }

    [Fact]
    public async Task An_older_epoch_is_refused_once_a_later_one_is_open()
    {
        var ca = await Begun();
        using var client = _fixture.Client("ca", _ledger.Address);
        var opened = await new LedgerLink(client, "ca").OpenEpoch(Convert.ToHexStringLower(ca.Head), default);
        Assert.Equal(2, opened!.OpenEpoch);
        await Problem("ca", ca.Frame(1, 2, ca.Head, [ca.Body()], out _), HttpStatusCode.Conflict, "epoch-stale");
        Assert.Null(await new LedgerLink(client, "ca").OpenEpoch(new string('0', 64), default));
        (ca.Epoch, ca.Seq) = (2, 0);
        await Accepted("ca", ca.Next(ca.Body()), 1);
    }

    [Fact]
    public async Task A_body_that_breaks_a_rule_names_its_position_and_nothing_of_the_batch_is_taken()
    {
        var ca = await Begun();
        using var answer = await Post("ca", ca.Frame(1, 2, ca.Head, [ca.Body(), "{\"action\":\"EVIL\"}"u8.ToArray()], out _));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.StatusCode);
        var problem = await answer.Content.ReadFromJsonAsync<LedgerProblem>(AuditJson.Default.LedgerProblem);
        Assert.Equal((1, "unknown-action"), (problem!.Position, problem.Reason));
        Assert.Equal(1, await Events());
    }

    [Fact]
    public async Task A_key_that_a_source_has_given_up_signs_nothing_new_and_what_it_signed_stands()
    {
        var before = await Begun();
        var sent = before.Frame(1, 2, before.Head, [before.Body()], out _);
        var stored = await Accepted("ca", sent, 1);
        await _ledger.DisposeAsync();
        var after = await _fixture.ChangeBatchKey(before);
        _ledger = await _fixture.Start(_token);
        await _ledger.Leads();

        await Problem("ca", before.Frame(1, 3, before.Head, [before.Body()], out _), HttpStatusCode.Forbidden, "batch-signature");
        // Its answer was lost: signed again with the new key, it is the same batch.
        await Problem("ca", sent, HttpStatusCode.Forbidden, "batch-signature");
        var frame = BatchFrame.TryRead(sent)!;
        var repeated = await Accepted("ca", after.Next([.. frame.Events.Select(e => e.Body.ToArray())]), 1);
        Assert.Equal(stored.Receipts[0].Index, repeated.Receipts[0].Index);
        await Accepted("ca", after.Next(after.Body()), 1);
        Assert.Empty((await _ledger.Check()).Faults);
    }

    [Fact]
    public async Task A_batch_signed_by_another_key_or_posted_by_another_service_is_refused()
    {
        var ca = await Begun();
        var forged = ca.Frame(1, 2, ca.Head, [ca.Body()], out _);
        forged[^1] ^= 1;
        await Problem("ca", forged, HttpStatusCode.Forbidden, "batch-signature");
        await Problem("sign", ca.Frame(1, 2, ca.Head, [ca.Body()], out _), HttpStatusCode.Forbidden, "batch-signature");
        using var stranger = _fixture.Client("bench", _ledger.Address);
        using var refused = await stranger.PostAsync("entries", new ByteArrayContent(ca.Frame(1, 2, ca.Head, [ca.Body()], out _)));
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        using var foreign = _fixture.Client("sign", _ledger.Address);
        using var head = await foreign.GetAsync("sources/ca/head");
        Assert.Equal(HttpStatusCode.Forbidden, head.StatusCode);
    }

    [Fact]
    public async Task A_caller_without_a_certificate_reads_heads_of_the_log_and_appends_nothing()
    {
        var ca = await Begun();
        using var handler = new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true } };
        using var client = new HttpClient(handler) { BaseAddress = _ledger.Address };
        Assert.Contains("ledger.example/510000\n2\n", await client.GetStringAsync("checkpoint"), StringComparison.Ordinal);
        using var refused = await client.PostAsync("entries", new ByteArrayContent(ca.Frame(1, 2, ca.Head, [ca.Body()], out _)));
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
    }

    [Fact]
    public async Task Malformed_and_oversized_requests_are_refused()
    {
        var ca = await Begun();
        var good = ca.Frame(1, 2, ca.Head, [ca.Body()], out _);
        await Problem("ca", good[..^1], HttpStatusCode.BadRequest, "malformed-batch");
        await Problem("ca", [.. good, 0], HttpStatusCode.BadRequest, "malformed-batch");
        await Problem("ca", "TLB2"u8.ToArray(), HttpStatusCode.BadRequest, "malformed-batch");
        using var client = _fixture.Client("ca", _ledger.Address);
        try
        {
            using var huge = await client.PostAsync("entries", new ByteArrayContent(new byte[BatchFrame.MaxBytes + 1]));
            Assert.Contains(huge.StatusCode, (HttpStatusCode[])[HttpStatusCode.BadRequest, HttpStatusCode.RequestEntityTooLarge]);
        }
        catch (HttpRequestException e) when (e.InnerException is IOException)
        {
            // The server may close before the whole body was sent: a refusal too.
        }

        Assert.Equal(1, await Events());
    }

    [Fact]
    public async Task The_runtime_role_cannot_rewrite_or_delete_what_was_logged()
    {
        await Begun();
        foreach (var statement in (string[])["UPDATE entries SET idx = 7", "DELETE FROM entries", "DELETE FROM batches", "TRUNCATE tiles"])
        {
#pragma warning disable CA1857 // The test's own texts.
            var refused = await Assert.ThrowsAsync<Npgsql.PostgresException>(() => _fixture.Database.Runtime.Sql(statement).Execute(default));
#pragma warning restore CA1857
            Assert.Equal(Npgsql.PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
        }
    }

    private async Task<TestProducer> Producer(string source)
    {
        using var client = _fixture.Client(source, _ledger.Address);
        var link = new LedgerLink(client, source);
        var head = await link.Head(default);
        await link.OpenEpoch(head.Hash, default);
        return _fixture.Producer(source);
    }

    private async Task<TestProducer> Begun()
    {
        var ca = await Producer("ca");
        await Accepted("ca", ca.Next(TestProducer.Ceremony()), 1);
        return ca;
    }

    private async Task<HttpResponseMessage> Post(string source, byte[] frame)
    {
        using var content = new ByteArrayContent(frame);
        return await _fixture.Client(source, _ledger.Address).PostAsync("entries", content);
    }

    private async Task<ReceiptFrame> Accepted(string source, byte[] frame, int count)
    {
        using var answer = await Post(source, frame);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return ReceiptFrame.TryRead(await answer.Content.ReadAsByteArrayAsync(), count)!;
    }

    private async Task Problem(string source, byte[] frame, HttpStatusCode status, string name)
    {
        using var answer = await Post(source, frame);
        Assert.Equal(status, answer.StatusCode);
        Assert.Contains("urn:trust:problem:ledger:" + name, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    private Task<long> Events() => _fixture.Database.Runtime.Sql("SELECT count(*) FROM entries WHERE get_byte(leaf, 0) <> 2").Scalar<long>(default);
}
