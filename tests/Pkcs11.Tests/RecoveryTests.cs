using System.Net.Sockets;
using System.Security.Cryptography;
using Trust.TestKit;

namespace Trust.Pkcs11.Tests;

/// <summary>What module, token and PIN file can be made to do to a session's thread.</summary>
public sealed class RecoveryTests
{
    private static readonly byte[] Digest = SHA256.HashData("prescription"u8);
    private static readonly KeyRef Key = new("seal");

    [Theory]
    [InlineData(0x90UL, true, Took.NoEffect)]
    [InlineData(0x90UL, true, Took.Effect)]
    [InlineData(0x91UL, false, Took.NoEffect)]
    [InlineData(0x91UL, false, Took.Effect)]
    public async Task A_session_out_of_step_is_opened_anew_without_logging_in_again(ulong code, bool atBegin, Took took)
    {
        var options = Tokens.NewOptions("step") with { Sessions = 1 };
        await using var token = await FaultyModule.Open(options);
        var faults = FaultyModule.For(options.TokenLabel);
        var key = await token.Generate(Key, KeyAlgorithm.EcdsaP256, default);
        var logins = faults.Logins;
        (faults.SignCode, faults.Took) = (code, took);
        (faults.FailSignInits, faults.FailSigns) = atBegin ? (1, 0) : (0, 1);

        var signature = await token.Sign(Key, Digest, default);
        (faults.FailSignInits, faults.FailSigns) = atBegin ? (2, 0) : (0, 2);
        var refused = await Assert.ThrowsAsync<TokenException>(async () => await token.Sign(Key, Digest, default));
        var after = await token.Sign(Key, Digest, default);

        using var ecdsa = ECDsa.Create();
        ecdsa.ImportSubjectPublicKeyInfo(key.SubjectPublicKeyInfo.Span, out _);
        Assert.True(ecdsa.VerifyHash(Digest, signature));
        Assert.Equal(code, refused.Code);
        Assert.True(ecdsa.VerifyHash(Digest, after));
        Assert.Equal(logins, faults.Logins);
    }

    [Theory]
    [InlineData(Took.NoEffect)]
    [InlineData(Took.Effect)]
    public async Task A_PIN_file_that_cannot_be_read_when_the_token_is_reopened_is_a_refusal_and_no_more(Took took)
    {
        var options = Tokens.NewOptions("pin") with { Sessions = 1 };
        await using var token = await FaultyModule.Open(options);
        var faults = FaultyModule.For(options.TokenLabel);
        await token.Generate(Key, KeyAlgorithm.EcdsaP256, default);
        File.Move(options.PinFile, options.PinFile + ".away");

        // A socket is there, of the right mode, and cannot be opened: IOException and no TokenException.
        using (var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            socket.Bind(new UnixDomainSocketEndPoint(options.PinFile));
            File.SetUnixFileMode(options.PinFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            Assert.Throws<IOException>(() => Pin.Read(options.PinFile));
            (faults.Took, faults.FailSigns) = (took, 1);

            var first = await Assert.ThrowsAsync<TokenException>(async () => await token.Sign(Key, Digest, default));
            var second = await Assert.ThrowsAsync<TokenException>(async () => await token.Sign(Key, Digest, default));
            var health = await token.Probe(default);

            Assert.Equal("CKR_DEVICE_REMOVED", first.CodeName);
            Assert.Equal("TOKEN_UNREADABLE", second.CodeName);
            Assert.False(health.Ready);
        }

        File.Delete(options.PinFile);
        File.Move(options.PinFile + ".away", options.PinFile);
        Assert.Equal(64, (await token.Sign(Key, Digest, default)).Length);
        Assert.True((await token.Probe(default)).Ready);
    }

    [Theory]
    [InlineData(Took.NoEffect)]
    [InlineData(Took.Effect)]
    public async Task An_object_of_an_impossible_length_met_when_the_token_is_reopened_is_a_refusal_and_no_more(Took took)
    {
        var options = Tokens.NewOptions("length") with { Sessions = 1 };
        await using var token = await FaultyModule.Open(options);
        var faults = FaultyModule.For(options.TokenLabel);
        await token.Generate(Key, KeyAlgorithm.EcdsaP256, default);
        (faults.Took, faults.FailSigns, faults.EcPointLength) = (took, 1, 0x7FFF_FFFF_FFFF_FFFE);

        var first = await Assert.ThrowsAsync<TokenException>(async () => await token.Sign(Key, Digest, default));
        var second = await Assert.ThrowsAsync<TokenException>(async () => await token.Sign(Key, Digest, default));
        faults.EcPointLength = null;

        Assert.Equal("CKR_DEVICE_REMOVED", first.CodeName);
        Assert.Equal("TOKEN_UNREADABLE", second.CodeName);
        Assert.Equal(64, (await token.Sign(Key, Digest, default)).Length);
    }

    [Fact]
    public async Task A_public_key_that_cannot_be_read_hides_its_own_key_and_no_other()
    {
        var options = Tokens.NewOptions("foreign");
        await using (var first = await Pkcs11Token.Open(options, default))
        {
            await first.Generate(Key, KeyAlgorithm.EcdsaP256, default);
            await first.Generate(new("lookup"), KeyAlgorithm.HmacSha256, default);
        }

        FaultyModule.For(options.TokenLabel).EcPointLength = 10;
        await using var token = await FaultyModule.Open(options);

        Assert.Equal(32, (await token.Mac(new("lookup"), Digest, default)).Length);
        Assert.Null(await token.Find(Key, default));
        Assert.Equal("KEY_EXISTS", (await Assert.ThrowsAsync<TokenException>(async () => await token.Generate(Key, KeyAlgorithm.EcdsaP256, default))).CodeName);
    }
}
