using System.Net;
using System.Text.Json.Nodes;

namespace Trust.AuditLedger.Tests.Witness;

/// <summary>A restart begins at the end of the last volume.</summary>
public sealed class LandmarkTests : IAsyncLifetime
{
    private ForgeableLog _log = null!;
    private WitnessFixture _witness = null!;
    private int? _asked;

    public async ValueTask InitializeAsync()
    {
        _log = await ForgeableLog.Start();
        _witness = await WitnessFixture.Start(_log);
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
        Assert.True(await _witness.Cosigns(_log, 0));
        Assert.True(File.Exists(_witness.Landmark(_log)));
    }

    public async ValueTask DisposeAsync()
    {
        await _witness.DisposeAsync();
        await _log.DisposeAsync();
    }

    [Fact]
    public async Task What_lies_before_it_may_be_pruned_and_what_follows_is_recomputed()
    {
        _log.FirstTile = 2;
        await Restart();
        Assert.True(await Grown());
        Assert.True(await Grown());
        await Restart();
        Assert.True(await Grown());
    }

    [Fact]
    public async Task An_entry_altered_behind_it_is_named_after_a_restart()
    {
        await Restart();
        _log.Append(_log.Event(keys: keys => keys[32..]));
        _log.Commit();
        var (status, body, _) = await _witness.Post(_log.Request(_log.Leaves.Count - 2));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, status);
        Assert.Contains($"entry {_log.Leaves.Count - 2}: its keys", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bundle_that_is_damaged_for_a_while_does_not_cost_the_landmark_of_a_pruned_log()
    {
        _log.FirstTile = 2;
        await Restart();
        Damage(_log.Leaves.Count - 2);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await Asked());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await Asked());
        Assert.True(File.Exists(_witness.Landmark(_log)));
        await Restart();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await Asked());
        _log.OnTheWay = null;
        Assert.True(await Grown());
        await Restart();
        Assert.True(await Grown());
    }

    [Fact]
    public async Task A_damaged_bundle_of_a_whole_log_is_named_and_the_landmark_stays_for_the_time_after_its_repair()
    {
        await Restart();
        Damage(_log.Leaves.Count - 2);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, await Asked());
        Assert.True(File.Exists(_witness.Landmark(_log)));
        _log.OnTheWay = null;
        // Those behind it are pruned meanwhile: the repaired log is followed from the landmark.
        _log.FirstTile = 2;
        await Restart();
        Assert.True(await Grown());
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("edge")]
    [InlineData("sealed")]
    [InlineData("chain")]
    public async Task A_spoiled_one_costs_a_whole_replay_and_accuses_nobody(string fault)
    {
        await _witness.Stop();
        var file = _witness.Landmark(_log);
        var text = await File.ReadAllTextAsync(file);
        var json = JsonNode.Parse(text)!;
        switch (fault)
        {
            case "cut":
                text = text[..^5];
                break;
            case "edge":
                json["Edge"]![0] = Flipped(json["Edge"]![0]!);
                text = json.ToJsonString();
                break;
            case "sealed":
                json["Sealed"]![0]!["TrieRoot"] = Flipped(json["Sealed"]![0]!["TrieRoot"]!);
                text = json.ToJsonString();
                break;
            default:
                json["Chains"]![0]!["Head"] = Flipped(json["Chains"]![0]!["Head"]!);
                text = json.ToJsonString();
                break;
        }

        await File.WriteAllTextAsync(file, text);
        await _witness.Start();
        Assert.True(await Grown());
        // Where it could be read, it is kept to be looked at.
        Assert.Equal(fault is not "cut", File.Exists(file + ".spoiled"));
    }

    private static string Flipped(JsonNode base64)
    {
        var bytes = Convert.FromBase64String(base64.GetValue<string>());
        bytes[0] ^= 1;
        return Convert.ToBase64String(bytes);
    }

    private async Task Restart()
    {
        await _witness.Stop();
        await _witness.Start();
    }

    private void Damage(int entry) => _log.OnTheWay = (index, leaf) => index == entry ? [.. leaf[..^1], (byte)(leaf[^1] ^ 1)] : leaf;

    // A larger size that is not cosigned, and so may be asked for again.
    private async Task<HttpStatusCode> Asked()
    {
        var old = _asked ?? _log.Leaves.Count;
        if (_asked is null)
        {
            _log.Append(_log.Event("sign"));
            _log.Commit(volumeSize: 300);
        }

        _asked = old;
        return (await _witness.Post(_log.Request(old))).Status;
    }

    private async Task<bool> Grown()
    {
        var old = _asked ?? _log.Leaves.Count;
        _asked = null;
        _log.Append(_log.Event("sign"));
        _log.Append(_log.Event());
        _log.Commit(volumeSize: 300);
        return await _witness.Cosigns(_log, old);
    }
}
