using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Asn1.Pkcs;
using Org.BouncyCastle.Asn1.X509;
using Org.BouncyCastle.Pkcs;
using Trust.Crypto.Asn1;
using Trust.TestKit;

using BigInteger = System.Numerics.BigInteger;
using CertificationRequest = Trust.Crypto.Asn1.CertificationRequest;

namespace Trust.Crypto.Tests.Asn1;

public sealed class CertificationRequestTests
{
    private static readonly X500DistinguishedName Subject = new("CN=张三, O=示例医院, C=CN");

    [Theory]
    [InlineData(PublicKeyKind.P256)]
    [InlineData(PublicKeyKind.Rsa)]
    [InlineData(PublicKeyKind.Sm2)]
    public async Task A_request_proves_possession(PublicKeyKind kind)
    {
        using var key = SoftwareKey.New(kind);
        var der = await CertificationRequest.Create(
            Subject, key.Spki, [CertificateExtension.SubjectAltName(new Trust.Crypto.Asn1.GeneralName.Dns("idp.trust.internal"))], key.Signer, CancellationToken.None);
        var proved = Assert.IsType<RequestOutcome.Proved>(CertificationRequest.Read(der));
        Assert.Equal(key.Spki, proved.Request.Key.SubjectPublicKeyInfo.ToArray());
        Assert.Equal(Subject.RawData, proved.Request.Subject.RawData);
        Assert.Equal(Oids.SubjectAltName, Assert.Single(proved.Request.RequestedExtensions).Oid);
        using var openssl = new OpenSsl();
        openssl.WritePem("r.pem", "CERTIFICATE REQUEST", der);
        if (kind == PublicKeyKind.Sm2)
        {
            openssl.Accept("req", "-in", "r.pem", "-verify", "-noout", "-vfyopt", "distid:1234567812345678");
            Assert.True(new Pkcs10CertificationRequest(der).Verify());
        }
        else
        {
            openssl.Accept("req", "-in", "r.pem", "-verify", "-noout");
        }
    }

    [Fact]
    public void Requests_made_by_the_openssl_command_are_read()
    {
        using var openssl = new OpenSsl();
        openssl.Accept("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "k.pem", "-subj", "/CN=x", "-outform", "DER", "-out", "r.der");
        Assert.IsType<RequestOutcome.Proved>(CertificationRequest.Read(openssl.Read("r.der")));
    }

    [Fact]
    public async Task A_bad_signature_is_refused()
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        using var other = SoftwareKey.New(PublicKeyKind.P256);
        var der = await CertificationRequest.Create(Subject, key.Spki, [], other.Signer, CancellationToken.None);
        Assert.Equal(RequestRefusal.BadSignature, Refusal(der));
    }

    [Fact]
    public async Task A_signature_of_another_algorithm_than_the_key_is_refused()
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var tbs = CertificationRequest.EncodeTbs(Subject, key.Spki);
        var der = SignedStructure.Assemble(tbs, SignatureSuite.Sm2Sm3, (await key.Signer(SHA256.HashData(tbs), CancellationToken.None)));
        Assert.Equal(RequestRefusal.UnsupportedSignature, Refusal(der));
    }

    [Theory]
    [InlineData(1024)]
    [InlineData(2048)]
    public void A_short_RSA_key_is_refused(int bits)
    {
        using var rsa = RSA.Create(bits);
        Assert.Equal(RequestRefusal.WeakKey, Refusal(new CertificateRequest(Subject, rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSigningRequest()));
    }

    [Fact]
    public void Other_curves_are_refused()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Assert.Equal(RequestRefusal.UnsupportedKey, Refusal(new CertificateRequest(Subject, key, HashAlgorithmName.SHA384).CreateSigningRequest()));
    }

    [Fact]
    public void Weak_RSA_keys_are_named()
    {
        using var good = RSA.Create(3072);
        var n = new BigInteger(good.ExportParameters(false).Modulus!, isUnsigned: true, isBigEndian: true);
        Assert.IsType<PublicKeyVerdict.Accepted>(PublicKeyCheck.Examine(good.ExportSubjectPublicKeyInfo()));
        Assert.Equal(PublicKeyRefusal.Weak, Judge(n, 3));
        Assert.Equal(PublicKeyRefusal.Weak, Judge(n + 1, 65537)); // even
        Assert.Equal(PublicKeyRefusal.Weak, Judge(OddMultipleOf(751, n), 65537));
        // Two primes next to each other: n = (x − d)(x + d), which Fermat's method splits at once.
        var x = (BigInteger.One << 1536) + (BigInteger.One << 1535) + 7;
        var close = (x - 4) * (x + 4);
        Assert.Equal(PublicKeyRefusal.Weak, Judge(close, 65537));
    }

    [Fact]
    public void A_modulus_with_the_ROCA_fingerprint_is_refused()
    {
        var product = Enumerable.Range(2, 166).Where(n => Enumerable.Range(2, n - 2).All(d => n % d != 0)).Aggregate(BigInteger.One, (all, p) => all * p);
        var n = (((BigInteger.One << 3071) / product) * product * 2) + BigInteger.ModPow(65537, 123_456_789, product);
        while (Enumerable.Range(2, 750).Any(d => n % d == 0))
        {
            n += product * 2; // keeps the fingerprint, and leaves no other reason to refuse
        }

        Assert.Equal(PublicKeyRefusal.Weak, Judge(n, 65537));
    }

    [Fact]
    public void A_modulus_that_is_prime_is_refused_as_weak()
    {
        // 2^3217 - 1, a Mersenne prime, divisible by nothing and with no other fault: whoever sees it knows the private key.
        Assert.Equal(PublicKeyRefusal.Weak, Judge((BigInteger.One << 3217) - 1, 65537));
    }

    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")] // order 4
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")] // the neutral element
    [InlineData("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")] // order 8
    [InlineData("0200000000000000000000000000000000000000000000000000000000000000")] // no point
    public void An_Ed25519_key_outside_the_group_is_refused(string key) => Assert.Equal(
        PublicKeyRefusal.NotOnCurve,
        Assert.IsType<PublicKeyVerdict.Refused>(PublicKeyCheck.Examine(Ed25519.ToSubjectPublicKeyInfo(Convert.FromHexString(key)))).Reason);

    [Fact]
    public void Ten_thousand_mutated_keys_are_judged_without_a_fault()
    {
        using var p256 = SoftwareKey.New(PublicKeyKind.P256);
        using var sm2 = SoftwareKey.New(PublicKeyKind.Sm2);
        var random = new Random(5480);
        for (var i = 0; i < 10_000; i++)
        {
            var spki = Mutation.Of(i % 2 == 0 ? p256.Spki : sm2.Spki, random);
            if (PublicKeyCheck.Examine(spki) is PublicKeyVerdict.Accepted accepted)
            {
                Assert.Equal(accepted.Key.Kind, PublicKeyCheck.KindOf(spki));
            }
        }
    }

    [Fact]
    public void A_point_off_the_curve_is_refused()
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var spki = key.Spki.ToArray();
        spki[^1] ^= 1;
        Assert.Equal(PublicKeyRefusal.NotOnCurve, Assert.IsType<PublicKeyVerdict.Refused>(PublicKeyCheck.Examine(spki)).Reason);
        using var sm2 = SoftwareKey.New(PublicKeyKind.Sm2);
        spki = sm2.Spki.ToArray();
        spki[^1] ^= 1;
        Assert.Equal(PublicKeyRefusal.NotOnCurve, Assert.IsType<PublicKeyVerdict.Refused>(PublicKeyCheck.Examine(spki)).Reason);
    }

    [Fact]
    public void An_oversized_request_is_refused_unread() =>
        Assert.Equal(RequestRefusal.TooLarge, Refusal(new byte[CertificationRequest.MaxBytes + 1]));

    [Fact]
    public async Task Ten_thousand_mutations_are_refused_or_still_prove_the_same_key()
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var der = await CertificationRequest.Create(Subject, key.Spki, [CertificateExtension.KeyUsage(KeyUsages.NonRepudiation)], key.Signer, CancellationToken.None);
        var random = new Random(2986);
        for (var i = 0; i < 10_000; i++)
        {
            if (CertificationRequest.Read(Mutation.Of(der, random)) is RequestOutcome.Proved proved)
            {
                Assert.Equal(der, proved.Request.Der.ToArray());
            }
        }
    }

    [Fact]
    public void Extensions_asked_for_twice_are_refused()
    {
        var one = CertificateExtension.Encode([CertificateExtension.KeyUsage(KeyUsages.NonRepudiation)]);
        var other = CertificateExtension.Encode([CertificateExtension.BasicConstraints(ca: true)]);
        Assert.IsType<RequestOutcome.Proved>(CertificationRequest.Read(Request(Attribute(one))));
        Assert.Equal(RequestRefusal.Malformed, Refusal(Request(Attribute(one), Attribute(other))));
        Assert.Equal(RequestRefusal.Malformed, Refusal(Request(Attribute(one, other))));
        Assert.Equal(RequestRefusal.Malformed, Refusal(Request(Attribute())));
    }

    [Fact]
    public void A_name_in_Latin_1_that_says_it_is_a_PrintableString_is_refused()
    {
        // CN=José.
        byte[] name = [0x30, 0x0F, 0x31, 0x0D, 0x30, 0x0B, 0x06, 0x03, 0x55, 0x04, 0x03, 0x13, 0x04, (byte)'J', (byte)'o', (byte)'s', 0xE9];
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var tbs = new DerSequence(DerInteger.Zero, Asn1Object.FromByteArray(name), SubjectPublicKeyInfo.GetInstance(key.Spki), new DerTaggedObject(false, 0, new DerSet())).GetEncoded();
        Assert.Equal(RequestRefusal.Malformed, Refusal(SignedStructure.Assemble(tbs, key.Suite, key.Sign(SHA256.HashData(tbs)))));
    }

    [Fact]
    public void A_request_without_attributes_is_read()
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var tbs = new DerSequence(DerInteger.Zero, X509Name.GetInstance(Subject.RawData), SubjectPublicKeyInfo.GetInstance(key.Spki)).GetEncoded();
        Assert.IsType<RequestOutcome.Proved>(CertificationRequest.Read(SignedStructure.Assemble(tbs, key.Suite, key.Sign(SHA256.HashData(tbs)))));
    }

    [Theory]
    [InlineData("ec_sha256.der", RequestRefusal.UnsupportedKey)] // P-384
    [InlineData("bad-version.pem", RequestRefusal.Malformed)]
    [InlineData("challenge-multi-valued.der", RequestRefusal.Malformed)]
    [InlineData("freeipa-bad-critical.pem", RequestRefusal.Malformed)] // criticality as 01
    [InlineData("rsa_sha256.pem", RequestRefusal.WeakKey)]
    [InlineData("two_basic_constraints.pem", RequestRefusal.Malformed)]
    public void A_request_of_the_package_is_refused_and_says_why(string file, RequestRefusal reason)
    {
        var bytes = File.ReadAllBytes("/usr/lib/python3/dist-packages/cryptography_vectors/x509/requests/" + file);
        var text = System.Text.Encoding.Latin1.GetString(bytes);
        Assert.Equal(reason, Refusal(PemEncoding.TryFind(text, out var pem) ? Convert.FromBase64String(text[pem.Base64Data]) : bytes));
    }

    [Fact]
    public void Four_thousand_damaged_requests_under_good_signatures_are_judged_without_a_fault()
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var tbs = CertificationRequest.EncodeTbs(Subject, key.Spki, CertificateExtension.KeyUsage(KeyUsages.NonRepudiation));
        var random = new Random(2985);
        var outcomes = new HashSet<string>();
        for (var i = 0; i < 4_000; i++)
        {
            var damaged = Mutation.Of(tbs, random);
            if (DerGate.Check(damaged, 4096) is null)
            {
                var outcome = CertificationRequest.Read(SignedStructure.Assemble(damaged, key.Suite, key.Sign(SHA256.HashData(damaged))));
                outcomes.Add(outcome is RequestOutcome.Refused refused ? refused.Reason.ToString() : "proved");
            }
        }

        Assert.Superset(new HashSet<string> { "proved", nameof(RequestRefusal.Malformed), nameof(RequestRefusal.WeakKey), nameof(RequestRefusal.UnsupportedKey) }, outcomes);
    }

    private static AttributePkcs Attribute(params Asn1Encodable[] values) => new(new DerObjectIdentifier(Oids.ExtensionRequest), new DerSet(values));

    private static byte[] Request(params AttributePkcs[] attributes)
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var tbs = new CertificationRequestInfo(X509Name.GetInstance(Subject.RawData), SubjectPublicKeyInfo.GetInstance(key.Spki), new DerSet(attributes)).GetEncoded(Asn1Encodable.Der);
        return SignedStructure.Assemble(tbs, key.Suite, key.Sign(SHA256.HashData(tbs)));
    }

    private static RequestRefusal Refusal(byte[] der) => Assert.IsType<RequestOutcome.Refused>(CertificationRequest.Read(der)).Reason;

    private static BigInteger OddMultipleOf(int p, BigInteger n)
    {
        var m = n - (n % p);
        return m.IsEven ? m + p : m;
    }

    private static PublicKeyRefusal? Judge(BigInteger n, int e)
    {
        var writer = new System.Formats.Asn1.AsnWriter(System.Formats.Asn1.AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(n);
            writer.WriteInteger(e);
        }

        var spki = new PublicKey(new Oid(Oids.Rsa), new AsnEncodedData([5, 0]), new AsnEncodedData(writer.Encode())).ExportSubjectPublicKeyInfo();
        return (PublicKeyCheck.Examine(spki) as PublicKeyVerdict.Refused)?.Reason;
    }
}
