using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.Pkcs;
using Trust.Crypto.Asn1;
using Trust.TestKit;

namespace Trust.Crypto.Tests.Asn1;

public sealed class CmsTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UtcNow;
    private static readonly byte[] Content = "处方"u8.ToArray();

    [Theory]
    [InlineData(PublicKeyKind.P256, false)]
    [InlineData(PublicKeyKind.P256, true)]
    [InlineData(PublicKeyKind.Rsa, false)]
    [InlineData(PublicKeyKind.Rsa, true)]
    public async Task Openssl_verifies_ours_as_CAdES(PublicKeyKind kind, bool detached)
    {
        var (ca, signer, key) = await Signer(kind);
        var der = await CmsSignedData.Sign(Oids.CmsData, Content, detached, signer, [signer], key.Signer, Now, CancellationToken.None);
        using var openssl = new OpenSsl();
        openssl.Write("cms.der", der);
        openssl.Write("content", Content);
        openssl.WritePem("ca.pem", "CERTIFICATE", ca.Certificate.Der);
        string[] content = detached ? ["-content", "content"] : [];
        openssl.Accept(["cms", "-verify", "-cades", "-binary", "-purpose", "any", "-inform", "DER", "-in", "cms.der", "-CAfile", "ca.pem", "-out", "out", .. content]);
        Assert.Equal(Content, openssl.Read("out"));
        var valid = Assert.IsType<CmsOutcome.Valid>(CmsVerification.Verify(der, Oids.CmsData, detached ? (ReadOnlyMemory<byte>?)Content : null));
        Assert.Equal(signer.Sha256Hex, valid.Signer.Sha256Hex);
        Assert.Equal(Content, valid.Content.ToArray());
        Assert.Equal(Now.ToUnixTimeSeconds(), valid.SigningTime!.Value.ToUnixTimeSeconds());
    }

    [Fact]
    public async Task An_SM2_signature_over_its_attributes_verifies_outside()
    {
        var (_, signer, key) = await Signer(PublicKeyKind.Sm2);
        var der = await CmsSignedData.Sign(Oids.CmsData, Content, true, signer, [signer], key.Signer, Now, CancellationToken.None);
        var valid = Assert.IsType<CmsOutcome.Valid>(CmsVerification.Verify(der, Oids.CmsData, Content));
        using var openssl = new OpenSsl();
        openssl.Write("attributes", CmsSignedData.EncodeSignedAttributes(Oids.CmsData, Content, signer, key.Suite, Now));
        openssl.Write("signature", valid.Signature);
        openssl.WritePem("pub.pem", "PUBLIC KEY", key.Spki);
        openssl.Accept("dgst", "-sm3", "-verify", "pub.pem", "-sigopt", "distid:1234567812345678", "-signature", "signature", "attributes");
    }

    [Fact]
    public async Task The_platform_verifies_ours()
    {
        var (_, signer, key) = await Signer(PublicKeyKind.P256);
        var der = await CmsSignedData.Sign(Oids.CmsData, Content, false, signer, [signer], key.Signer, Now, CancellationToken.None);
        var cms = new SignedCms();
        cms.Decode(der);
        cms.CheckSignature(verifySignatureOnly: true);
    }

    // RFC 5652 5.4: the same signature is valid over the attributes as plain content. OpenSSL 3.0 and SignedCms accept it; we must not.
    [Fact]
    public async Task Signed_attributes_passed_off_as_content_are_refused()
    {
        var (_, signer, key) = await Signer(PublicKeyKind.P256);
        var attributes = CmsSignedData.EncodeSignedAttributes(Oids.CmsData, Content, signer, key.Suite, Now);
        var signature = key.Suite.EncodeSignature(await key.Signer(SHA256.HashData(attributes), CancellationToken.None));
        var forged = WithoutAttributes(attributes, signer, key.Suite, signature);
        var cms = new SignedCms();
        cms.Decode(forged);
        cms.CheckSignature(verifySignatureOnly: true); // shows that the forgery is a real one
        Assert.Equal(CmsRefusal.NoSignedAttributes, Refusal(CmsVerification.Verify(forged, Oids.CmsData)));
    }

    [Fact]
    public async Task Other_content_type_certificate_or_attribute_is_named()
    {
        var (ca, signer, key) = await Signer(PublicKeyKind.P256);
        var der = await CmsSignedData.Sign(Oids.CmsData, Content, true, signer, [], key.Signer, Now, CancellationToken.None);
        Assert.IsType<CmsOutcome.Valid>(CmsVerification.Verify(der, Oids.CmsData, Content, [signer]));
        Assert.Equal(CmsRefusal.SignerUnknown, Refusal(CmsVerification.Verify(der, Oids.CmsData, Content)));
        Assert.Equal(CmsRefusal.MessageDigest, Refusal(CmsVerification.Verify(der, Oids.CmsData, "other"u8.ToArray(), [signer])));
        Assert.Equal(CmsRefusal.ContentType, Refusal(CmsVerification.Verify(der, Oids.TstInfo, Content, [signer])));
        Assert.Equal(CmsRefusal.Content, Refusal(CmsVerification.Verify(der, Oids.CmsData, null, [signer])));

        // Same name, same serial number, same key, other certificate: only the signing-certificate attribute tells them apart.
        var twin = await ca.Sign(ca.Content("signer", key.Spki, Now, CertificateExtension.KeyUsage(KeyUsages.KeyAgreement)) with { SerialNumber = signer.SerialNumber });
        Assert.Equal(CmsRefusal.SigningCertificate, Refusal(CmsVerification.Verify(der, Oids.CmsData, Content, [twin])));
        using var other = SoftwareKey.New(PublicKeyKind.P256);
        var wrongKey = await CmsSignedData.Sign(Oids.CmsData, Content, true, signer, [signer], other.Signer, Now, CancellationToken.None);
        Assert.Equal(CmsRefusal.BadSignature, Refusal(CmsVerification.Verify(wrongKey, Oids.CmsData, Content)));
    }

    [Fact]
    public async Task Ten_thousand_mutations_are_refused_or_change_nothing_that_is_signed()
    {
        var (_, signer, key) = await Signer(PublicKeyKind.P256);
        var der = await CmsSignedData.Sign(Oids.CmsData, Content, false, signer, [signer], key.Signer, Now, CancellationToken.None);
        var random = new Random(5652);
        for (var i = 0; i < 10_000; i++)
        {
            if (CmsVerification.Verify(Mutation.Of(der, random), Oids.CmsData) is CmsOutcome.Valid valid)
            {
                Assert.Equal(Content, valid.Content.ToArray());
                Assert.Equal(signer.Sha256Hex, valid.Signer.Sha256Hex);
            }
        }
    }

    private static async Task<(SampleAuthority Authority, Certificate Signer, SoftwareKey Key)> Signer(PublicKeyKind kind)
    {
        var ca = await SampleAuthority.Root(kind, Now);
        var key = SoftwareKey.New(kind);
        return (ca, await ca.IssueLeaf("signer", key.Spki, Now, KeyUsages.NonRepudiation), key);
    }

    private static byte[] WithoutAttributes(byte[] content, Certificate signer, SignatureSuite suite, byte[] signature)
    {
        var w = new AsnWriter(AsnEncodingRules.DER);
        var explicit0 = new Asn1Tag(TagClass.ContextSpecific, 0, true);
        using (w.PushSequence())
        {
            w.WriteObjectIdentifier(Oids.CmsSignedData);
            using (w.PushSequence(explicit0))
            using (w.PushSequence())
            {
                w.WriteInteger(1);
                using (w.PushSetOf())
                using (w.PushSequence())
                {
                    w.WriteObjectIdentifier(suite.DigestOid);
                }

                using (w.PushSequence())
                {
                    w.WriteObjectIdentifier(Oids.CmsData);
                    using (w.PushSequence(explicit0))
                    {
                        w.WriteOctetString(content);
                    }
                }

                using (w.PushSetOf(explicit0))
                {
                    w.WriteEncodedValue(signer.Der.Span);
                }

                using (w.PushSetOf())
                using (w.PushSequence())
                {
                    w.WriteInteger(1);
                    using (w.PushSequence())
                    {
                        w.WriteEncodedValue(signer.Issuer.Span);
                        w.WriteIntegerUnsigned(signer.SerialNumber.Span);
                    }

                    using (w.PushSequence())
                    {
                        w.WriteObjectIdentifier(suite.DigestOid);
                    }

                    w.WriteEncodedValue(suite.AlgorithmIdentifier.Span);
                    w.WriteOctetString(signature);
                }
            }
        }

        return w.Encode();
    }

    private static CmsRefusal? Refusal(CmsOutcome outcome) => (outcome as CmsOutcome.Refused)?.Reason;
}
