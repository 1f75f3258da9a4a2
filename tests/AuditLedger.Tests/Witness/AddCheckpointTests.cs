using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Witness;

/// <summary>C2SP tlog-witness as our own witness answers it.</summary>
public sealed class AddCheckpointTests : IAsyncLifetime
{
    private ForgeableLog _log = null!;
    private WitnessFixture _witness = null!;

    public async ValueTask InitializeAsync()
    {
        _log = await ForgeableLog.Start();
        _witness = await WitnessFixture.Start(_log);
    }

    public async ValueTask DisposeAsync()
    {
        await _witness.DisposeAsync();
        await _log.DisposeAsync();
    }

    [Fact]
    public async Task A_checkpoint_that_follows_is_cosigned_also_from_0_and_again_at_the_same_size()
    {
        Assert.True(await _witness.Cosigns(_log, 0)); // the empty log
        _log.Grow(3);
        Assert.True(await _witness.Cosigns(_log, 0));
        _log.Grow(300);
        _log.Grow(1);
        Assert.True(await _witness.Cosigns(_log, 4));
        Assert.True(await _witness.Cosigns(_log, 307));
        var note = await _witness.Newest(_log);
        Assert.Equal(_log.Head().Text, SignedNote.TryOpen(note, [_log.Key, _witness.Key], 2));
    }

    [Fact]
    public async Task The_newest_checkpoint_repeated_is_answered_by_the_line_that_was_kept()
    {
        _log.Grow(3);
        var head = _log.Head();
        var first = await _witness.Post(_log.Request(0, head));
        var second = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        // A line names its second: one that was made anew would be another.
        await Eventually.Holds(() => TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() > second + 1, "another second");
        var again = await _witness.Post(_log.Request(4, head));
        Assert.Equal(HttpStatusCode.OK, first.Status);
        Assert.Equal(first, again);
    }

    [Fact]
    public async Task An_unknown_log_is_404_and_a_checkpoint_that_no_known_key_signed_is_403()
    {
        await using var other = await ForgeableLog.Start("other.example");
        await using var impostor = await ForgeableLog.Start();
        _log.Grow(1);
        impostor.Grow(1);
        Assert.Equal(HttpStatusCode.NotFound, (await _witness.Post(other.Request(0))).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await _witness.Post(impostor.Request(0))).Status);
        var line = _log.Sign(_log.Head()).Split("\n\n")[1];
        Assert.Equal(HttpStatusCode.Forbidden, (await _witness.Post($"old 0\n\n{impostor.Head().Text}\n{line}")).Status);
        Assert.Equal("", await _witness.Newest(_log));
    }

    [Fact]
    public async Task Another_old_size_is_409_with_the_size_it_stands_at()
    {
        _log.Grow(3);
        Assert.True(await _witness.Cosigns(_log, 0));
        _log.Grow(3);
        foreach (var old in new[] { 0L, 3L, 5L })
        {
            var (status, body, type) = await _witness.Post(_log.Request(old));
            Assert.Equal((HttpStatusCode.Conflict, "4\n", "text/x.tlog.size"), (status, body, type));
        }
    }

    [Fact]
    public async Task An_old_size_beyond_the_checkpoint_is_400()
    {
        _log.Grow(3);
        Assert.True(await _witness.Cosigns(_log, 0));
        Assert.Equal(HttpStatusCode.BadRequest, (await _witness.Post(_log.Request(5))).Status);
    }

    [Fact]
    public async Task A_wrong_proof_another_root_of_the_same_size_and_a_wrong_empty_root_are_422()
    {
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await _witness.Post(_log.Request(0, new Checkpoint(_log.Origin, 0, new byte[32])))).Status);
        _log.Grow(3);
        Assert.True(await _witness.Cosigns(_log, 0));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await _witness.Post(_log.Request(4, new Checkpoint(_log.Origin, 4, RandomNumberGenerator.GetBytes(32))))).Status);
        _log.Grow(4);
        var request = _log.Request(4);
        var proof = request.Split('\n')[1];
        var other = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await _witness.Post(request.Replace(proof, other, StringComparison.Ordinal))).Status);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await _witness.Post(request.Replace(proof + "\n", "", StringComparison.Ordinal))).Status);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await _witness.Post(request.Replace(proof + "\n", $"{proof}\n{other}\n", StringComparison.Ordinal))).Status);
        Assert.True(await _witness.Cosigns(_log, 4));
    }

    [Theory]
    [InlineData("")]
    [InlineData("old 0\n")]
    [InlineData("{0}")]
    [InlineData("old 00\n\n{0}")]
    [InlineData("old -1\n\n{0}")]
    [InlineData("old 99999999999999999999\n\n{0}")]
    [InlineData("old 0 \n\n{0}")]
    [InlineData("Old 0\n\n{0}")]
    [InlineData("old 0\nAAAA\n\n{0}")]
    [InlineData("old 0\n AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n{0}")]
    [InlineData("old 0\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n\n{0}")]
    [InlineData("old 0\r\n\r\n{0}")]
    [InlineData("old 0\n\n{0}x")]
    public async Task A_body_that_is_not_in_the_one_spelling_is_400(string body)
    {
        _log.Grow(1);
        Assert.Equal(HttpStatusCode.BadRequest, (await _witness.Post(body.Replace("{0}", _log.Sign(_log.Head()), StringComparison.Ordinal))).Status);
    }

    [Fact]
    public async Task More_than_63_proof_lines_and_more_than_64_KiB_are_refused()
    {
        _log.Grow(1);
        var hash = Convert.ToBase64String(new byte[32]) + "\n";
        var note = _log.Sign(_log.Head());
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await _witness.Post($"old 0\n{string.Concat(Enumerable.Repeat(hash, 63))}\n{note}")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await _witness.Post($"old 0\n{string.Concat(Enumerable.Repeat(hash, 64))}\n{note}")).Status);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await _witness.Post(new string('x', (64 * 1024) + 1))).Status);
    }

    [Fact]
    public async Task Random_edits_of_a_good_request_are_refused()
    {
        _log.Grow(2);
        Assert.True(await _witness.Cosigns(_log, 0));
        _log.Grow(2);
        var good = _log.Request(3);
        for (var i = 0; i < 300; i++)
        {
            var edited = good.ToCharArray();
            edited[RandomNumberGenerator.GetInt32(edited.Length)] = (char)RandomNumberGenerator.GetInt32(1, 128);
            if (edited.AsSpan().SequenceEqual(good))
            {
                continue;
            }

            var (status, _, _) = await _witness.Post(new string(edited));
            Assert.InRange((int)status, 400, 422);
        }

        Assert.True(await _witness.Cosigns(_log, 3));
    }

    [Fact]
    public async Task Of_many_posts_at_once_one_moves_it_and_the_others_hear_where_it_stands()
    {
        _log.Grow(3);
        Assert.True(await _witness.Cosigns(_log, 0));
        _log.Grow(5);
        var request = _log.Request(4);
        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => _witness.Post(request)));
        Assert.Single(answers, a => a.Status == HttpStatusCode.OK);
        Assert.Equal(15, answers.Count(a => a is (HttpStatusCode.Conflict, "10\n", _)));
    }

    [Fact]
    public async Task What_was_cosigned_is_known_after_a_restart_and_recomputed_from_the_entries()
    {
        _log.Grow(3);
        Assert.True(await _witness.Cosigns(_log, 0));
        var before = await _witness.Newest(_log);
        await _witness.Stop();
        await _witness.Start();
        Assert.Equal(before, await _witness.Newest(_log));
        Assert.Equal("4\n", (await _witness.Post(_log.Request(0))).Body);
        _log.Away = true;
        Assert.True(await _witness.Cosigns(_log, 4)); // the same again: nothing new to recompute
        _log.Away = false;
        _log.Grow(3);
        Assert.True(await _witness.Cosigns(_log, 4));
    }

    [Fact]
    public async Task A_log_whose_entries_cannot_be_read_is_503_and_cosigned_when_they_can()
    {
        _log.Grow(3);
        _log.Away = true;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await _witness.Post(_log.Request(0))).Status);
        _log.Away = false;
        Assert.True(await _witness.Cosigns(_log, 0));
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("long")]
    [InlineData("empty")]
    [InlineData("huge")]
    public async Task A_bundle_that_is_not_as_many_entries_as_asked_for_is_not_read(string fault)
    {
        _log.Grow(3);
        _log.Bundles = bytes => fault switch
        {
            "cut" => bytes[..^1],
            "long" => [.. bytes, 0, 1, 7],
            "empty" => [],
            _ => new byte[20_000_000],
        };
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await _witness.Post(_log.Request(0))).Status);
        _log.Bundles = null;
        Assert.True(await _witness.Cosigns(_log, 0));
    }

    [Fact]
    public async Task Random_edits_of_a_bundle_get_no_cosignature()
    {
        _log.Grow(3);
        for (var i = 0; i < 40; i++)
        {
            _log.Bundles = bytes =>
            {
                bytes[RandomNumberGenerator.GetInt32(bytes.Length)] ^= (byte)(1 << RandomNumberGenerator.GetInt32(8));
                return bytes;
            };
            await _witness.Stop(); // A log found wrong is not looked at again at once.
            await _witness.Start();
            Assert.InRange((int)(await _witness.Post(_log.Request(0))).Status, 422, 503);
        }
    }

    [Fact]
    public async Task Two_logs_are_watched_apart()
    {
        await using var second = await ForgeableLog.Start("second.example");
        await using var both = await WitnessFixture.Start(_log, second);
        _log.Grow(3);
        second.Append(second.Event(keys: _ => []));
        second.Commit();
        Assert.True(await both.Cosigns(_log, 0));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await both.Post(second.Request(0))).Status);
        _log.Grow(2);
        Assert.True(await both.Cosigns(_log, 4));
        Assert.Equal("", await both.Newest(second));
    }

    // kill -9 anywhere, between storing and answering among other places: what was answered is stored, and the log catches up by one 409.
    [Fact]
    public async Task Killed_at_random_points_it_never_stands_behind_what_it_answered()
    {
        await _witness.Stop();
        var acknowledged = 0L;
        for (var round = 0; round < 5; round++)
        {
            using var process = Run();
            await Eventually.Holds(async () => await Try("old 0\n\n") is (HttpStatusCode.BadRequest, _), "the witness answers");
            // The moment of the kill, not a wait: whatever the witness does then, nothing acknowledged is lost.
            var kill = Task.Delay(RandomNumberGenerator.GetInt32(20, 400));
            while (!kill.IsCompleted)
            {
                _log.Grow(2);
                var old = acknowledged;
                for (var attempt = 0; attempt < 2 && !kill.IsCompleted; attempt++)
                {
                    var head = _log.Head();
                    switch (await Try(_log.Request(old, head)))
                    {
                        case (HttpStatusCode.OK, _):
                            acknowledged = head.Size;
                            break;
                        case (HttpStatusCode.Conflict, var size):
                            old = long.Parse(size, NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture);
                            Assert.True(old >= acknowledged, $"{old} was told after {acknowledged}");
                            continue;
                    }

                    break;
                }
            }

            process.Kill();
            await process.WaitForExitAsync();
        }

        await _witness.Start();
        var known = Checkpoint.TryParse(SignedNote.TryOpen(await _witness.Newest(_log), [_witness.Key], 1)!)!;
        Assert.True(known.Size >= acknowledged && acknowledged > 0);
        Assert.Equal(_log.Head((int)known.Size).Root, known.Root);
        Assert.True(await _witness.Cosigns(_log, known.Size));
    }

    private async Task<(HttpStatusCode, string)?> Try(string body)
    {
        try
        {
            var (status, text, _) = await _witness.Post(body);
            return (status, text);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return null;
        }
    }

    private Process Run()
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Trust.Witness.dll"), "run", "--config", _witness.Config])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["SOFTHSM2_CONF"] = Tokens.SoftHsm.ConfigurationPath;
        var process = Process.Start(start)!;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }
}
