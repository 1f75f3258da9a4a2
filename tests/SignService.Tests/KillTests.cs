using Trust.TestKit;

namespace Trust.SignService.Tests;

/// <summary>The service as a process, killed with -9 while the ledger holds its answer back, then started again.</summary>
public sealed class KillTests
{
    [Theory]
    [InlineData("SIGN.request", false)] // the intent is committed, the ledger has not taken it
    [InlineData("SIGN.request", true)] // the ledger has it, the service does not know
    [InlineData("SIGN.done", false)] // the result is committed, the caller perhaps has no answer
    public async Task A_killed_process_loses_nothing_and_a_retry_with_the_same_key_ends_with_one_signature(string action, bool taken)
    {
        await using var rig = await SignRig.StartProcess();
        var (id, bytes, _) = await rig.Prepared();
        var signature = rig.DoctorCard.Sign(bytes);
        var killed = 0;
        rig.Peers.OnEvent = (seen, after) =>
        {
            if (seen == action && after == taken && Interlocked.Exchange(ref killed, 1) == 0)
            {
                rig.Kill();
            }
        };
        string? acknowledged = null;
        try
        {
            using var first = await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k");
            acknowledged = first.IsSuccessStatusCode ? await first.Content.ReadAsStringAsync() : null;
        }
        catch (HttpRequestException)
        {
            acknowledged = null;
        }

        await Eventually.Holds(() => Volatile.Read(ref killed) == 1, "the process was killed");
        await rig.Restart();
        string? answer = null;
        await Eventually.Holds(async () =>
        {
            // Until the ledger has taken the intent that the killed process announced.
            using var again = await rig.Post($"/prescriptions/{id}/signature", rig.DoctorToken(), new { signature }, "k");
            answer = again.IsSuccessStatusCode ? await again.Content.ReadAsStringAsync() : null;
            return answer is not null;
        }, "the retry is answered");
        Assert.True(acknowledged is null || acknowledged == answer);
        Assert.Equal("signed", await rig.StatusOf(id));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM signatures WHERE status = 'done'"));
        await Eventually.Holds(() => rig.Peers.Actions.Contains("RX.sign"), "the result reaches the ledger");
        Assert.Equal(1, rig.Peers.Actions.Count(a => a == "SIGN.done"));
        Assert.Equal(1, rig.Peers.Actions.Count(a => a == "RX.sign"));
        Assert.Contains("SIGN.request", rig.Peers.Actions.TakeWhile(a => a != "SIGN.done"));
    }
}
