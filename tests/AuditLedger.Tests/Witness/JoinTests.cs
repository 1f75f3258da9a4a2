using System.Buffers.Binary;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Trust.Cli.Local;
using Trust.Crypto;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Witness;

/// <summary>A witness that has never seen a log of which the first entries are pruned.</summary>
public sealed class JoinTests : IAsyncLifetime
{
    private ForgeableLog _log = null!;
    private WitnessFixture _first = null!;
    private WitnessFixture _second = null!;

    public async ValueTask InitializeAsync()
    {
        _log = await ForgeableLog.Start();
        (_first, _second) = (await WitnessFixture.Start(_log), await WitnessFixture.Start(_log));
        for (var volume = 0; volume < 3; volume++)
        {
            for (var i = 0; i < 300; i++)
            {
                _log.Append(_log.Event(i % 2 == 0 ? "ca" : "sign"));
            }

            _log.Commit(volumeSize: 300);
        }

        _log.Append(_log.Event());
        _log.Commit(volumeSize: 300);
        Assert.True(await _first.Cosigns(_log, 0));
        Assert.True(await _second.Cosigns(_log, 0));
        _log.FirstTile = 3;
    }

    public async ValueTask DisposeAsync()
    {
        await _first.DisposeAsync();
        await _second.DisposeAsync();
        await _log.DisposeAsync();
    }

    [Fact]
    public async Task It_begins_at_the_landmark_of_a_quorum_and_cosigns_what_follows()
    {
        await using var later = await WitnessFixture.Start(_log, Both);
        Assert.True(await later.Cosigns(_log, 0));
        await Grow(later);
        // From now on it goes on by itself.
        await _first.Stop();
        await _second.Stop();
        await later.Stop();
        await later.Start();
        await Grow(later);
    }

    [Fact]
    public async Task What_follows_the_landmark_it_recomputes_itself()
    {
        await using var later = await WitnessFixture.Start(_log, Both);
        _log.Append(_log.Event(keys: keys => keys[32..]));
        _log.Commit();
        var (status, body, _) = await later.Post(_log.Request(0));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains($"entry {_log.Leaves.Count - 2}: its keys", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_event_of_a_source_left_out_right_behind_the_landmark_is_missed()
    {
        await using var later = await WitnessFixture.Start(_log, Both);
        _ = _log.Event("sign");
        _log.Append(_log.Event("sign"));
        _log.Commit();
        var (status, body, _) = await later.Post(_log.Request(0));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains("source sign goes on with", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Restarted_in_the_midst_of_what_it_reads_it_goes_on_without_the_others()
    {
        for (var i = 0; i < 300; i++)
        {
            _log.Append(_log.Event("sign"));
        }

        _log.Commit();
        await using var later = await WitnessFixture.Start(_log, Both);
        var reached = false;
        _log.OnTheWay = (index, leaf) => index >= 1024 ? Reached() : leaf;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await later.Post(_log.Request(0))).Status);
        Assert.True(reached);
        await later.Stop();
        await _first.Stop();
        await _second.Stop();
        _log.OnTheWay = null;
        await later.Start();
        Assert.True(await later.Cosigns(_log, 0));

        byte[] Reached()
        {
            reached = true;
            return [];
        }
    }

    [Fact]
    public async Task A_landmark_with_too_few_cosignatures_is_not_begun_at_and_what_is_missing_is_named()
    {
        await _second.Stop();
        await using var later = await WitnessFixture.Start(_log, Both);
        await Refused(later, "needs the cosignatures of 2 of 2 witnesses, of 903 entries there is that of witness.example");
        await Eventually.Holds(async () => (await later.Ready()).Contains("needs the cosignatures of 2 of 2 witnesses", StringComparison.Ordinal), "readiness tells what is missing");
        await _second.Start();
        Assert.True(await later.Cosigns(_log, 0));
        await Eventually.Holds(async () => !(await later.Ready()).Contains("needs the cosignatures", StringComparison.Ordinal), "nothing is missing any more");
    }

    [Fact]
    public async Task Without_anyone_to_believe_it_says_what_to_configure()
    {
        await using var later = await WitnessFixture.Start(_log);
        await Refused(later, "to begin behind it Join has to name witnesses whose landmark is believed");
    }

    [Theory]
    [InlineData("line", "shows a line that is not witness.example's")]
    [InlineData("stranger", "shows one that none of the configured witnesses cosigned")]
    [InlineData("state", "shows none of this log, or another than its note names")]
    [InlineData("root", "shows a line that is not witness.example's")]
    [InlineData("log", "shows none of this log, or another than its note names")]
    [InlineData("text", "shows none of this log, or another than its note names")]
    [InlineData("away", "gives none (HTTP 404)")]
    public async Task A_forged_landmark_is_not_begun_at(string forgery, string why)
    {
        await using var forger = await Forger.Start(await Landmark(_first), forgery);
        var keys = forgery is "stranger" ? new[] { _second.Key, Stranger } : [_first.Key, _second.Key];
        await using var later = await WitnessFixture.Start(_log, new Believed(2, [forger.Address, _second.Address], keys));
        await Refused(later, why);
    }

    [Fact]
    public async Task The_same_witness_twice_is_no_quorum()
    {
        await using var forger = await Forger.Start(await Landmark(_second), "none");
        await using var later = await WitnessFixture.Start(_log, new Believed(2, [forger.Address, _second.Address], [_first.Key, _second.Key]));
        await Refused(later, "needs the cosignatures of 2 of 2 witnesses, of 903 entries there is that of witness.example");
    }

    [Fact]
    public async Task A_root_that_the_logs_tiles_do_not_give_is_not_begun_at()
    {
        _log.Tiles = tile => [.. tile[..^1], (byte)(tile[^1] ^ 1)];
        await using var later = await WitnessFixture.Start(_log, Both);
        await Refused(later, "the log's tiles do not give the root of the landmark of 903 entries that witness.example and witness.example cosigned");
        _log.Tiles = null;
        Assert.True(await later.Cosigns(_log, 0));
    }

    [Theory]
    [InlineData("/tile/entries")]
    [InlineData("/tile/0")]
    public async Task A_log_that_stops_in_the_midst_of_an_answer_is_given_up_and_followed_once_it_goes_on(string path)
    {
        _log.StallsAt = path;
        await using var later = await WitnessFixture.Start(_log, Both, Soon);
        var (status, body, _) = await later.Post(_log.Request(0)).WaitAsync(Long);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains("no whole answer within", body, StringComparison.Ordinal);
        _log.StallsAt = null;
        Assert.True(await later.Cosigns(_log, 0));
    }

    [Fact]
    public async Task A_witness_that_stops_in_the_midst_of_its_answer_keeps_none_from_joining_by_the_others()
    {
        await using var stalls = await Forger.Start(await Landmark(_first), "stalls");
        await using var later = await WitnessFixture.Start(_log, new Believed(2, [stalls.Address, _first.Address, _second.Address], [_first.Key, _second.Key]), Soon);
        Assert.True(await later.Cosigns(_log, 0).WaitAsync(Long));
    }

    [Theory]
    [InlineData("name")]
    [InlineData("name-not-signed")]
    public async Task A_witness_that_cosigns_what_does_not_read_keeps_none_from_joining_by_the_others(string forgery)
    {
        await using var liar = await Forger.Start(await Landmark(_first), forgery);
        await using var later = await WitnessFixture.Start(_log, new Believed(2, [liar.Address, _first.Address, _second.Address], [Forger.Key, _first.Key, _second.Key]));
        Assert.True(await later.Cosigns(_log, 0));
    }

    [Fact]
    public async Task A_checkpoint_from_before_the_landmark_accuses_nobody()
    {
        await using var later = await WitnessFixture.Start(_log, Both);
        var (status, body, _) = await later.Post(_log.Request(0, _log.Head(301)));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.DoesNotContain("wrong", await later.Ready(), StringComparison.Ordinal);
        Assert.True(await later.Cosigns(_log, 0), body);
    }

    [Fact]
    public async Task One_that_was_away_while_the_log_was_pruned_begins_anew_at_a_landmark_and_stands_by_what_it_cosigned()
    {
        await using var later = await WitnessFixture.Start(_log, Both);
        Assert.True(await later.Cosigns(_log, 0));
        var cosigned = _log.Leaves.Count;
        for (var volume = 0; volume < 2; volume++)
        {
            for (var i = 0; i < 300; i++)
            {
                _log.Append(_log.Event());
            }

            _log.Commit(volumeSize: 300);
        }

        _log.Append(_log.Event());
        _log.Commit(volumeSize: 300);
        Assert.True(await _first.Cosigns(_log, cosigned));
        Assert.True(await _second.Cosigns(_log, cosigned));
        _log.FirstTile = 5;
        // It knows 905 entries, the next that are there begin at 1280.
        await later.Stop();
        await later.Start();
        Assert.Equal(HttpStatusCode.Conflict, (await later.Post(_log.Request(0))).Status);
        Assert.True(await later.Cosigns(_log, cosigned));
        await Grow(later);
    }

    private Believed Both => new(2, [_first.Address, _second.Address], [_first.Key, _second.Key]);

    // Time enough for an honest answer, and for a witness that gives up.
    private static TimeSpan Soon => TimeSpan.FromSeconds(2);

    private static TimeSpan Long => TimeSpan.FromSeconds(60);

    private static NoteVerifier Stranger { get; } = NoteVerifier.Cosigner("witness.example", new byte[32]);

    private async Task Grow(WitnessFixture witness)
    {
        var old = _log.Leaves.Count;
        _log.Append(_log.Event("sign"));
        _log.Append(_log.Event());
        _log.Commit();
        Assert.True(await witness.Cosigns(_log, old));
    }

    private async Task Refused(WitnessFixture later, string why)
    {
        var (status, body, _) = await later.Post(_log.Request(0));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains(why, body, StringComparison.Ordinal);
        Assert.Equal("", await later.Newest(_log));
        Assert.False(File.Exists(later.Landmark(_log)));
    }

    private async Task<string> Landmark(WitnessFixture of)
    {
        using var client = new HttpClient { BaseAddress = of.Address };
        return await client.GetStringAsync(Trust.Witness.WatchedLog.Id(_log.Origin) + "/landmark");
    }

    /// <summary>Shows another witness's landmark, altered.</summary>
    private sealed class Forger(WebApplication app, Uri address) : IAsyncDisposable
    {
        private static readonly byte[] Seed = [.. Enumerable.Repeat((byte)7, 32)];

        public static NoteVerifier Key { get; } = NoteVerifier.Cosigner("witness.liar", Ed25519.PublicKeyOf(Seed));

        public Uri Address => address;

        public static async Task<Forger> Start(string landmark, string forgery)
        {
            var json = JsonNode.Parse(landmark)!;
            var (note, state) = (json["note"]!.GetValue<string>(), Convert.FromBase64String(json["state"]!.GetValue<string>()));
            var lines = note.Split('\n');
            switch (forgery)
            {
                case "line":
                    var line = NoteLine.TryParse(lines[^2])!;
                    note = SignedNote.Write(SignedNote.TryRead(note)!.Value.Text, [line with { Signature = (byte[])[.. line.Signature.Span[..^1], (byte)(line.Signature.Span[^1] ^ 1)] }]);
                    break;
                case "state":
                    state[^1] ^= 1; // The head of a source's chain: an event behind it could be left out.
                    break;
                case "name" or "name-not-signed":
                    state = [.. state[..Chains(state)], .. Number(1), 255, .. Enumerable.Repeat((byte)0xFF, 255), .. Number(1), .. Number(1), .. new byte[32]];
                    var text = $"{lines[0]}\n{lines[1]}\n{lines[2]}\n{Convert.ToBase64String(SHA256.HashData(state))}\n";
                    var signature = Ed25519.Sign(Seed, Cosignature.Message(Encoding.UTF8.GetBytes(text), 1_800_000_000));
                    signature[0] ^= (byte)(forgery is "name" ? 0 : 1);
                    note = SignedNote.Write(text, [new NoteLine(Key.Name, Key.KeyId, Cosignature.Write(1_800_000_000, signature))]);
                    break;
                case "root":
                    note = note.Replace(lines[2], Convert.ToBase64String(new byte[32]), StringComparison.Ordinal);
                    break;
                case "log":
                    note = "another" + note;
                    break;
                case "text":
                    note = note.Replace("\n\n", "\nmore\n\n", StringComparison.Ordinal);
                    break;
            }

            json = new JsonObject { ["note"] = note, ["state"] = Convert.ToBase64String(state) };
            var address = new Uri($"http://127.0.0.1:{PostgresCluster.FreePort()}");
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls(address.ToString());
            var app = builder.Build();
            app.Use((context, next) => forgery is "stalls" ? ForgeableLog.Stall(context) : next(context));
            app.MapGet("/{log}/landmark", () => forgery is "away" ? Results.NotFound() : Results.Text(json.ToJsonString(), "application/json"));
            await app.StartAsync();
            return new Forger(app, address);
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();

        // Where a state tells of the chains: behind prefix, commit entry, time, mark, and the volumes with their count.
        private static int Chains(byte[] state)
        {
            const int volumes = 18 + 101 + 8 + 1;
            return volumes + 8 + ((int)BinaryPrimitives.ReadInt64BigEndian(state.AsSpan(volumes)) * (8 + 8 + 32));
        }

        private static byte[] Number(long value)
        {
            var bytes = new byte[8];
            BinaryPrimitives.WriteInt64BigEndian(bytes, value);
            return bytes;
        }
    }
}
