using System.Security.Cryptography;
using Trust.Crypto;
using Trust.TestKit;

namespace Trust.Pkcs11.Tests;

public sealed class FaultTests
{
    private static readonly byte[] Digest = SHA256.HashData("prescription"u8);
    private static readonly KeyRef Key = new("seal");

    [Theory]
    [InlineData(Took.NoEffect, 0x32UL)]
    [InlineData(Took.Effect, 0x32UL)]
    [InlineData(Took.NoEffect, 0xB3UL)]
    [InlineData(Took.NoEffect, 0x30UL)]
    public async Task A_token_that_goes_mid_signature_and_comes_back_signs_without_help(Took took, ulong code)
    {
        var (token, faults) = await FaultyTokens.NewToken();
        await using var _ = token;
        var key = await token.Generate(Key, KeyAlgorithm.EcdsaP256, default);
        (faults.Took, faults.SignCode, faults.FailSigns) = (took, code, 1);

        var signature = await token.Sign(Key, Digest, default);

        using var ecdsa = ECDsa.Create();
        ecdsa.ImportSubjectPublicKeyInfo(key.SubjectPublicKeyInfo.Span, out var _);
        Assert.True(ecdsa.VerifyHash(Digest, signature));
        Assert.Equal(took == Took.Effect ? 2 : 1, faults.Signs);
    }

    [Fact]
    public async Task A_token_that_fails_twice_is_not_asked_a_third_time()
    {
        var (token, faults) = await FaultyTokens.NewToken();
        await using var _ = token;
        await token.Generate(Key, KeyAlgorithm.EcdsaP256, default);
        faults.FailSigns = 5;

        var refused = await Assert.ThrowsAsync<TokenException>(async () => await token.Sign(Key, Digest, default));

        Assert.Equal("CKR_DEVICE_REMOVED", refused.CodeName);
        Assert.Equal(3, faults.FailSigns);
    }

    [Fact]
    public async Task A_removed_token_is_unhealthy_until_it_is_back()
    {
        var (token, faults) = await FaultyTokens.NewToken();
        await using var _ = token;
        await token.Generate(Key, KeyAlgorithm.EcdsaP256, default);

        faults.Removed = true;
        var away = await Assert.ThrowsAsync<TokenException>(async () => await token.Sign(Key, Digest, default));
        var health = await token.Probe(default);
        faults.Removed = false;

        Assert.True(away.IsTokenLost);
        Assert.False(health.Ready);
        Assert.NotEmpty(health.Detail);
        Assert.Equal(64, (await token.Sign(Key, Digest, default)).Length);
        Assert.True((await token.Probe(default)).Ready);
    }

    [Theory]
    [InlineData(0xA0UL, "CKR_PIN_INCORRECT")]
    [InlineData(0xA4UL, "CKR_PIN_LOCKED")]
    public async Task A_refused_PIN_is_never_tried_again_so_that_the_token_does_not_lock(ulong code, string name)
    {
        var (token, faults) = await FaultyTokens.NewToken();
        await using var _ = token;
        await token.Generate(Key, KeyAlgorithm.EcdsaP256, default);
        var before = faults.Logins;
        (faults.LoginCode, faults.FailSigns) = (code, 1);

        await Assert.ThrowsAsync<TokenException>(async () => await token.Sign(Key, Digest, default));
        var second = await Assert.ThrowsAsync<TokenException>(async () => await token.Sign(Key, Digest, default));
        var health = await token.Probe(default);

        Assert.Equal(name, second.CodeName);
        Assert.Equal(before + 1, faults.Logins);
        Assert.Contains(name, health.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_slow_token_holds_up_neither_the_thread_pool_nor_the_health_answer()
    {
        var (token, faults) = await FaultyTokens.NewToken();
        await using var _ = token;
        await token.Generate(Key, KeyAlgorithm.EcdsaP256, default);
        using var gate = new ManualResetEventSlim();
        faults.SignGate = gate;

        var pending = Enumerable.Range(0, 50).Select(_ => token.Sign(Key, Digest, default).AsTask()).ToList();
        var health = await token.Probe(default);
        using var hurry = new CancellationTokenSource();
        var queued = token.Sign(Key, Digest, hurry.Token).AsTask();
        await hurry.CancelAsync();
        gate.Set();

        Assert.False(health.Ready);
        Assert.All(await Task.WhenAll(pending), s => Assert.Equal(64, s.Length));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => queued);
    }

    [Fact]
    public async Task A_vendors_SM2_signs_in_either_form()
    {
        foreach (var table in new[] { FaultyModule.Sm2Raw, FaultyModule.Sm2Der })
        {
            var (token, _) = await FaultyTokens.NewToken(sm2: table);
            await using var opened = token;
            var key = await token.Generate(new("gm"), KeyAlgorithm.Sm2, default);

            var signature = await token.Sign(key.Ref, Digest, default);

            Assert.Equal(64, signature.Length);
            Assert.True(Sm2.VerifyDigest(key.SubjectPublicKeyInfo, Digest, EcdsaForm.ToDer(signature)));
            Assert.Equal(KeyAlgorithm.Sm2, (await token.Find(key.Ref, default))!.Algorithm);
        }
    }

    [Fact]
    public async Task A_wrong_SM2_mechanism_table_is_found_out_before_the_first_signature_leaves()
    {
        var (token, _) = await FaultyTokens.NewToken(sm2: FaultyModule.Sm2Wrong);
        await using var opened = token;
        var key = await token.Generate(new("gm"), KeyAlgorithm.Sm2, default);

        var refused = await Assert.ThrowsAsync<TokenException>(async () => await token.Sign(key.Ref, Digest, default));

        Assert.Equal("SIGNATURE_FORM", refused.CodeName);
    }

    [Fact]
    public async Task A_table_whose_token_hashes_messages_itself_is_refused()
    {
        var (token, _) = await FaultyTokens.NewToken(sm2: FaultyModule.Sm2Raw with { Input = Sm2SignatureInput.Message });
        await using var opened = token;

        var refused = await Assert.ThrowsAsync<TokenException>(async () => await token.Generate(new("gm"), KeyAlgorithm.Sm2, default));

        Assert.Equal("UNSUPPORTED", refused.CodeName);
    }
}
