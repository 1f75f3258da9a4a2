using System.Security.Cryptography;
using System.Text;
using Trust.Crypto;
using Trust.TestKit;

namespace Trust.Pkcs11.Tests;

public sealed class TokenTests
{
    private static readonly byte[] Digest = SHA256.HashData("prescription"u8);

    [Fact]
    public async Task A_P256_key_signs_a_digest_that_the_platform_verifies()
    {
        await using var token = await Tokens.NewToken();
        var key = await token.Generate(new("seal"), KeyAlgorithm.EcdsaP256, default);

        var signature = await token.Sign(key.Ref, Digest, default);

        using var ecdsa = ECDsa.Create();
        ecdsa.ImportSubjectPublicKeyInfo(key.SubjectPublicKeyInfo.Span, out _);
        Assert.Equal(64, signature.Length);
        Assert.True(ecdsa.VerifyHash(Digest, signature));
    }

    [Fact]
    public async Task A_token_tells_what_it_is_and_which_mechanisms_it_offers()
    {
        await using var token = await Tokens.NewToken("described");
        var description = token.Description!;
        Assert.Equal(token.Label, description.Label);
        Assert.Contains("SoftHSM", description.Manufacturer + description.Model, StringComparison.OrdinalIgnoreCase);
        Assert.NotEmpty(description.SerialNumber);
        Assert.Matches("^[0-9]+\\.[0-9]+$", description.Firmware);
        // PKCS #11 v2.40, CKM_ECDSA, CKM_AES_GCM, CKM_SHA256_HMAC.
        Assert.Superset(new HashSet<ulong> { 0x1041, 0x1087, 0x251 }, description.Mechanisms.ToHashSet());
        Assert.Equal(description.Mechanisms.Order(), description.Mechanisms);
    }

    [Fact]
    public async Task An_RSA_3072_key_signs_PKCS1_over_SHA256()
    {
        await using var token = await Tokens.NewToken();
        var key = await token.Generate(new("rsa"), KeyAlgorithm.Rsa3072, default);

        var signature = await token.Sign(key.Ref, Digest, default);

        using var rsa = RSA.Create();
        rsa.ImportSubjectPublicKeyInfo(key.SubjectPublicKeyInfo.Span, out _);
        Assert.Equal(3072, rsa.KeySize);
        Assert.True(rsa.VerifyHash(Digest, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
    }

    [Fact]
    public async Task An_Ed25519_key_signs_the_whole_message()
    {
        await using var token = await Tokens.NewToken();
        var key = await token.Generate(new("checkpoint"), KeyAlgorithm.Ed25519, default);
        var message = Encoding.UTF8.GetBytes(new string('m', 300));

        var signature = await token.Sign(key.Ref, message, default);

        Assert.True(Ed25519.Verify(key.SubjectPublicKeyInfo.Span[^32..].ToArray(), message, signature));
        Assert.False(Ed25519.Verify(key.SubjectPublicKeyInfo.Span[^32..].ToArray(), message.AsSpan(1).ToArray(), signature));
    }

    [Fact]
    public async Task A_mac_key_answers_the_same_mac_for_the_same_data()
    {
        await using var token = await Tokens.NewToken();
        await token.Generate(new("lookup"), KeyAlgorithm.HmacSha256, default);

        var first = await token.Mac(new("lookup"), "110105"u8.ToArray(), default);

        Assert.Equal(32, first.Length);
        Assert.Equal(first, await token.Mac(new("lookup"), "110105"u8.ToArray(), default));
        Assert.NotEqual(first, await token.Mac(new("lookup"), "110106"u8.ToArray(), default));
    }

    [Fact]
    public async Task Sealed_bytes_open_only_unchanged_and_with_their_associated_data()
    {
        await using var token = await Tokens.NewToken();
        await token.Generate(new("wrap"), KeyAlgorithm.Aes256, default);
        var sealedBytes = await token.Encrypt(new("wrap"), "identity"u8.ToArray(), "row 1"u8.ToArray(), default);

        Assert.Equal("identity"u8.ToArray(), await token.Decrypt(new("wrap"), sealedBytes, "row 1"u8.ToArray(), default));
        await Assert.ThrowsAsync<TokenException>(async () => await token.Decrypt(new("wrap"), sealedBytes, "row 2"u8.ToArray(), default));
        for (var i = 0; i < sealedBytes.Length; i++)
        {
            var changed = sealedBytes.ToArray();
            changed[i] ^= 1;
            await Assert.ThrowsAsync<TokenException>(async () => await token.Decrypt(new("wrap"), changed, "row 1"u8.ToArray(), default));
        }

        Assert.Equal(
            Array.Empty<byte>(),
            await token.Decrypt(new("wrap"), await token.Encrypt(new("wrap"), Array.Empty<byte>(), Array.Empty<byte>(), default), Array.Empty<byte>(), default));
    }

    [Fact]
    public async Task A_label_in_use_is_refused_and_free_again_after_destruction()
    {
        await using var token = await Tokens.NewToken();
        await token.Generate(new("one"), KeyAlgorithm.EcdsaP256, default);

        var refused = await Assert.ThrowsAsync<TokenException>(async () => await token.Generate(new("one"), KeyAlgorithm.Aes256, default));
        await token.Destroy(new("one"), default);

        Assert.Equal("KEY_EXISTS", refused.CodeName);
        Assert.Null(await token.Find(new("one"), default));
        Assert.NotNull(await token.Generate(new("one"), KeyAlgorithm.Aes256, default));
    }

    [Fact]
    public async Task Keys_are_found_again_when_the_token_is_opened_again()
    {
        var options = Tokens.NewOptions();
        TokenKey made;
        await using (var first = await Pkcs11Token.Open(options, default))
        {
            made = await first.Generate(new("batch"), KeyAlgorithm.EcdsaP256, default);
            await first.Generate(new("rsa"), KeyAlgorithm.Rsa3072, default);
            await first.Generate(new("ed"), KeyAlgorithm.Ed25519, default);
            await first.Generate(new("aes"), KeyAlgorithm.Aes256, default);
            await first.Generate(new("mac"), KeyAlgorithm.HmacSha256, default);
        }

        await using var again = await Pkcs11Token.Open(options, default);
        var found = await again.Find(new("batch"), default);

        Assert.Equal(made.SubjectPublicKeyInfo.ToArray(), found!.SubjectPublicKeyInfo.ToArray());
        Assert.Equal(
            [KeyAlgorithm.Aes256, KeyAlgorithm.EcdsaP256, KeyAlgorithm.Ed25519, KeyAlgorithm.HmacSha256, KeyAlgorithm.Rsa3072],
            again.Keys.OrderBy(k => k.Ref.Label, StringComparer.Ordinal).Select(k => k.Algorithm));
        Assert.Equal(64, (await again.Sign(found.Ref, Digest, default)).Length);
    }

    [Fact]
    public async Task A_key_is_refused_for_what_it_is_not()
    {
        await using var token = await Tokens.NewToken();
        await token.Generate(new("sign"), KeyAlgorithm.EcdsaP256, default);
        await token.Generate(new("aes"), KeyAlgorithm.Aes256, default);

        Assert.Equal("WRONG_KEY", (await Assert.ThrowsAsync<TokenException>(async () => await token.Mac(new("sign"), Digest, default))).CodeName);
        Assert.Equal("WRONG_KEY", (await Assert.ThrowsAsync<TokenException>(async () => await token.Sign(new("aes"), Digest, default))).CodeName);
        Assert.Equal("NO_SUCH_KEY", (await Assert.ThrowsAsync<TokenException>(async () => await token.Sign(new("none"), Digest, default))).CodeName);
        Assert.Equal("CKR_DATA_LEN_RANGE", (await Assert.ThrowsAsync<TokenException>(async () => await token.Sign(new("sign"), Digest.AsMemory(1), default))).CodeName);
    }

    [Fact]
    public async Task A_software_token_says_that_it_has_no_SM2()
    {
        await using var token = await Tokens.NewToken();

        var refused = await Assert.ThrowsAsync<TokenException>(async () => await token.Generate(new("gm"), KeyAlgorithm.Sm2, default));

        Assert.Equal("UNSUPPORTED", refused.CodeName);
    }

    [Fact]
    public async Task More_callers_than_sessions_are_all_served()
    {
        await using var token = await Tokens.NewToken();
        var key = await token.Generate(new("busy"), KeyAlgorithm.EcdsaP256, default);
        using var ecdsa = ECDsa.Create();
        ecdsa.ImportSubjectPublicKeyInfo(key.SubjectPublicKeyInfo.Span, out _);

        var signatures = await Task.WhenAll(Enumerable.Range(0, 500).Select(async i =>
        {
            var digest = SHA256.HashData(BitConverter.GetBytes(i));
            return (digest, signature: await token.Sign(key.Ref, digest, default));
        }));

        Assert.All(signatures, s => Assert.True(ecdsa.VerifyHash(s.digest, s.signature)));
    }

    [Fact]
    public async Task A_token_that_does_not_exist_is_named()
    {
        var options = Tokens.NewOptions() with { TokenLabel = "elsewhere" };

        var refused = await Assert.ThrowsAsync<TokenException>(async () => await Pkcs11Token.Open(options, default));

        Assert.Equal("CKR_TOKEN_NOT_PRESENT", refused.CodeName);
        Assert.Contains("elsewhere", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_no_module_is_refused()
    {
        var options = Tokens.NewOptions() with { ModulePath = "/etc/hostname" };

        Assert.Equal("MODULE", (await Assert.ThrowsAsync<TokenException>(async () => await Pkcs11Token.Open(options, default))).CodeName);
    }

    [Fact]
    public async Task A_live_token_is_healthy()
    {
        await using var token = await Tokens.NewToken();
        await token.Generate(new("k"), KeyAlgorithm.EcdsaP256, default);

        Assert.Equal(new TokenHealth(true, string.Empty, 1), await token.Probe(default));
    }
}
