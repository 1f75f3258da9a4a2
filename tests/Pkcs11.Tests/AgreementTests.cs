using System.Security.Cryptography;
using Trust.Crypto;
using Trust.TestKit;

namespace Trust.Pkcs11.Tests;

/// <summary>ECDH with a key in the token, and the oblivious function over it.</summary>
public sealed class AgreementTests
{
    private static readonly byte[] Digest = SHA256.HashData("prescription"u8);
    private static readonly KeyRef Key = new("identifiers");

    [Fact]
    public async Task Token_and_software_agree_on_one_x()
    {
        await using var token = await Tokens.NewToken();
        var key = await token.Generate(Key, KeyAlgorithm.EcdhP256, default);

        for (var i = 0; i < 20; i++)
        {
            using var software = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
            Assert.Equal(Agree(software, key), await token.Agree(Key, PointOf(software), default));
        }
    }

    [Fact]
    public async Task An_x_that_begins_with_a_zero_byte_has_32_bytes_all_the_same()
    {
        await using var token = await Tokens.NewToken();
        var key = await token.Generate(Key, KeyAlgorithm.EcdhP256, default);

        // One in 256 has it.
        byte[] x;
        byte[] point;
        do
        {
            using var software = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
            (x, point) = (Agree(software, key), PointOf(software));
        }
        while (x[0] != 0);

        Assert.Equal(x, await token.Agree(Key, point, default));
    }

    [Fact]
    public async Task A_key_is_for_agreement_or_for_signatures_and_never_for_both()
    {
        var options = Tokens.NewOptions();
        await using var token = await Pkcs11Token.Open(options, default);
        await token.Generate(Key, KeyAlgorithm.EcdhP256, default);
        await token.Generate(new("batch"), KeyAlgorithm.EcdsaP256, default);
        await token.Generate(new("lookup"), KeyAlgorithm.HmacSha256, default);

        // What a key is for is read from the token again, by whoever opens it next.
        await using var again = await Pkcs11Token.Open(options, default);
        foreach (var opened in new[] { token, again })
        {
            Assert.Equal(KeyAlgorithm.EcdhP256, (await opened.Find(Key, default))!.Algorithm);
            Assert.Equal(KeyAlgorithm.EcdsaP256, (await opened.Find(new("batch"), default))!.Algorithm);
            Assert.Equal("WRONG_KEY", await Refusal(() => opened.Agree(new("batch"), NewPoint(), default).AsTask()));
            Assert.Equal("WRONG_KEY", await Refusal(() => opened.Agree(new("lookup"), NewPoint(), default).AsTask()));
            Assert.Equal("WRONG_KEY", await Refusal(() => opened.Sign(Key, Digest, default).AsTask()));
            Assert.Equal("WRONG_KEY", await Refusal(() => opened.Mac(Key, Digest, default).AsTask()));
            Assert.Equal("NO_SUCH_KEY", await Refusal(() => opened.Agree(new("none"), NewPoint(), default).AsTask()));
            Assert.Equal("WRONG_KEY", await Refusal(() => opened.FindOrGenerate(Key, KeyAlgorithm.EcdsaP256, default).AsTask()));
            Assert.Equal(Key, (await opened.FindOrGenerate(Key, KeyAlgorithm.EcdhP256, default)).Ref);
            Assert.Equal(32, (await opened.Agree(Key, NewPoint(), default)).Length);
        }
    }

    [Fact]
    public async Task What_is_no_point_of_the_curve_does_not_reach_the_token()
    {
        var (token, faults) = await FaultyTokens.NewToken();
        await using var _ = token;
        await token.Generate(Key, KeyAlgorithm.EcdhP256, default);
        var good = NewPoint();
        var off = good.ToArray();
        off[64] ^= 1;
        byte[] beyond = [4, .. Enumerable.Repeat((byte)0xFF, 32), .. good[33..]];

        byte[][] malformed =
        [
            [], [0], good[..64], [.. good, 0], off, beyond, new byte[65], [4, .. new byte[64]], [6, .. good[1..]], [7, .. good[1..]],
            [(byte)(2 + (good[64] & 1)), .. good[1..33]], [0x04, 0x41, .. good],
        ];
        foreach (var point in malformed)
        {
            Assert.Equal("CKR_DATA_INVALID", await Refusal(() => token.Agree(Key, point, default).AsTask()));
        }

        Assert.Equal(0, faults.Derivations);
        Assert.Equal(32, (await token.Agree(Key, good, default)).Length);
        Assert.Equal(1, faults.Derivations);
    }

    [Fact]
    public async Task Nothing_that_was_agreed_on_stays_in_the_token()
    {
        var (token, faults) = await FaultyTokens.NewToken();
        await using var _ = token;
        await token.Generate(Key, KeyAlgorithm.EcdhP256, default);

        for (var i = 0; i < 10; i++)
        {
            await token.Agree(Key, NewPoint(), default);
        }

        faults.ValueCode = 0x06;
        Assert.Equal("CKR_FUNCTION_FAILED", await Refusal(() => token.Agree(Key, NewPoint(), default).AsTask()));
        faults.ValueCode = 0x11;
        Assert.Equal("SHARED_VALUE", await Refusal(() => token.Agree(Key, NewPoint(), default).AsTask()));

        Assert.Equal(12, faults.Derivations);
        Assert.Equal(0, faults.Derived);
    }

    [Theory]
    [InlineData(Took.NoEffect)]
    [InlineData(Took.Effect)]
    public async Task A_token_that_goes_while_it_agrees_and_comes_back_agrees_without_help(Took took)
    {
        var (token, faults) = await FaultyTokens.NewToken();
        await using var _ = token;
        var key = await token.Generate(Key, KeyAlgorithm.EcdhP256, default);
        using var software = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        (faults.Took, faults.FailDerivations) = (took, 1);

        var x = await token.Agree(Key, PointOf(software), default);
        faults.FailDerivations = 2;
        var refused = await Assert.ThrowsAsync<TokenException>(async () => await token.Agree(Key, PointOf(software), default));

        Assert.Equal(Agree(software, key), x);
        Assert.True(refused.IsTokenLost);
        Assert.Equal(0, faults.FailDerivations);
        Assert.Equal(x, await token.Agree(Key, PointOf(software), default));
    }

    [Fact]
    public async Task Whoever_asks_the_token_blindly_learns_one_value_for_one_number()
    {
        await using var token = await Tokens.NewToken();
        await token.Generate(Key, KeyAlgorithm.EcdhP256, default);
        await token.Generate(new("another"), KeyAlgorithm.EcdhP256, default);

        var value = await Ask(token, Key, "resident-identity-card 11010519491231002X"u8.ToArray());

        Assert.Equal(value, await Ask(token, Key, "resident-identity-card 11010519491231002X"u8.ToArray()));
        Assert.NotEqual(value, await Ask(token, Key, "passport 11010519491231002X"u8.ToArray()));
        Assert.NotEqual(value, await Ask(token, new("another"), "resident-identity-card 11010519491231002X"u8.ToArray()));
    }

    private static async Task<byte[]> Ask(Pkcs11Token token, KeyRef key, byte[] input)
    {
        var asked = ObliviousPrf.Blind(input);
        Assert.True(ObliviousPrf.TryToPoint(asked.Element.Span, out var point));
        Assert.True(asked.TryFinish(await token.Agree(key, point, default), out var value));
        return value;
    }

    private static async Task<string> Refusal(Func<Task> act) => (await Assert.ThrowsAsync<TokenException>(act)).CodeName;

    private static byte[] Agree(ECDiffieHellman software, TokenKey key)
    {
        using var other = ECDiffieHellman.Create();
        other.ImportSubjectPublicKeyInfo(key.SubjectPublicKeyInfo.Span, out _);
        return software.DeriveRawSecretAgreement(other.PublicKey);
    }

    private static byte[] NewPoint()
    {
        using var software = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        return PointOf(software);
    }

    private static byte[] PointOf(ECDiffieHellman software)
    {
        var q = software.ExportParameters(false).Q;
        return [4, .. q.X!, .. q.Y!];
    }
}
