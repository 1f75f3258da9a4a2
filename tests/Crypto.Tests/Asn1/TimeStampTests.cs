using System.Security.Cryptography;
using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Asn1.X509;
using Trust.Crypto.Asn1;
using Trust.TestKit;
using Certificate = Trust.Crypto.Asn1.Certificate;
using Library = Org.BouncyCastle.Asn1.Tsp;

namespace Trust.Crypto.Tests.Asn1;

public sealed class TimeStampTests
{
    private const string Policy = "1.3.6.1.4.1.32473.2.1";
    private static readonly DateTimeOffset Now = DateTimeOffset.UtcNow;
    private static readonly byte[] Data = "签名值"u8.ToArray();

    [Theory]
    [InlineData(PublicKeyKind.P256, "-sha256")]
    [InlineData(PublicKeyKind.P256, "-sha512")]
    [InlineData(PublicKeyKind.P256, "-sm3")]
    [InlineData(PublicKeyKind.Rsa, "-sha256")]
    public async Task Openssl_asks_and_verifies_the_answer(PublicKeyKind kind, string hash)
    {
        var (root, tsa, key) = await Authority(kind);
        using var openssl = new OpenSsl();
        openssl.Write("data", Data);
        openssl.WritePem("root.pem", "CERTIFICATE", root.Certificate.Der);
        openssl.Accept("ts", "-query", "-data", "data", hash, "-cert", "-out", "q.tsq");
        Assert.True(TimeStampRequest.TryParse(openssl.Read("q.tsq"), out var request, out _));
        var token = await TimeStamp.IssueToken(Info(request), tsa, [tsa], key.Signer, CancellationToken.None);
        openssl.Write("r.tsr", TimeStamp.Granted(token));
        openssl.Accept("ts", "-verify", "-queryfile", "q.tsq", "-in", "r.tsr", "-CAfile", "root.pem");
        openssl.Accept("ts", "-verify", "-data", "data", "-in", "r.tsr", "-CAfile", "root.pem");
        var proved = Assert.IsType<TimeStampOutcome.Proved>(
            TimeStamp.Verify(TimeStamp.TokenOf(openssl.Read("r.tsr"))!.Value, Data, [], [root.Certificate], request.Nonce));
        Assert.InRange((proved.Info.Time - Now).Duration(), TimeSpan.Zero, TimeSpan.FromMilliseconds(1));
        Assert.Equal(TimeSpan.FromMilliseconds(1500), proved.Info.Accuracy);
    }

    [Fact]
    public async Task A_token_for_other_data_nonce_root_or_purpose_proves_nothing()
    {
        var (root, tsa, key) = await Authority(PublicKeyKind.P256);
        var request = new TimeStampRequest(Oids.Sha256, SHA256.HashData(Data), Policy, new byte[] { 9 });
        Assert.True(TimeStampRequest.TryParse(request.Encode(), out var parsed, out _));
        var token = await TimeStamp.IssueToken(Info(parsed), tsa, [tsa], key.Signer, CancellationToken.None);
        Assert.IsType<TimeStampOutcome.Proved>(TimeStamp.Verify(token, Data, [], [root.Certificate], new byte[] { 0, 9 }));
        Assert.Equal(TimeStampRefusal.OtherImprint, Refusal(TimeStamp.Verify(token, "x"u8, [], [root.Certificate])));
        Assert.Equal(TimeStampRefusal.NonceMismatch, Refusal(TimeStamp.Verify(token, Data, [], [root.Certificate], new byte[] { 8 })));
        var other = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        Assert.Equal(TimeStampRefusal.Untrusted, Refusal(TimeStamp.Verify(token, Data, [], [other.Certificate])));

        // A signature certificate may not stamp time.
        using var person = SoftwareKey.New(PublicKeyKind.P256);
        var signer = await root.IssueLeaf("person", person.Spki, Now, KeyUsages.NonRepudiation);
        var wrong = await TimeStamp.IssueToken(Info(parsed), signer, [signer], person.Signer, CancellationToken.None);
        Assert.Equal(TimeStampRefusal.Untrusted, Refusal(TimeStamp.Verify(wrong, Data, [], [root.Certificate])));
    }

    [Theory]
    [InlineData("3003020101", TimeStampFailure.BadDataFormat)]
    [InlineData("", TimeStampFailure.BadDataFormat)]
    public void Malformed_requests_are_refused(string hex, TimeStampFailure failure)
    {
        Assert.False(TimeStampRequest.TryParse(Convert.FromHexString(hex), out _, out var why));
        Assert.Equal(failure, why);
    }

    [Fact]
    public void A_weak_hash_a_wrong_size_or_an_oversized_request_is_refused()
    {
        Assert.False(TimeStampRequest.TryParse(new TimeStampRequest(Oids.Sha1, new byte[20]).Encode(), out _, out var weak));
        Assert.Equal(TimeStampFailure.BadAlgorithm, weak);
        Assert.False(TimeStampRequest.TryParse(new TimeStampRequest(Oids.Sha256, new byte[20]).Encode(), out _, out var size));
        Assert.Equal(TimeStampFailure.BadDataFormat, size);
        Assert.False(TimeStampRequest.TryParse(new byte[TimeStampRequest.MaxBytes + 1], out _, out _));
        Assert.True(TimeStampRequest.TryParse(new TimeStampRequest(Oids.Sha256, new byte[32]).Encode(), out var plain, out _));
        Assert.Null(plain.Nonce);
        Assert.Null(plain.Policy);
    }

    [Fact]
    public void A_request_is_bounded_and_an_extension_another_version_or_a_long_nonce_has_its_own_answer()
    {
        var imprint = new Library.MessageImprint(new AlgorithmIdentifier(new DerObjectIdentifier(Oids.Sha256)), new byte[32]);
        var extensions = CertificateExtension.Encode([new CertificateExtension("1.2.3", false, new byte[] { 5, 0 })]);
        Assert.Equal(TimeStampFailure.UnacceptedExtension, Failure(new Library.TimeStampReq(imprint, null, null, null, extensions)));
        Assert.Equal(TimeStampFailure.BadRequest, Failure(new DerSequence(DerInteger.Two, imprint)));
        Assert.True(TimeStampRequest.TryParse(new DerSequence(DerInteger.One, imprint, DerInteger.ValueOf(-1)).GetEncoded(), out var negative, out _));
        Assert.Equal([0xff], negative.Nonce!.Value.ToArray());
        Assert.False(TimeStampRequest.TryParse(new TimeStampRequest(Oids.Sha256, new byte[32], Nonce: Enumerable.Repeat((byte)1, 129).ToArray()).Encode(), out _, out _));
        Assert.True(TimeStampRequest.TryParse(new TimeStampRequest(Oids.Sha256, new byte[32], Nonce: Enumerable.Repeat((byte)1, 128).ToArray()).Encode(), out _, out _));

        // Some clients write the default.
        Assert.True(TimeStampRequest.TryParse(new DerSequence(DerInteger.One, imprint, DerBoolean.False).GetEncoded(), out var request, out _));
        Assert.False(request.CertificateWanted);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_extension_of_a_token_is_passed_over_unless_it_is_critical(bool critical)
    {
        var (root, tsa, key) = await Authority(PublicKeyKind.P256);
        var info = Library.TstInfo.GetInstance(Info(new TimeStampRequest(Oids.Sha256, SHA256.HashData(Data))).Encode());
        var extended = new Library.TstInfo(
            info.Policy, info.MessageImprint, info.SerialNumber, info.GenTime, info.Accuracy, DerBoolean.True, info.Nonce, null,
            CertificateExtension.Encode([new CertificateExtension("1.2.3", critical, new byte[] { 5, 0 })]));
        var token = await CmsSignedData.Sign(Oids.TstInfo, extended.GetEncoded(), false, tsa, [tsa], key.Signer, null, CancellationToken.None);
        Assert.Equal(critical ? TimeStampRefusal.Malformed : null, Refusal(TimeStamp.Verify(token, Data, [], [root.Certificate])));
    }

    [Theory]
    [InlineData(TimeStampFailure.BadAlgorithm)]
    [InlineData(TimeStampFailure.TimeNotAvailable)]
    [InlineData(TimeStampFailure.UnacceptedPolicy)]
    [InlineData(TimeStampFailure.SystemFailure)]
    public void Openssl_reads_the_refusal(TimeStampFailure failure)
    {
        using var openssl = new OpenSsl();
        openssl.Write("r.tsr", TimeStamp.Rejected(failure, "not now"));
        var text = openssl.Accept("ts", "-reply", "-in", "r.tsr", "-text");
        Assert.Contains("Status: Rejected", text, StringComparison.Ordinal);
        Assert.Contains("not now", text, StringComparison.Ordinal);
        var expected = failure switch
        {
            TimeStampFailure.BadAlgorithm => "unrecognized or unsupported algorithm",
            TimeStampFailure.TimeNotAvailable => "time source is not available",
            TimeStampFailure.UnacceptedPolicy => "policy is not supported",
            _ => "system failure",
        };
        Assert.Contains(expected, text, StringComparison.Ordinal);
        Assert.Null(TimeStamp.TokenOf(openssl.Read("r.tsr")));
    }

    [Fact]
    public async Task Ten_thousand_mutations_of_request_and_token_never_fault_or_lie()
    {
        var (root, tsa, key) = await Authority(PublicKeyKind.P256);
        var request = new TimeStampRequest(Oids.Sha256, SHA256.HashData(Data), Policy, new byte[] { 9 });
        var token = await TimeStamp.IssueToken(Info(request), tsa, [tsa], key.Signer, CancellationToken.None);
        var random = new Random(3161);
        for (var i = 0; i < 10_000; i++)
        {
            _ = TimeStampRequest.TryParse(Mutation.Of(request.Encode(), random), out _, out _);
            _ = TimeStamp.TokenOf(Mutation.Of(TimeStamp.Granted(token), random));
            if (TimeStamp.Verify(Mutation.Of(token, random), Data, [], [root.Certificate]) is TimeStampOutcome.Proved proved)
            {
                Assert.InRange((proved.Info.Time - Now).Duration(), TimeSpan.Zero, TimeSpan.FromMilliseconds(1));
            }
        }
    }

    private static TimeStampFailure Failure(Asn1Encodable request)
    {
        Assert.False(TimeStampRequest.TryParse(request.GetEncoded(), out _, out var failure));
        return failure;
    }

    private static TimeStampInfo Info(TimeStampRequest request) => new(
        request.Policy ?? Policy, request.HashOid, request.Imprint, RandomNumberGenerator.GetBytes(8), Now, TimeSpan.FromMilliseconds(1500), request.Nonce);

    private static async Task<(SampleAuthority Root, Certificate Tsa, SoftwareKey Key)> Authority(PublicKeyKind kind)
    {
        var root = await SampleAuthority.Root(kind, Now);
        var key = SoftwareKey.New(kind);
        return (root, await root.IssueLeaf(
            "tsa", key.Spki, Now, KeyUsages.DigitalSignature, CertificateExtension.ExtendedKeyUsage(critical: true, Oids.TimeStamping)), key);
    }

    private static TimeStampRefusal? Refusal(TimeStampOutcome outcome) => (outcome as TimeStampOutcome.Refused)?.Reason;
}
