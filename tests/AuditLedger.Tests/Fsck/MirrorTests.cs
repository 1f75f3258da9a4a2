using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Fsck;
using Trust.AuditLedger.Tiles;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Fsck;

/// <summary>The second copy holds what the log keeps, no less and no more.</summary>
public sealed class MirrorTests : IAsyncLifetime
{
    private readonly string _folder = Scratch.Directory("mirror");
    private readonly LaterClock _clock = new();
    private LedgerFixture _fixture = null!;
    private RunningLedger _ledger = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await LedgerFixture.Create();
        _ledger = await _fixture.Start(Tokens.NewOptions("ledger"));
        await _ledger.Leads();
        var ca = _fixture.Producer("ca");
        using var client = _fixture.Client("ca", _ledger.Address);
        var link = new LedgerLink(client, "ca");
        await link.OpenEpoch(new string('0', 64), default);
        await Post(ca.Next(TestProducer.Ceremony()), 1);
        for (var batch = 0; batch < 9; batch++)
        {
            await Post(ca.Next([.. Enumerable.Range(0, 100).Select(n => ca.Body($"rx-{n}"))]), 100);
        }

        async Task Post(byte[] frame, int count) => Assert.IsType<PostOutcome.Accepted>(await link.Post(frame, count, default));
    }

    public async ValueTask DisposeAsync()
    {
        await _ledger.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task What_somebody_removed_is_put_back_within_the_hour_and_by_a_restart_at_once()
    {
        var mirror = Started();
        await mirror.Extend(default);
        var whole = Bundles();
        Assert.Equal(["000", "001", "002"], whole.Keys);

        // The older half: what a tidying operator takes first.
        Remove("000", "001");
        await mirror.Extend(default);
        Assert.Equal(["002"], Bundles().Keys);
        _clock.Later(TimeSpan.FromHours(1));
        await mirror.Extend(default);
        Assert.Equal(whole, Bundles());

        Remove("000", "002");
        await Started().Extend(default);
        Assert.Equal(whole, Bundles());
    }

    [Fact]
    public async Task What_was_pruned_goes_from_the_mirror_too_and_does_not_end_it()
    {
        var mirror = Started();
        await mirror.Extend(default);
        var kept = Bundles()["000"];
        await Prune();
        await mirror.Extend(default);
        Assert.Equal(["001", "002"], Bundles().Keys);

        // Also what came back from elsewhere, and when the half that is kept is not all there.
        await File.WriteAllBytesAsync(Path.Combine(_folder, "entries", "000"), Convert.FromHexString(kept));
        Remove("001");
        await Started().Extend(default);
        Assert.Equal(["001", "002"], Bundles().Keys);
    }

    [Fact]
    public async Task A_bundle_that_the_log_has_lost_is_a_fault_and_not_the_end_of_the_mirror()
    {
        await using (var owner = Outbound.Database(_fixture.Database.Options, asOwner: true))
        {
            await owner.Sql("DELETE FROM entries WHERE idx >= 256 AND idx < 512").Execute(default);
        }

        await Assert.ThrowsAsync<InvalidOperationException>(() => Started().Extend(default));
    }

    private Mirror Started()
    {
        var services = _ledger.App.Services;
        return new Mirror(
            services.GetRequiredService<AuditLedgerOptions>() with { MirrorDirectory = _folder }, services.GetRequiredService<NpgsqlDataSource>(),
            new TileStore(services.GetRequiredService<NpgsqlDataSource>()), services.GetRequiredService<Sequencer>(), _clock);
    }

    private async Task Prune()
    {
        await using var owner = Outbound.Database(_fixture.Database.Options, asOwner: true);
        await owner.Sql("WITH d AS (DELETE FROM entries WHERE idx < 256) UPDATE entries_layout SET minimum = 256").Execute(default);
    }

    private void Remove(params string[] names)
    {
        foreach (var name in names)
        {
            File.Delete(Path.Combine(_folder, "entries", name));
        }
    }

    private SortedDictionary<string, string> Bundles() => new(
        Directory.GetFiles(_folder, "*", SearchOption.AllDirectories).ToDictionary(f => Path.GetFileName(f), f => Convert.ToHexString(File.ReadAllBytes(f)), StringComparer.Ordinal),
        StringComparer.Ordinal);

    private sealed class LaterClock : TimeProvider
    {
        private long _later;

        public override long GetTimestamp() => System.GetTimestamp() + _later;

        public void Later(TimeSpan by) => _later += (long)(by.TotalSeconds * TimestampFrequency);
    }
}
