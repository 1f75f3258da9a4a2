using System.Globalization;
using System.Text;
using System.Text.Json;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Crypto.Signers;
using Org.BouncyCastle.Security;
using Trust.Crypto.Asn1;

namespace Trust.Crypto.Tests;

public sealed class Sm2Tests
{
    private static readonly JsonElement Vectors = JsonElement.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Vectors", "sm.json")));

    [Fact]
    public void SM3_gives_the_standards_digests()
    {
        foreach (var vector in Vectors.GetProperty("sm3").EnumerateArray())
        {
            var message = Convert.FromHexString(vector.GetProperty("message").GetString()!);
            var digest = Convert.FromHexString(vector.GetProperty("digest").GetString()!);
            Assert.Equal(digest, Sm3.HashData(message));
            using var hash = new Sm3();
            foreach (var b in message)
            {
                hash.Append([b]);
            }

            Assert.Equal(digest, hash.Finish());
            hash.Append(message);
            Assert.Equal(digest, hash.Finish());
        }
    }

    [Fact]
    public void The_standards_worked_signature_verifies_with_its_Z_and_e()
    {
        var v = Vectors.GetProperty("sm2").GetProperty("signature");
        var spki = Spki(Hex(v, "px"), Hex(v, "py"));
        Assert.Equal(Hex(v, "id"), Sm2.DefaultId.ToArray());
        Assert.Equal(Hex(v, "z"), Sm2.ComputeZ(spki, Sm2.DefaultId));
        Assert.Equal(Hex(v, "e"), Sm2.DigestToSign(spki, Hex(v, "message")));
        var signature = EcdsaForm.ToDer([.. Hex(v, "r"), .. Hex(v, "s")]);
        Assert.Equal(Sm2Verdict.Valid, Sm2.Verify(spki, Hex(v, "message"), signature));
        Assert.Equal(Sm2Verdict.Invalid, Sm2.Verify(spki, "message digesT"u8, signature));
    }

    [Fact]
    public void A_key_survives_PKCS8_and_signs_what_it_verifies()
    {
        using var key = Sm2PrivateKey.Generate();
        using var again = Sm2PrivateKey.ImportPkcs8(key.ExportPkcs8());
        Assert.True(key.SubjectPublicKeyInfo.Span.SequenceEqual(again.SubjectPublicKeyInfo.Span));
        for (var i = 0; i < 200; i++)
        {
            var message = BitConverter.GetBytes(i);
            Assert.Equal(Sm2Verdict.Valid, Sm2.Verify(key.SubjectPublicKeyInfo, message, EcdsaForm.ToDer(again.Sign(message))));
        }
    }

    [Fact]
    public void A_signature_under_the_empty_ID_is_named_and_refused()
    {
        using var key = Sm2PrivateKey.Generate();
        var spki = key.SubjectPublicKeyInfo;
        var der = EcdsaForm.ToDer(key.SignDigest(Sm2.DigestToSign(spki, "m"u8, [])));
        Assert.Equal(Sm2Verdict.EmptyId, Sm2.Verify(spki, "m"u8, der));
    }

    [Fact]
    public void A_signature_without_Z_is_named_and_refused()
    {
        using var key = Sm2PrivateKey.Generate();
        var der = EcdsaForm.ToDer(key.SignDigest(Sm3.HashData("m"u8)));
        Assert.Equal(Sm2Verdict.MissingZ, Sm2.Verify(key.SubjectPublicKeyInfo, "m"u8, der));
    }

    [Fact]
    public void A_signature_under_another_ID_is_invalid()
    {
        using var key = Sm2PrivateKey.Generate();
        var spki = key.SubjectPublicKeyInfo;
        var der = EcdsaForm.ToDer(key.SignDigest(Sm2.DigestToSign(spki, "m"u8, "ALICE123@YAHOO.COM"u8)));
        Assert.Equal(Sm2Verdict.Invalid, Sm2.Verify(spki, "m"u8, der));
    }

    [Fact]
    public void The_openssl_command_verifies_ours_and_we_verify_its_signatures()
    {
        using var openssl = new OpenSsl();
        using var key = Sm2PrivateKey.Generate();
        openssl.WritePem("key.pem", "PRIVATE KEY", key.ExportPkcs8());
        openssl.WritePem("pub.pem", "PUBLIC KEY", key.SubjectPublicKeyInfo);
        openssl.Write("m", Encoding.UTF8.GetBytes("处方"));
        openssl.Write("ours", EcdsaForm.ToDer(key.Sign(Encoding.UTF8.GetBytes("处方"))));
        openssl.Accept("dgst", "-sm3", "-verify", "pub.pem", "-sigopt", "distid:1234567812345678", "-signature", "ours", "m");
        openssl.Accept("dgst", "-sm3", "-sign", "key.pem", "-sigopt", "distid:1234567812345678", "-out", "theirs", "m");
        Assert.Equal(Sm2Verdict.Valid, Sm2.Verify(key.SubjectPublicKeyInfo, Encoding.UTF8.GetBytes("处方"), openssl.Read("theirs")));
        openssl.Accept("dgst", "-sm3", "-sign", "key.pem", "-out", "empty", "m");
        Assert.Equal(Sm2Verdict.EmptyId, Sm2.Verify(key.SubjectPublicKeyInfo, Encoding.UTF8.GetBytes("处方"), openssl.Read("empty")));
    }

    [Fact]
    public void BouncyCastle_verifies_ours_and_we_verify_its_signatures()
    {
        using var key = Sm2PrivateKey.Generate();
        var publicKey = (ECPublicKeyParameters)PublicKeyFactory.CreateKey(key.SubjectPublicKeyInfo.ToArray());
        var privateKey = (ECPrivateKeyParameters)PrivateKeyFactory.CreateKey(key.ExportPkcs8());
        for (var i = 0; i < 50; i++)
        {
            var message = Encoding.UTF8.GetBytes(i.ToString(CultureInfo.InvariantCulture));
            var verifier = new SM2Signer();
            verifier.Init(false, new ParametersWithID(publicKey, Sm2.DefaultId.ToArray()));
            verifier.BlockUpdate(message, 0, message.Length);
            Assert.True(verifier.VerifySignature(EcdsaForm.ToDer(key.Sign(message))));
            var signer = new SM2Signer();
            signer.Init(true, new ParametersWithID(new ParametersWithRandom(privateKey), Sm2.DefaultId.ToArray()));
            signer.BlockUpdate(message, 0, message.Length);
            Assert.Equal(Sm2Verdict.Valid, Sm2.Verify(key.SubjectPublicKeyInfo, message, signer.GenerateSignature()));
        }
    }

    [Fact]
    public void Ten_thousand_mutated_signatures_are_invalid_and_never_throw()
    {
        using var key = Sm2PrivateKey.Generate();
        var good = EcdsaForm.ToDer(key.Sign("m"u8));
        var random = new Random(3);
        for (var i = 0; i < 10_000; i++)
        {
            var mutant = Mutation.Of(good, random);
            if (!mutant.AsSpan().SequenceEqual(good) && EcdsaForm.TryToRaw(mutant, out var raw))
            {
                Assert.Equal(mutant, EcdsaForm.ToDer(raw));
                // Verification is the slow part; every hundredth well-formed mutant stands for the rest.
                if (i % 100 == 0)
                {
                    Assert.Equal(Sm2Verdict.Invalid, Sm2.Verify(key.SubjectPublicKeyInfo, "m"u8, mutant));
                }
            }
        }
    }

    [Fact]
    public void A_signature_whose_halves_begin_with_zero_bytes_takes_minimal_integers()
    {
        var raw = new byte[64];
        raw[1] = 0x80;
        raw[63] = 1;
        var der = EcdsaForm.ToDer(raw);
        Assert.True(EcdsaForm.TryToRaw(der, out var back));
        Assert.Equal(raw, back);
        Assert.False(EcdsaForm.TryToRaw(Convert.FromHexString("30060201ff020101"), out _)); // negative r
        Assert.False(EcdsaForm.TryToRaw([.. der, 0], out _));
    }

    private static byte[] Hex(JsonElement e, string name) => Convert.FromHexString(e.GetProperty(name).GetString()!);

    private static byte[] Spki(byte[] x, byte[] y) =>
        [.. Convert.FromHexString("3059301306072a8648ce3d020106082a811ccf5501822d034200"), 4, .. x, .. y];
}
