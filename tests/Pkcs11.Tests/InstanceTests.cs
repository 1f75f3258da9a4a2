using System.Security.Cryptography;
using Trust.TestKit;

namespace Trust.Pkcs11.Tests;

/// <summary>Several instances of a service over one token.</summary>
public sealed class InstanceTests
{
    private static readonly byte[] Digest = SHA256.HashData("prescription"u8);
    private static readonly KeyRef Key = new("seal");

    [Fact]
    public async Task A_key_that_another_instance_made_is_found_and_signs()
    {
        var options = Tokens.NewOptions();
        await using var one = await Pkcs11Token.Open(options, default);
        await using var other = await Pkcs11Token.Open(options, default);
        var made = await other.Generate(Key, KeyAlgorithm.EcdsaP256, default);
        await other.Generate(new("wrap"), KeyAlgorithm.Aes256, default);
        await other.Generate(new("unasked"), KeyAlgorithm.EcdsaP256, default);

        var found = await one.Find(Key, default);

        Assert.Equal(made.SubjectPublicKeyInfo.ToArray(), found!.SubjectPublicKeyInfo.ToArray());
        Assert.Equal(KeyAlgorithm.Aes256, (await one.Find(new("wrap"), default))!.Algorithm);
        Assert.True(Verifies(made, await one.Sign(Key, Digest, default)));
        Assert.Equal(64, (await one.Sign(new("unasked"), Digest, default)).Length);
    }

    [Fact]
    public async Task A_name_that_no_key_has_is_searched_for_once_a_second()
    {
        var options = Tokens.NewOptions();
        var clock = new ManualClock(DateTimeOffset.UnixEpoch);
        await using var token = await FaultyModule.Open(options, clock);
        await using var other = await Pkcs11Token.Open(options, default);
        var faults = FaultyModule.For(options.TokenLabel);

        Assert.Null(await token.Find(Key, default));
        var searches = faults.Searches;
        for (var i = 0; i < 20; i++)
        {
            Assert.Null(await token.Find(Key, default));
            Assert.Equal("NO_SUCH_KEY", (await Assert.ThrowsAsync<TokenException>(async () => await token.Sign(Key, Digest, default))).CodeName);
        }

        Assert.Equal(searches, faults.Searches);
        await other.Generate(Key, KeyAlgorithm.EcdsaP256, default);
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.NotNull(await token.Find(Key, default));
        Assert.True(faults.Searches > searches);
    }

    [Fact]
    public async Task A_key_that_another_instance_made_since_is_answered_instead_of_a_second_one()
    {
        var options = Tokens.NewOptions();
        await using var one = await Pkcs11Token.Open(options, default);
        await using var other = await Pkcs11Token.Open(options, default);
        Assert.Null(await one.Find(Key, default));
        var made = await other.FindOrGenerate(Key, KeyAlgorithm.EcdsaP256, default);

        var refused = await Assert.ThrowsAsync<TokenException>(async () => await one.Generate(Key, KeyAlgorithm.EcdsaP256, default));
        var found = await one.FindOrGenerate(Key, KeyAlgorithm.EcdsaP256, default);
        var wrong = await Assert.ThrowsAsync<TokenException>(async () => await one.FindOrGenerate(Key, KeyAlgorithm.Aes256, default));

        Assert.Equal("KEY_EXISTS", refused.CodeName);
        Assert.Equal(made.SubjectPublicKeyInfo.ToArray(), found.SubjectPublicKeyInfo.ToArray());
        Assert.Equal("WRONG_KEY", wrong.CodeName);
    }

    [Fact]
    public async Task Of_two_instances_that_make_a_key_at_once_the_one_that_sees_both_gives_way()
    {
        var options = Tokens.NewOptions();
        var faults = FaultyModule.For(options.TokenLabel);
        await using var one = await FaultyModule.Open(options);
        await using var other = await Pkcs11Token.Open(options, default);
        TokenKey? made = null;
        faults.BeforeGeneration = () =>
        {
            faults.BeforeGeneration = null;
            made = other.Generate(Key, KeyAlgorithm.EcdsaP256, default).AsTask().GetAwaiter().GetResult();
        };

        var refused = await Assert.ThrowsAsync<TokenException>(async () => await one.Generate(Key, KeyAlgorithm.EcdsaP256, default));
        var found = await one.FindOrGenerate(Key, KeyAlgorithm.EcdsaP256, default);
        await using var opened = await Pkcs11Token.Open(options, default);

        Assert.Equal("KEY_CONTENDED", refused.CodeName);
        Assert.Equal(made!.SubjectPublicKeyInfo.ToArray(), found.SubjectPublicKeyInfo.ToArray());
        Assert.True(Verifies(made, await opened.Sign(Key, Digest, default)));
        Assert.Single(opened.Keys);
    }

    [Fact]
    public async Task Many_instances_that_ask_for_a_key_at_once_get_one_key()
    {
        var options = Tokens.NewOptions();
        var tokens = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Pkcs11Token.Open(options, default).AsTask()));
        for (var round = 0; round < 5; round++)
        {
            var key = new KeyRef($"seal-{round}");
            var seen = await Task.WhenAll(tokens.Select(t => Task.Run(() => Insistently(t, key))));

            Assert.Single(seen.Select(k => Convert.ToHexString(k.SubjectPublicKeyInfo.Span)).Distinct(StringComparer.Ordinal));
        }

        foreach (var token in tokens)
        {
            await token.DisposeAsync();
        }

        await using var again = await Pkcs11Token.Open(options, default);
        Assert.Equal(5, again.Keys.Count);
    }

    // As a caller does whose request is tried again.
    private static async Task<TokenKey> Insistently(Pkcs11Token token, KeyRef key)
    {
        TokenKey? found = null;
        await Eventually.Holds(
            async () =>
            {
                try
                {
                    found = await token.FindOrGenerate(key, KeyAlgorithm.EcdsaP256, default);
                    return true;
                }
                catch (TokenException e) when (e.CodeName is "KEY_CONTENDED" || e.Code != 0)
                {
                    // SoftHSM has several words for an object that changes under its hands.
                    return false;
                }
            },
            "a key is made or found");
        return found!;
    }

    private static bool Verifies(TokenKey key, byte[] signature)
    {
        using var ecdsa = ECDsa.Create();
        ecdsa.ImportSubjectPublicKeyInfo(key.SubjectPublicKeyInfo.Span, out _);
        return ecdsa.VerifyHash(Digest, signature);
    }
}
