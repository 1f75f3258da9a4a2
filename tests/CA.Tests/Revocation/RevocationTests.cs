using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Trust.CA.Certificates;
using Trust.Cli.Local;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.CA.Tests.Revocation;

public sealed class RevocationTests(CaFixture ca)
{
    private string Issuing => Path.Combine(ca.Public, "practitioner-issuing.pem");

    [Fact]
    public async Task Openssl_sees_good_then_held_then_good_once_two_officers_resume_then_revoked()
    {
        var (certificate, file) = await New();
        using var _ = certificate;
        var sha = Certificate.Parse(certificate.RawData).Sha256Hex;

        Assert.Contains(": good", await Ocsp(file), StringComparison.Ordinal);
        await Change(sha, "hold", "lost-and-looking");
        Assert.Contains("certificateHold", await OcspOf(file, "revoked"), StringComparison.Ordinal);
        await Change(sha, "resume", "found");
        await Change(sha, "resume", "found");
        Assert.Contains("certificateHold", await OcspOf(file, "revoked"), StringComparison.Ordinal);
        await Change(sha, "resume", "found", officer: 1);
        Assert.Contains(": good", await OcspOf(file, ": good"), StringComparison.Ordinal);
        await Change(sha, "revoke", "keyCompromise");
        Assert.Contains("keyCompromise", await OcspOf(file, "revoked"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Openssl_rejects_a_revoked_certificate_by_its_CRL()
    {
        var (certificate, file) = await New();
        using var _ = certificate;
        var directory = Path.GetDirectoryName(file)!;
        await Change(Certificate.Parse(certificate.RawData).Sha256Hex, "revoke", "superseded");

        await Eventually.Holds(async () => (await Verify()).Contains("certificate revoked", StringComparison.Ordinal), "the CRL names the certificate");

        async Task<string> Verify()
        {
            using var client = ca.Anyone();
            var crl = await client.GetByteArrayAsync("/crl/practitioner-issuing.crl");
            await File.WriteAllBytesAsync(Path.Combine(directory, "crl.der"), crl);
            await Command.Run("openssl", ["crl", "-inform", "DER", "-in", Path.Combine(directory, "crl.der"), "-out", Path.Combine(directory, "crl.pem")], default);
            var checkedCrl = await Command.Try("openssl", ["crl", "-in", Path.Combine(directory, "crl.pem"), "-noout", "-CAfile", Issuing], default);
            Assert.Contains("verify OK", checkedCrl.Output + checkedCrl.Error, StringComparison.Ordinal);
            var (_, output, error) = await Command.Try(
                "openssl",
                ["verify", "-crl_check", "-CRLfile", Path.Combine(directory, "crl.pem"), "-CAfile", Path.Combine(ca.Public, "root.pem"), "-untrusted", Issuing, file],
                default);
            return output + error;
        }
    }

    [Fact]
    public async Task CRL_numbers_rise_without_going_back()
    {
        var (certificate, _) = await New();
        using var held = certificate;
        await Change(Certificate.Parse(certificate.RawData).Sha256Hex, "hold", "test");
        const string numbers = "SELECT number FROM crls WHERE issuer = 'practitioner-issuing' ORDER BY this_update";
        await Eventually.Holds(
            async () => (await ca.Database.Owner.Sql(numbers).All(r => r.GetInt64(0), default)).Count > 1, "a second list");
        var all = await ca.Database.Owner.Sql(numbers).All(r => r.GetInt64(0), default);

        Assert.Equal(all.Order(), all);
        Assert.Equal(all.Distinct(), all);
    }

    [Fact]
    public async Task A_serial_number_never_issued_is_unknown_and_never_good()
    {
        using var client = ca.Anyone();
        var issuer = Certificate.ParsePem(await File.ReadAllTextAsync(Issuing))[0];
        var serial = CertificateContent.NewSerialNumber();
        var request = new OcspRequest([CertificateId.Of(issuer, serial)], null);

        var answer = await Post(client, request.Encode());

        var verified = Assert.IsType<OcspOutcome.Answer>(OcspVerification.Verify(answer, issuer, serial, DateTimeOffset.UtcNow));
        Assert.IsType<CertificateStatus.Unknown>(verified.Response.Status);
    }

    [Fact]
    public async Task A_nonce_comes_back_and_an_SM2_issuer_is_answered_in_SM2()
    {
        using var client = ca.Anyone();
        var issuer = Certificate.ParsePem(await File.ReadAllTextAsync(Path.Combine(ca.Public, "practitioner-issuing-sm2.pem")))[0];
        var serial = CertificateContent.NewSerialNumber();
        byte[] nonce = [1, 2, 3, 4, 5, 6, 7, 8];

        var answer = await Post(client, new OcspRequest([CertificateId.Of(issuer, serial)], nonce).Encode());

        Assert.IsType<OcspOutcome.Answer>(OcspVerification.Verify(answer, issuer, serial, DateTimeOffset.UtcNow, nonce));
    }

    [Fact]
    public async Task A_GET_answer_is_cached_and_dropped_when_the_certificate_changes()
    {
        var (certificate, _) = await New();
        using var held = certificate;
        using var client = ca.Anyone();
        var issuer = Certificate.ParsePem(await File.ReadAllTextAsync(Issuing))[0];
        var parsed = Certificate.Parse(certificate.RawData);
        var path = "/ocsp/" + Uri.EscapeDataString(Convert.ToBase64String(new OcspRequest([CertificateId.Of(issuer, parsed.SerialNumber)], null).Encode()));

        // Signatures are random, so equal answers are one answer. While the feed still tells of a certificate, perhaps this one, none is kept.
        await Eventually.Holds(
            async () => Enumerable.SequenceEqual(await client.GetByteArrayAsync(path), await client.GetByteArrayAsync(path)), "the answer is cached");
        await Change(parsed.Sha256Hex, "revoke", "superseded");

        await Eventually.Holds(
            async () => OcspVerification.Verify(await client.GetByteArrayAsync(path), issuer, parsed.SerialNumber, DateTimeOffset.UtcNow)
                is OcspOutcome.Answer { Response.Status: CertificateStatus.Revoked },
            "the cached answer is dropped",
            TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task Malformed_and_foreign_questions_get_their_error_answers()
    {
        using var client = ca.Anyone();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var foreign = new CertificateId(Oids.Sha256, new byte[32], new byte[32], new byte[] { 1 });

        Assert.Equal(OcspResponse.Error(OcspError.MalformedRequest), await Post(client, [1, 2, 3]));
        Assert.Equal(OcspResponse.Error(OcspError.MalformedRequest), await Post(client, new byte[10_000]));
        Assert.Equal(OcspResponse.Error(OcspError.MalformedRequest), await client.GetByteArrayAsync("/ocsp/%%%"));
        Assert.Equal(OcspResponse.Error(OcspError.Unauthorized), await Post(client, new OcspRequest([foreign], null).Encode()));
        using var none = await client.GetAsync(new Uri("/crl/none.crl", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, none.StatusCode);
    }

    [Fact]
    public async Task Issuer_certificates_are_where_certificates_say()
    {
        using var client = ca.Anyone();
        var served = await client.GetByteArrayAsync("/ca/practitioner-issuing.cer");
        Assert.Equal(Certificate.ParsePem(await File.ReadAllTextAsync(Issuing))[0].Der.ToArray(), served);
        Assert.NotEmpty(await client.GetByteArrayAsync("/crl/root.crl"));
        Assert.NotEmpty(await client.GetByteArrayAsync("/crl/root-sm2.crl"));
    }

    [Fact]
    public async Task A_revoked_certificate_stays_revoked_and_reasons_are_a_closed_list()
    {
        var (certificate, _) = await New();
        using var _ = certificate;
        var sha = Certificate.Parse(certificate.RawData).Sha256Hex;
        using var client = ca.Officer(0);
        using var unknown = await client.Post($"/certificates/{sha}/revoke", new CertificateStateRequest("because"), CaJson.Default.CertificateStateRequest);
        await Change(sha, "revoke", "superseded");
        using var resumed = await client.Post($"/certificates/{sha}/resume", new CertificateStateRequest("oops"), CaJson.Default.CertificateStateRequest);

        Assert.Equal("unknown-reason", await unknown.Problem());
        Assert.Equal(HttpStatusCode.Conflict, resumed.StatusCode);
    }

    private static async Task<byte[]> Post(HttpClient client, byte[] request)
    {
        using var content = new ByteArrayContent(request);
        content.Headers.ContentType = new("application/ocsp-request");
        using var response = await client.PostAsync(new Uri("/ocsp", UriKind.Relative), content);
        return await response.Content.ReadAsByteArrayAsync();
    }

    private async Task<(X509Certificate2 Certificate, string File)> New()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var (_, certificate) = await ca.Enrol("practitioner-signature", person, name, key, institution);
        var file = Path.Combine(Scratch.Directory("ocsp"), "certificate.pem");
        await File.WriteAllTextAsync(file, certificate.ExportCertificatePem());
        return (certificate, file);
    }

    private async Task Change(string sha, string act, string reason, int officer = 0)
    {
        using var client = ca.Officer(officer);
        using var response = await client.Post($"/certificates/{sha}/{act}", new CertificateStateRequest(reason), CaJson.Default.CertificateStateRequest);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
    }

    private async Task<string> OcspOf(string file, string expected)
    {
        var last = string.Empty;
        await Eventually.Holds(async () => (last = await Ocsp(file)).Contains(expected, StringComparison.Ordinal), expected, TimeSpan.FromSeconds(5));
        return last;
    }

    private async Task<string> Ocsp(string file)
    {
        var (_, output, error) = await Command.Try(
            "openssl",
            ["ocsp", "-issuer", Issuing, "-cert", file, "-url", string.Create(CultureInfo.InvariantCulture, $"{ca.PublicUrl}ocsp"), "-CAfile", Path.Combine(ca.Public, "root.pem"), "-verify_other", Issuing],
            default);
        Assert.Contains("Response verify OK", output + error, StringComparison.Ordinal);
        return output;
    }

    // RFC 6960 4.1.1: the client names the certificate by the hash it likes.
    [Theory]
    [InlineData(Oids.Sha384)]
    [InlineData(Oids.Sha512)]
    public async Task A_question_by_another_hash_of_the_SHA_2_family_is_answered(string hash)
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var (_, issued) = await ca.Enrol("practitioner-signature", person, name, key, institution);
        using (issued)
        {
            var issuer = Certificate.ParsePem(await File.ReadAllTextAsync(Path.Combine(ca.Public, "practitioner-issuing.pem")))[0];
            var serial = Certificate.Parse(issued.RawData).SerialNumber;
            using var client = ca.Anyone();
            using var content = new ByteArrayContent(new OcspRequest([CertificateId.Of(issuer, serial, hash)], null).Encode());
            content.Headers.ContentType = new("application/ocsp-request");
            using var answer = await client.PostAsync("/ocsp", content);
            Assert.Equal([0x0a, 0x01, 0x00], (await answer.Content.ReadAsByteArrayAsync())[4..7]);
        }
    }
}
