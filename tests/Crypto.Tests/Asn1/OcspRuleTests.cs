using System.Globalization;
using System.Security.Cryptography;
using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Asn1.X509;
using Trust.Crypto.Asn1;
using Trust.TestKit;
using Certificate = Trust.Crypto.Asn1.Certificate;
using Library = Org.BouncyCastle.Asn1.Ocsp;

namespace Trust.Crypto.Tests.Asn1;

/// <summary>What OCSP requests and responses are held to beyond their form.</summary>
public sealed class OcspRuleTests
{
    private const string Folder = "/usr/lib/python3/dist-packages/cryptography_vectors/x509/ocsp/";
    private static readonly DateTimeOffset Now = DateTimeOffset.UtcNow;
    private static readonly byte[] Serial = [0x77];

    [Fact]
    public async Task An_answer_without_an_end_holds_a_day_and_none_holds_before_it_was_made()
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        Assert.IsType<OcspOutcome.Answer>(Ask(ca, Good(ca, Now, null), Now.AddHours(23)));
        Refused(OcspRefusal.Stale, Ask(ca, Good(ca, Now, null), Now.AddHours(25)));
        Refused(OcspRefusal.Stale, Ask(ca, Good(ca, Now, Now.AddHours(-1)), Now));
        Refused(OcspRefusal.Stale, Ask(ca, Good(ca, Now.AddMinutes(5), Now.AddHours(1)), Now));
        Refused(OcspRefusal.Stale, Ask(ca, Good(ca, Now.AddHours(-1), Now.AddHours(1)), Now, producedAt: Now.AddMinutes(5)));
    }

    [Fact]
    public async Task Of_two_answers_the_worst_counts_though_it_be_stale()
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var good = Good(ca, Now, Now.AddMinutes(5));
        var unknown = good with { Status = new CertificateStatus.Unknown() };
        var revoked = good with { Status = new CertificateStatus.Revoked(Now.AddDays(-1), RevocationReason.KeyCompromise) };
        Assert.IsType<CertificateStatus.Unknown>(Assert.IsType<OcspOutcome.Answer>(Ask(ca, [good, unknown])).Response.Status);
        Assert.IsType<CertificateStatus.Revoked>(Assert.IsType<OcspOutcome.Answer>(Ask(ca, [unknown, revoked, good])).Response.Status);
        Refused(OcspRefusal.Stale, Ask(ca, [good, revoked with { ThisUpdate = Now.AddDays(-2), NextUpdate = Now.AddDays(-1) }]));
    }

    [Fact]
    public async Task The_responder_is_the_one_that_the_response_names_by_key_or_by_name()
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var tbs = Data(ca, Good(ca, Now, null));
        var byName = new Library.ResponseData(new Library.ResponderID(ca.Certificate.Structure.Subject), tbs.ProducedAt, tbs.Responses, null);
        Assert.IsType<OcspOutcome.Answer>(Verify(ca, byName));
        var byAnother = new Library.ResponseData(new Library.ResponderID(new X509Name("CN=Another")), tbs.ProducedAt, tbs.Responses, null);
        Refused(OcspRefusal.ResponderNotAuthorised, Verify(ca, byAnother));

        // The issuer answers, though it carries the certificate of somebody else.
        using var person = SoftwareKey.New(PublicKeyKind.P256);
        var leaf = await ca.IssueLeaf("leaf", person.Spki, Now, KeyUsages.DigitalSignature);
        Assert.IsType<OcspOutcome.Answer>(Verify(ca, tbs, leaf));
    }

    [Fact]
    public async Task A_critical_extension_of_the_response_is_refused_and_another_is_passed_over()
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var tbs = Data(ca, Good(ca, Now, null));
        foreach (var critical in new[] { true, false })
        {
            var extensions = CertificateExtension.Encode([new CertificateExtension("1.2.3.4", critical, new byte[] { 5, 0 })]);
            var outcome = Verify(ca, new Library.ResponseData(tbs.ResponderID, tbs.ProducedAt, tbs.Responses, extensions));
            Assert.Equal(critical, outcome is OcspOutcome.Refused { Reason: OcspRefusal.Malformed });
            Assert.Equal(!critical, outcome is OcspOutcome.Answer);
        }
    }

    [Fact]
    public async Task Requests_are_bounded_in_number_and_nonce()
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var ids = Enumerable.Range(1, 17).Select(n => CertificateId.Of(ca.Certificate, new[] { (byte)n }, n % 2 == 0 ? Oids.Sha1 : Oids.Sha256)).ToList();
        Assert.True(OcspRequest.TryParse(new OcspRequest(ids[..16], new byte[128]).Encode(), out var request));
        Assert.Equal(ids[..16].Select(i => i.SerialNumber.ToArray()), request.Certificates.Select(i => i.SerialNumber.ToArray()));
        Assert.Equal(128, request.Nonce!.Value.Length);
        Assert.False(OcspRequest.TryParse(new OcspRequest(ids, null).Encode(), out _));
        Assert.False(OcspRequest.TryParse(new OcspRequest([], null).Encode(), out _));
        Assert.False(OcspRequest.TryParse(new OcspRequest(ids[..1], new byte[129]).Encode(), out _));
        Assert.False(OcspRequest.TryParse(new OcspRequest(ids[..1], Array.Empty<byte>()).Encode(), out _));

        // The default version, written.
        var tbs = Library.OcspRequest.GetInstance(new OcspRequest(ids[..1], null).Encode()).TbsRequest;
        var versioned = new DerSequence(new DerSequence(new DerTaggedObject(true, 0, DerInteger.Zero), tbs.RequestList)).GetEncoded();
        Assert.False(OcspRequest.TryParse(versioned, out _));
    }

    [Fact]
    public async Task Base64_in_lines_is_read_in_a_GET()
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var text = Convert.ToBase64String(new OcspRequest([CertificateId.Of(ca.Certificate, Serial)], new byte[32]).Encode(), Base64FormattingOptions.InsertLineBreaks);
        Assert.True(OcspRequest.TryParseGet(text, out _));
    }

    [Theory]
    [InlineData("req-sha1.der", 1)]
    [InlineData("req-multi-sha1.der", 2)]
    [InlineData("req-ext-nonce.der", 1)]
    [InlineData("req-ext-unknown-oid.der", 1)]
    [InlineData("req-duplicate-ext.der", 0)]
    // By a hash that is not known here no issuer is named; that is no fault of form.
    [InlineData("req-invalid-hash-alg.der", 1)]
    public void Requests_of_the_package_are_read_or_refused(string file, int certificates)
    {
        Assert.Equal(certificates > 0, OcspRequest.TryParse(File.ReadAllBytes(Folder + file), out var request));
        Assert.Equal(certificates, request?.Certificates.Count ?? 0);
    }

    [Fact]
    public async Task Four_thousand_damaged_responses_under_good_signatures_are_judged_without_a_fault()
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var tbs = OcspResponse.EncodeTbs(
            ca.Certificate, Now, [Good(ca, Now, Now.AddMinutes(5)), new(CertificateId.Of(ca.Certificate, new byte[] { 3 }), new CertificateStatus.Revoked(Now, RevocationReason.Superseded), Now, null)], new byte[8]);
        var random = new Random(9654);
        var outcomes = new HashSet<string>();
        for (var i = 0; i < 4_000; i++)
        {
            var damaged = Mutation.Of(tbs, random);
            if (DerGate.Check(damaged, 4096) is null)
            {
                outcomes.Add(OcspVerification.Verify(Sign(ca, damaged), ca.Certificate, Serial, Now) is OcspOutcome.Refused refused ? refused.Reason.ToString() : "answer");
            }
        }

        Assert.Superset(
            new HashSet<string> { "answer", nameof(OcspRefusal.Malformed), nameof(OcspRefusal.OtherCertificate), nameof(OcspRefusal.ResponderNotAuthorised), nameof(OcspRefusal.Stale) },
            outcomes);
    }

    [Theory]
    [InlineData("30070A050100000000")]
    [InlineData("300B0A09010000000000000000")]
    [InlineData("30030A0180")]
    [InlineData("30030A0104")]
    public async Task A_status_of_any_number_but_zero_is_no_success(string response)
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        Assert.IsType<OcspOutcome.Refused>(OcspVerification.Verify(Convert.FromHexString(response), ca.Certificate, Serial, Now));
    }

    [Theory]
    [InlineData("0001-01-01T00:00:00Z", null)]
    [InlineData("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")]
    [InlineData("9999-12-31T23:59:59Z", null)]
    public async Task Times_at_either_end_of_the_calendar_are_judged_without_a_fault(string from, string? until)
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var single = Good(ca, DateTimeOffset.Parse(from, CultureInfo.InvariantCulture), until is null ? null : DateTimeOffset.Parse(until, CultureInfo.InvariantCulture));
        var outcome = Ask(ca, single, Now);
        Assert.Equal(until is not null, outcome is OcspOutcome.Answer);
    }

    private static SingleResponse Good(SampleAuthority ca, DateTimeOffset from, DateTimeOffset? until) =>
        new(CertificateId.Of(ca.Certificate, Serial), new CertificateStatus.Good(), from, until);

    private static OcspOutcome Ask(SampleAuthority ca, SingleResponse single, DateTimeOffset at, DateTimeOffset? producedAt = null) =>
        OcspVerification.Verify(Sign(ca, OcspResponse.EncodeTbs(ca.Certificate, producedAt ?? at, [single], null)), ca.Certificate, Serial, at);

    private static OcspOutcome Ask(SampleAuthority ca, SingleResponse[] singles) => Verify(ca, Data(ca, singles));

    private static Library.ResponseData Data(SampleAuthority ca, params SingleResponse[] singles) =>
        Library.ResponseData.GetInstance(OcspResponse.EncodeTbs(ca.Certificate, Now, singles, null));

    private static OcspOutcome Verify(SampleAuthority ca, Library.ResponseData data, params Certificate[] carried) =>
        OcspVerification.Verify(Sign(ca, data.GetDerEncoded(), carried), ca.Certificate, Serial, Now);

    private static byte[] Sign(SampleAuthority ca, byte[] tbs, params Certificate[] carried) =>
        OcspResponse.Assemble(tbs, SignatureSuite.ES256, ca.Key.Sign(SHA256.HashData(tbs)), carried);

    private static void Refused(OcspRefusal reason, OcspOutcome outcome) => Assert.Equal(reason, Assert.IsType<OcspOutcome.Refused>(outcome).Reason);
}
