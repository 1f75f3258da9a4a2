using Trust.SignService.Signatures;
using Trust.TestKit;

namespace Trust.SignService.Tests;

/// <summary>The signing service killed by SIGKILL between the durable steps of a signature or a seal, and started again over what it left.</summary>
public sealed class KillAtPointTests
{
    [Theory]
    [InlineData(CommitPoints.BeforeIntent)]
    [InlineData(CommitPoints.AfterIntent)]
    [InlineData(CommitPoints.AfterAct)]
    [InlineData(CommitPoints.AfterResult)]
    public async Task Killed_at_a_commit_point_a_retry_with_the_same_key_is_answered_at_once_and_releases_one_signature(string point)
    {
        await using var rig = await SignRig.StartProcess();
        var (id, bytes, _) = await rig.Prepared();
        var body = new { signature = rig.DoctorCard.Sign(bytes) };
        var answers = await KilledAndAskedTwice(rig, point, $"/prescriptions/{id}/signature", () => rig.DoctorToken(), body);
        Assert.Equal(answers.First, answers.Second);
        Assert.Equal("signed", await rig.StatusOf(id));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM signatures WHERE status <> 'prepared'"));
        await OneOfEach(rig, "RX.sign");
    }

    [Theory]
    [InlineData(CommitPoints.BeforeIntent)]
    [InlineData(CommitPoints.AfterIntent)]
    [InlineData(CommitPoints.AfterAct)]
    [InlineData(CommitPoints.AfterResult)]
    public async Task Killed_at_a_commit_point_a_retry_with_the_same_key_is_answered_at_once_and_releases_one_seal(string point)
    {
        await using var rig = await SignRig.StartProcess();
        await rig.CertifySeal();
        var answers = await KilledAndAskedTwice(
            rig, point, $"/seals/{SignRig.Hospital}/signatures", () => rig.Peers.Token("hospital-system", "seal", null, SignRig.Hospital, "https://sign.example"), new { payload = new byte[] { 1, 2, 3 } });
        Assert.Equal(answers.First, answers.Second);
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM sealed_documents"));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM sealed_documents WHERE completed_at IS NOT NULL"));
        await OneOfEach(rig, "SIGN.done");
    }

    private static async Task<(string First, string Second)> KilledAndAskedTwice(SignRig rig, string point, string path, Func<string> token, object body)
    {
        rig.Kill();
        await rig.Restart(point);
        await Assert.ThrowsAsync<HttpRequestException>(() => rig.Post(path, token(), body, "the-key"));
        await rig.Died();
        await rig.Restart();
        using var first = await rig.Post(path, token(), body, "the-key");
        var text = await first.Content.ReadAsStringAsync();
        Assert.True(first.IsSuccessStatusCode, text);
        using var second = await rig.Post(path, token(), body, "the-key");
        return (text, await second.Content.ReadAsStringAsync());
    }

    // What was committed reaches the ledger, announced before it was done, and done once.
    private static async Task OneOfEach(SignRig rig, string last)
    {
        await Eventually.Holds(() => rig.Peers.Actions.Contains(last), "the result reaches the ledger");
        Assert.Equal(1, rig.Peers.Actions.Count(a => a == "SIGN.done"));
        Assert.Equal(1, rig.Peers.Actions.Count(a => a == last));
        Assert.Contains("SIGN.request", rig.Peers.Actions.TakeWhile(a => a != "SIGN.done"));
    }
}
