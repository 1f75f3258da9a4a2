using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Trust.AuditLedger.Intake;
using Trust.Kernel.Audit;
using Trust.LogFormat;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Intake;

/// <summary>What may come in when disk or memory run short.</summary>
public sealed class AdmissionTests : IAsyncLifetime
{
    private readonly TokenOptions _token = Tokens.NewOptions("ledger");
    private LedgerFixture _fixture = null!;

    public async ValueTask InitializeAsync() => _fixture = await LedgerFixture.Create();

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    // Incident Mammoth2024h1: the database's disk ran full and a table was lost.
    [Fact]
    public async Task Below_five_percent_of_free_disk_nothing_is_taken_and_with_room_again_the_same_batch_is()
    {
        var volumes = new SetVolumes { Free = 0.2 };
        await using var ledger = await _fixture.Start(_token, with: services => services.AddSingleton<Volumes>(volumes));
        await ledger.Leads();
        using var client = _fixture.Client("ca", ledger.Address);
        var (link, producer) = await Begin(client);
        volumes.Free = 0.049;
        var admission = ledger.App.Services.GetRequiredService<Admission>();
        await Eventually.Holds(() => !admission.Health().Ready, "the low disk is seen");
        var batch = producer.Next(producer.Body());
        using (var content = new ByteArrayContent(batch))
        using (var answer = await client.PostAsync("entries", content))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
            Assert.Equal("30", answer.Headers.GetValues("Retry-After").Single());
            Assert.Contains("urn:trust:problem:ledger:disk-low", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        // Reading goes on.
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("checkpoint")).StatusCode);
        volumes.Free = 0.2;
        await Eventually.Holds(async () => await link.Post(batch, 1, default) is PostOutcome.Accepted, "it is taken");
    }

    [Fact]
    public void The_free_share_of_a_real_volume_is_between_none_and_all() =>
        Assert.InRange(new Volumes().FreeShare(_fixture.Directory), double.Epsilon, 1);

    // Incidents Nessie2025, TrustAsia 2025: what came in faster than it could be stored was lost.
    [Fact]
    public async Task A_flood_is_refused_with_Retry_After_within_the_bytes_allowed_and_what_was_acknowledged_is_there()
    {
        _fixture.QueueBytes = 8 * 1024 * 1024;
        await using var ledger = await _fixture.Start(_token);
        await ledger.Leads();
        using var client = _fixture.Client("ca", ledger.Address);
        var (link, producer) = await Begin(client);
        var admission = ledger.App.Services.GetRequiredService<Admission>();
        var most = 0L;
        // The same large batch from many connections at once: 64 of 1.1 MB, far beyond what may be inside.
        var batch = producer.Next([.. Enumerable.Range(0, 1000).Select(_ => Large())]);
        var flood = Enumerable.Range(0, 64).Select(async _ =>
        {
            using var content = new ByteArrayContent(batch);
            using var answer = await client.PostAsync("entries", content);
            return (answer.StatusCode, Retry: answer.Headers.RetryAfter is not null);
        }).ToList();
        while (!flood.TrueForAll(f => f.IsCompleted))
        {
            most = Math.Max(most, admission.BytesInside);
            await Task.Yield();
        }

        var answers = await Task.WhenAll(flood);
        Assert.InRange(most, 1, _fixture.QueueBytes);
        Assert.All(answers, a => Assert.True(a.StatusCode == HttpStatusCode.OK || (a.StatusCode == HttpStatusCode.ServiceUnavailable && a.Retry), $"{a}"));
        Assert.Contains(answers, a => a.StatusCode == HttpStatusCode.ServiceUnavailable);
        PostOutcome again = new PostOutcome.Away("");
        await Eventually.Holds(async () => (again = await link.Post(batch, 1000, default)) is PostOutcome.Accepted, "it is taken in the end");
        Assert.Equal(1000, Assert.IsType<PostOutcome.Accepted>(again).Answer.Receipts.Select(r => r.Index).Distinct().Count());
        Assert.Equal(0, admission.BytesInside);
        Assert.IsType<PostOutcome.Accepted>(await link.Post(producer.Next(producer.Body()), 1, default));
    }

    private static BuiltEvent Large() => EventBody.TryBuild(
        new AuditEvent
        {
            Action = "RX.review",
            Actor = new Actor("urn:mdid:p:1"),
            Subjects = [SubjectKey.Prescription("rx-1")],
            Outcome = EventOutcome.Success,
            Sealed = new byte[512],
        },
        new EventPlace("510000", "node-1"), TimeProvider.System.GetUtcNow(), out _)!;

    private async Task<(LedgerLink, TestProducer)> Begin(HttpClient client)
    {
        var link = new LedgerLink(client, "ca");
        await link.OpenEpoch(new string('0', 64), default);
        var producer = _fixture.Producer("ca");
        Assert.IsType<PostOutcome.Accepted>(await link.Post(producer.Next(TestProducer.Ceremony()), 1, default));
        return (link, producer);
    }

    private sealed class SetVolumes : Volumes
    {
        public double Free { get; set; }

        public override double FreeShare(string path) => Free;
    }
}
