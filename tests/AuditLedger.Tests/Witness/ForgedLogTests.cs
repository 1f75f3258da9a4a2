using System.Net;
using System.Security.Cryptography;
using Trust.Kernel.Audit;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Tests.Witness;

/// <summary>A log that holds the keys and signs whatever it likes gets no cosignature for what its entries do not bear out, and hears what it is.</summary>
public sealed class ForgedLogTests : IAsyncLifetime
{
    private ForgeableLog _log = null!;
    private WitnessFixture _witness = null!;

    public async ValueTask InitializeAsync()
    {
        _log = await ForgeableLog.Start();
        _witness = await WitnessFixture.Start(_log);
        _log.Grow(3);
        Assert.True(await _witness.Cosigns(_log, 0));
    }

    public async ValueTask DisposeAsync()
    {
        await _witness.DisposeAsync();
        await _log.DisposeAsync();
    }

    [Fact]
    public async Task A_body_rewritten_in_place()
    {
        var other = ForgeableLog.Body();
        _log.Append(_log.Event(body: other, place: p => p with { BodyHash = SHA256.HashData("another"u8) }));
        _log.Commit();
        await Refused("entry 4: its body is not the one its source's envelope names");
    }

    [Fact]
    public async Task A_body_that_breaks_a_rule()
    {
        _log.Append(_log.Event(body: [.. ForgeableLog.Body(), (byte)' ']));
        _log.Commit();
        await Refused("entry 4: its body breaks the rule");
    }

    [Fact]
    public async Task An_event_dropped_from_the_index()
    {
        _log.Append(_log.Event());
        _log.Append(_log.Event(), intoIndex: false);
        _log.Commit();
        await Refused("entry 6: the subject index recomputed from the entries");
    }

    [Fact]
    public async Task A_subject_left_out_of_the_keys()
    {
        _log.Append(_log.Event(keys: keys => keys[32..]));
        _log.Commit();
        await Refused("entry 4: its keys are not those of its body's subjects");
    }

    [Fact]
    public async Task A_subject_added_to_the_keys()
    {
        _log.Append(_log.Event(keys: keys => [.. keys.Chunk(32).Append(new byte[32]).OrderBy(Convert.ToHexString, StringComparer.Ordinal).SelectMany(k => k)]));
        _log.Commit();
        await Refused("entry 4: its keys are not those of its body's subjects");
        Assert.Contains("entry 4: its keys", await _witness.Ready(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_forged_commit_entry()
    {
        _log.Append(_log.Event());
        _log.Commit(c => c with { TrieRoot = RandomNumberGenerator.GetBytes(32) });
        await Refused("entry 5: the subject index recomputed from the entries");
    }

    [Fact]
    public async Task A_commit_entry_that_covers_another_size()
    {
        _log.Append(_log.Event());
        _log.Commit(c => c with { Covered = c.Covered - 1 });
        await Refused("entry 5: the subject index");
    }

    [Fact]
    public async Task A_commit_entry_of_another_map_function()
    {
        _log.Append(_log.Event());
        _log.Commit();
        _log.Leaves[^1][4] = 3;
        await Refused("entry 5: a commit entry that is malformed, of another map function");
    }

    [Fact]
    public async Task A_commit_entry_that_says_all_events_are_found_by_who_acted_where_they_are_not()
    {
        _log.Append(_log.Event());
        _log.Commit(commit => commit with { ByActor = true });
        await Refused("entry 5: the subject index");
    }

    [Fact]
    public async Task An_event_that_is_not_found_by_who_acted_after_one_that_is()
    {
        _log.Append(_log.Event(byActor: true));
        _log.Append(_log.Event());
        _log.Commit();
        await Refused("entry 5: an event that is not found by who acted");
    }

    [Fact]
    public async Task The_key_of_the_actor_left_out_of_an_event_that_claims_it()
    {
        _log.Append(_log.Event(byActor: true, keys: keys => [.. keys.Chunk(32).Where(k => !k.AsSpan().SequenceEqual(SubjectKey.Actor("urn:mdid:p:1").Key)).SelectMany(k => k)]));
        _log.Commit();
        await Refused("entry 4: its keys are not those of its body's subjects and actor");
    }

    [Fact]
    public async Task A_commit_entry_that_covers_nothing()
    {
        _log.Commit();
        await Refused("entry 4: a commit entry that covers no event");
    }

    [Fact]
    public async Task A_checkpoint_that_does_not_end_in_a_commit_entry()
    {
        _log.Append(_log.Event());
        await Refused("a checkpoint of 5 does not end in a commit entry");
    }

    [Fact]
    public async Task An_event_of_a_source_suppressed()
    {
        _ = _log.Event("sign");
        _log.Append(_log.Event("sign"));
        _log.Commit();
        await Refused("entry 4: source sign goes on with (1, 2) after (0, 0)");
    }

    [Fact]
    public async Task A_source_reordered()
    {
        var first = _log.Event();
        _log.Append(_log.Event());
        _log.Append(first);
        _log.Commit();
        await Refused("entry 4: source ca goes on with (1, 5) after (1, 3)");
    }

    [Fact]
    public async Task A_source_numbered_anew_over_a_gap()
    {
        _ = _log.Event();
        _log.Append(_log.Event(place: p => p with { Seq = 4 }));
        _log.Commit();
        await Refused("entry 4: source ca does not name the envelope before (1, 4)");
    }

    [Fact]
    public async Task A_clock_set_back()
    {
        _log.Time -= 1_000_000;
        _log.Append(_log.Event());
        _log.Commit();
        await Refused("entry 4: its time");
    }

    [Fact]
    public async Task An_entry_that_is_neither_event_nor_commit()
    {
        _log.Leaves.Add([3, 1, 2]);
        await Refused("entry 4: neither an event nor a commit entry");
    }

    [Fact]
    public async Task Entries_other_than_those_signed()
    {
        _log.Grow(2);
        var shown = await ForgeableLog.Start();
        await using (shown)
        {
            shown.Grow(3);
            shown.Grow(2);
            await _witness.Stop();
            await _witness.Start();
            _log.OnTheWay = (index, _) => shown.Leaves[index];
            await Refused("the entries no longer give the root of 4 that was cosigned");
        }
    }

    [Fact]
    public async Task A_new_entry_shown_other_than_signed()
    {
        _log.Grow(1);
        var honest = _log.Head();
        var proof = new[] { MerkleProof.NodeHash(MerkleProof.LeafHash(_log.Leaves[4]), MerkleProof.LeafHash(_log.Leaves[5])) };
        Assert.True(MerkleProof.VerifyConsistency(4, _log.Head(4).Root, 6, honest.Root, proof));
        // Signed for: another pair of entries after the four; shown: the honest ones.
        var hidden = RandomNumberGenerator.GetBytes(32);
        var forged = honest with { Root = MerkleProof.NodeHash(_log.Head(4).Root, hidden) };
        var (status, body, _) = await _witness.Post($"old 4\n{Convert.ToBase64String(hidden)}\n\n{_log.Sign(forged)}");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, status);
        Assert.Contains("the entries give another root than the checkpoint of 6", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Volumes_that_are_sealed_where_the_log_says_are_followed()
    {
        for (var i = 0; i < 6; i++)
        {
            _log.Append(_log.Event());
            _log.Commit(volumeSize: 4);
            Assert.True(await _witness.Cosigns(_log, _log.Leaves.Count - 2));
        }

        Assert.True(CommitEntry.TryRead(_log.Leaves[^1])!.Volume >= 1);
    }

    private async Task Refused(string why)
    {
        var before = await _witness.Newest(_log);
        var (status, body, _) = await _witness.Post(_log.Request(4));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, status);
        Assert.Contains(why, body, StringComparison.Ordinal);
        Assert.Equal(before, await _witness.Newest(_log));
    }
}
