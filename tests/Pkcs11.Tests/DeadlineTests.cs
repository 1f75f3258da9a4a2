using System.Security.Cryptography;
using Trust.TestKit;

namespace Trust.Pkcs11.Tests;

/// <summary>Tokens that hang, and who may be held up by whom.</summary>
public sealed class DeadlineTests
{
    private static readonly byte[] Digest = SHA256.HashData("prescription"u8);
    private static readonly KeyRef Key = new("seal");
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(1);

    private readonly ManualClock _clock = new(DateTimeOffset.UnixEpoch);

    [Fact]
    public async Task A_call_that_hangs_is_given_up_and_its_late_signature_dropped()
    {
        var (token, faults) = await Hanging(sessions: 2);
        await using var _ = token;
        using var gate = new ManualResetEventSlim();
        (faults.SignGate, faults.MostAtGate) = (gate, 1);

        var hung = token.Sign(Key, Digest, default).AsTask();
        await Eventually.Holds(() => faults.Waiting == 1, "the token hangs");
        Assert.True((await token.Probe(default)).Ready);
        _clock.Advance(CallTimeout);
        var refused = await Assert.ThrowsAsync<TokenException>(() => hung);
        var silent = await token.Probe(default);
        Assert.Equal(64, (await token.Sign(Key, Digest, default)).Length);
        var answered = await token.Probe(default);
        gate.Set();
        await Eventually.Holds(() => faults.Signs == 2, "the hung call returns");

        Assert.Equal("TOKEN_SILENT", refused.CodeName);
        Assert.True(refused.IsTokenLost);
        Assert.False(silent.Ready);
        Assert.NotEmpty(silent.Detail);
        Assert.True(answered.Ready);
        Assert.Equal(64, (await token.Sign(Key, Digest, default)).Length);
    }

    [Fact]
    public async Task A_token_that_hangs_altogether_is_refused_at_once_until_a_call_returns()
    {
        var (token, faults) = await Hanging(sessions: 1);
        await using var _ = token;
        using var gate = new ManualResetEventSlim();
        faults.SignGate = gate;

        var first = token.Sign(Key, Digest, default).AsTask();
        await Eventually.Holds(() => faults.Waiting == 1, "the first thread hangs");
        _clock.Advance(CallTimeout);
        await Assert.ThrowsAsync<TokenException>(() => first);
        var second = token.Sign(Key, Digest, default).AsTask();
        await Eventually.Holds(() => faults.Waiting == 2, "the thread in its place hangs");
        var queued = token.Sign(Key, Digest, default).AsTask();
        _clock.Advance(CallTimeout);
        var all = await Task.WhenAll(Refused(second), Refused(queued), Refused(token.Sign(Key, Digest, default).AsTask()));
        var health = await token.Probe(default);
        (faults.SignGate, var signs) = (null, faults.Signs);
        gate.Set();
        await Eventually.Holds(async () => (await token.Probe(default)).Ready, "the token answers again");

        Assert.Equal(["TOKEN_SILENT", "TOKEN_SILENT", "TOKEN_SILENT"], all);
        Assert.False(health.Ready);
        Assert.Equal(0, signs);
        Assert.Equal(64, (await token.Sign(Key, Digest, default)).Length);
        Assert.Equal(3, faults.Signs);
    }

    [Fact]
    public async Task Closing_does_not_wait_for_a_call_that_was_given_up()
    {
        var (token, faults) = await Hanging(sessions: 1);
        using var gate = new ManualResetEventSlim();
        faults.SignGate = gate;
        var hung = token.Sign(Key, Digest, default).AsTask();
        await Eventually.Holds(() => faults.Waiting == 1, "the token hangs");
        _clock.Advance(CallTimeout);
        await Assert.ThrowsAsync<TokenException>(() => hung);

        await token.DisposeAsync();

        Assert.Equal(1, faults.Waiting);
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await token.Sign(Key, Digest, default));
        gate.Set();
        await Eventually.Holds(() => faults.Waiting == 0, "the hung call returns");
    }

    [Fact]
    public async Task Cancelled_work_leaves_the_queue_at_once_and_leaves_room_in_it()
    {
        const int limit = 10_000;
        var (token, faults) = await Hanging(sessions: 1);
        await using var _ = token;
        using var gate = new ManualResetEventSlim();
        faults.SignGate = gate;
        using var leaving = new CancellationTokenSource();
        var begun = token.Sign(Key, Digest, default).AsTask();
        await Eventually.Holds(() => faults.Waiting == 1, "the only session is busy");

        var queued = Enumerable.Range(0, limit).Select(_ => token.Sign(Key, Digest, leaving.Token).AsTask()).ToList();
        var full = await Refused(token.Sign(Key, Digest, default).AsTask());
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.WhenAll(queued));
        var admitted = token.Sign(Key, Digest, default).AsTask();

        Assert.Equal("TOKEN_BUSY", full);
        Assert.All(queued, q => Assert.True(q.IsCanceled));
        Assert.False(begun.IsCompleted);
        gate.Set();
        Assert.Equal(64, (await admitted).Length);
        Assert.Equal(64, (await begun).Length);
        Assert.Equal(2, faults.Signs);
    }

    [Fact]
    public async Task A_flood_of_anonymous_work_holds_up_no_other_even_when_it_hangs()
    {
        var (token, faults) = await Hanging(sessions: 2);
        await using var _ = token;
        using var gate = new ManualResetEventSlim();
        (faults.SignGate, faults.OnlyAnonymousAtGate) = (gate, true);

        var flood = Enumerable.Range(0, 1_100).Select(_ => Refused(token.Sign(Key, Digest, TokenLane.Anonymous, default).AsTask())).ToList();
        await Eventually.Holds(() => faults.Waiting == 1, "the anonymous session hangs");
        var others = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => token.Sign(Key, Digest, default).AsTask()));
        var anonymous = faults.Signs - others.Length;
        gate.Set();
        var ends = await Task.WhenAll(flood);

        Assert.All(others, s => Assert.Equal(64, s.Length));
        Assert.Equal(0, anonymous);
        Assert.InRange(ends.Count(e => e is "signed"), 1_000, 1_001);
        Assert.Equal(1_100, ends.Count(e => e is "signed" or "TOKEN_BUSY"));
    }

    private async Task<(Pkcs11Token Token, TokenFaults Faults)> Hanging(int sessions)
    {
        var options = Tokens.NewOptions("hang") with { Sessions = sessions, CallTimeout = CallTimeout };
        var token = await FaultyModule.Open(options, _clock);
        await token.Generate(Key, KeyAlgorithm.EcdsaP256, default);
        return (token, FaultyModule.For(options.TokenLabel));
    }

    private static async Task<string> Refused(Task<byte[]> signature)
    {
        try
        {
            await signature;
            return "signed";
        }
        catch (TokenException e)
        {
            return e.CodeName;
        }
    }
}
