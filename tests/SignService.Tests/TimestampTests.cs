using System.Diagnostics;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.Pkcs11;
using Trust.SignService.Keys;
using Trust.SignService.Timestamps;
using Trust.TestKit;

namespace Trust.SignService.Tests;

public sealed class TimestampTests
{
    [Fact]
    public async Task Openssl_asks_over_HTTP_and_accepts_the_answer()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var folder = Scratch.Directory("ts");
        await File.WriteAllBytesAsync(Path.Combine(folder, "data"), [1, 2, 3]);
        await File.WriteAllTextAsync(Path.Combine(folder, "root.pem"), rig.Root.Certificate.ToPem());
        await OpenSsl(folder, "ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "q.tsq");
        var (status, reply) = await Ask(rig, await File.ReadAllBytesAsync(Path.Combine(folder, "q.tsq")));
        Assert.Equal(200, status);
        await File.WriteAllBytesAsync(Path.Combine(folder, "r.tsr"), reply);
        await OpenSsl(folder, "ts", "-verify", "-queryfile", "q.tsq", "-in", "r.tsr", "-CAfile", "root.pem");
    }

    [Fact]
    public async Task What_is_not_acceptable_gets_the_protocols_own_refusal()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        foreach (var body in new[]
        {
            [1, 2, 3], new byte[TimeStampRequest.MaxBytes + 1], new TimeStampRequest(Oids.Sha256, SHA256.HashData([]), Policy: "1.2.3").Encode(),
        })
        {
            var (status, reply) = await Ask(rig, body);
            Assert.Equal(200, status);
            Assert.Null(TimeStamp.TokenOf(reply));
        }

        rig.Faults.Removed = true;
        rig.Faults.FailSigns = 20;
        var (_, faulty) = await Ask(rig, new TimeStampRequest(Oids.Sha256, SHA256.HashData([])).Encode());
        Assert.Null(TimeStamp.TokenOf(faulty));
        rig.Faults.FailSigns = 0;
        rig.Faults.Removed = false;
    }

    [Fact]
    public async Task A_clock_that_went_back_stops_the_authority()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var clock = new ManualClock(DateTimeOffset.UtcNow.AddSeconds(2));
        var authority = Authority(rig, clock);
        Assert.IsType<StampOutcome.Stamped>(await authority.Stamp("a"u8, CancellationToken.None));
        clock.Advance(TimeSpan.FromSeconds(-10));
        Assert.Equal(TimeStampFailure.TimeNotAvailable, Assert.IsType<StampOutcome.Refused>(await authority.Stamp("a"u8, CancellationToken.None)).Failure);
        clock.Advance(TimeSpan.FromSeconds(11));
        Assert.IsType<StampOutcome.Stamped>(await authority.Stamp("a"u8, CancellationToken.None));
    }

    [Fact]
    public async Task The_authority_stamps_within_its_certificates_validity_only_and_says_so_in_its_readiness()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var made = rig.Parts.GetRequiredService<TimeStampKey>();
        var leaf = made.Certificates[0];
        foreach (var (at, valid) in new[] { (leaf.NotBefore.AddSeconds(-1), false), (leaf.NotBefore, true), (leaf.NotAfter, true), (leaf.NotAfter.AddSeconds(1), false) })
        {
            var clock = new ManualClock(at);
            var key = new TimeStampKey(rig.Parts.GetRequiredService<ServiceOptions>(), rig.Parts.GetRequiredService<IToken>(), clock);
            // A mark of an earlier round stands later; here the certificate alone is judged.
            Assert.Equal(1, await rig.Count("WITH u AS (UPDATE time_stamp_mark SET until = '-infinity' RETURNING 1) SELECT count(*) FROM u"));
            var authority = Authority(rig, clock, key: key);
            var outcome = await authority.Stamp("a"u8, CancellationToken.None);
            Assert.Equal(valid, (await key.Check(CancellationToken.None)).Ready);
            Assert.Equal(valid, outcome is StampOutcome.Stamped);
            Assert.True(valid || outcome is StampOutcome.Refused { Failure: TimeStampFailure.SystemFailure });
        }
    }

    [Fact]
    public async Task A_renewed_certificate_is_used_without_a_restart_and_a_half_written_file_leaves_the_one_in_use()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var key = rig.Parts.GetRequiredService<TimeStampKey>();
        var file = Path.Combine(rig.Parts.GetRequiredService<ServiceOptions>().DataDirectory, "tsa", "certificate.pem");
        var (before, text) = (key.Certificates, await File.ReadAllTextAsync(file));

        await File.WriteAllTextAsync(file, text[..(text.Length / 3)]);
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddSeconds(5));
        Assert.Equal(before[0].Sha256Hex, key.Certificates[0].Sha256Hex);
        await File.WriteAllTextAsync(file, text);
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddSeconds(10));
        Assert.NotSame(before, key.Certificates);
        Assert.Equal(before[0].Sha256Hex, key.Certificates[0].Sha256Hex);
    }

    [Fact]
    public async Task Strangers_who_flood_the_authority_hold_up_no_signature_of_the_service()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        using var gate = new ManualResetEventSlim();
        (rig.Faults.OnlyAnonymousAtGate, rig.Faults.SignGate) = (true, gate);
        var query = new TimeStampRequest(Oids.Sha256, SHA256.HashData([])).Encode();
        var flood = Enumerable.Range(0, 20).Select(_ => Ask(rig, query)).ToList();
        await Eventually.Holds(() => rig.Faults.Waiting == 1, "a stranger's time-stamp hangs");

        var own = await rig.Parts.GetRequiredService<TimeStampAuthority>().Stamp("a"u8, CancellationToken.None);
        var unanswered = flood.Count(f => !f.IsCompleted);
        gate.Set();
        var answers = await Task.WhenAll(flood);

        Assert.IsType<StampOutcome.Stamped>(own);
        Assert.Equal(20, unanswered);
        Assert.All(answers, a => Assert.NotNull(TimeStamp.TokenOf(a.Body)));
    }

    [Fact]
    public async Task A_restart_with_the_clock_set_back_stamps_nothing_until_the_time_of_the_last_stamp()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var clock = new ManualClock(DateTimeOffset.UtcNow.AddSeconds(2));
        Assert.IsType<StampOutcome.Stamped>(await Authority(rig, clock).Stamp("a"u8, CancellationToken.None));
        // Everything in memory is gone; only the database knows.
        clock.Advance(TimeSpan.FromMinutes(-20));
        var restarted = Authority(rig, clock);
        Assert.Equal(TimeStampFailure.TimeNotAvailable, Assert.IsType<StampOutcome.Refused>(await restarted.Stamp("a"u8, CancellationToken.None)).Failure);
        clock.Advance(TimeSpan.FromMinutes(20) - TimeSpan.FromMilliseconds(100));
        Assert.Equal(TimeStampFailure.TimeNotAvailable, Assert.IsType<StampOutcome.Refused>(await restarted.Stamp("a"u8, CancellationToken.None)).Failure);
        clock.Advance(TimeSpan.FromMilliseconds(200));
        Assert.IsType<StampOutcome.Stamped>(await restarted.Stamp("a"u8, CancellationToken.None));
    }

    [Theory]
    [InlineData(-20 * 60)]
    [InlineData(-10)]
    [InlineData(10)]
    [InlineData(24 * 60 * 60)]
    public async Task A_clock_that_does_not_agree_with_the_ledgers_stamps_nothing_and_moves_no_mark(int seconds)
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var ledger = DateTimeOffset.UtcNow.AddSeconds(2);
        var clock = new ManualClock(ledger.AddSeconds(seconds));
        var authority = Authority(rig, clock, () => ledger);
        Assert.Equal(TimeStampFailure.TimeNotAvailable, Assert.IsType<StampOutcome.Refused>(await authority.Stamp("a"u8, CancellationToken.None)).Failure);
        // Corrected, it stamps at once: nothing was given ahead of its time.
        Assert.IsType<StampOutcome.Stamped>(await Authority(rig, new ManualClock(ledger), () => ledger).Stamp("a"u8, CancellationToken.None));
    }

    [Fact]
    public async Task A_ledger_that_was_never_asked_gives_no_time_and_one_that_is_away_is_remembered_for_an_hour()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var clock = new ManualClock(DateTimeOffset.UtcNow.AddSeconds(2));
        Assert.IsType<StampOutcome.Refused>(await Authority(rig, clock, () => null).Stamp("a"u8, CancellationToken.None));
        DateTimeOffset? ledger = clock.GetUtcNow();
        var authority = Authority(rig, clock, () => ledger);
        Assert.IsType<StampOutcome.Stamped>(await authority.Stamp("a"u8, CancellationToken.None));
        ledger = null;
        clock.Advance(TimeSpan.FromMinutes(59));
        Assert.IsType<StampOutcome.Stamped>(await authority.Stamp("a"u8, CancellationToken.None));
        clock.Advance(TimeSpan.FromMinutes(2));
        Assert.IsType<StampOutcome.Refused>(await authority.Stamp("a"u8, CancellationToken.None));
    }

    private static TimeStampAuthority Authority(SignRig rig, ManualClock clock, Func<DateTimeOffset?>? ledger = null, TimeStampKey? key = null) => new(
        key ?? rig.Parts.GetRequiredService<TimeStampKey>(), new StampMark(rig.Parts.GetRequiredService<Npgsql.NpgsqlDataSource>()),
        new LedgerClock(_ => Task.FromResult(ledger is null ? clock.GetUtcNow() : ledger()), clock), new SignOptions(), clock, NullLogger<TimeStampAuthority>.Instance);

    private static async Task<(int Status, byte[] Body)> Ask(SignRig rig, byte[] query)
    {
        using var content = new ByteArrayContent(query);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/timestamp-query");
        using var answer = await rig.Client.PostAsync("/timestamp", content);
        return ((int)answer.StatusCode, await answer.Content.ReadAsByteArrayAsync());
    }

    private static async Task OpenSsl(string folder, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("openssl", arguments) { WorkingDirectory = folder, UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true })!;
        var errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, errors);
    }
}
