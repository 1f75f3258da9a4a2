using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Org.BouncyCastle.X509;
using Trust.Crypto.Asn1;
using Trust.TestKit;
using BasicOcspResp = Org.BouncyCastle.Ocsp.BasicOcspResp;
using OcspResp = Org.BouncyCastle.Ocsp.OcspResp;

namespace Trust.Crypto.Tests.Asn1;

public sealed class RevocationTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UtcNow;

    [Theory]
    [InlineData(PublicKeyKind.P256)]
    [InlineData(PublicKeyKind.Rsa)]
    public async Task A_list_tells_openssl_which_certificate_is_revoked(PublicKeyKind kind)
    {
        var ca = await SampleAuthority.Root(kind, Now);
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var good = await ca.IssueLeaf("good", key.Spki, Now, KeyUsages.NonRepudiation);
        var bad = await ca.IssueLeaf("bad", key.Spki, Now, KeyUsages.NonRepudiation);
        var der = await SignList(ca, [new RevokedEntry(bad.SerialNumber, Now.AddMinutes(-5), RevocationReason.KeyCompromise, Now.AddHours(-1))]);
        using var openssl = new OpenSsl();
        openssl.WritePem("ca.pem", "CERTIFICATE", ca.Certificate.Der);
        openssl.WritePem("crl.pem", "X509 CRL", der);
        openssl.WritePem("good.pem", "CERTIFICATE", good.Der);
        openssl.WritePem("bad.pem", "CERTIFICATE", bad.Der);
        Assert.Contains("verify OK", openssl.Accept("crl", "-in", "crl.pem", "-CAfile", "ca.pem", "-noout"), StringComparison.Ordinal);
        openssl.Accept("verify", "-x509_strict", "-crl_check", "-CAfile", "ca.pem", "-CRLfile", "crl.pem", "good.pem");
        var (code, output) = openssl.Run("verify", "-crl_check", "-CAfile", "ca.pem", "-CRLfile", "crl.pem", "bad.pem");
        Assert.NotEqual(0, code);
        Assert.Contains("certificate revoked", output, StringComparison.Ordinal);
        var text = openssl.Accept("crl", "-in", "crl.pem", "-noout", "-text");
        Assert.Contains("Key Compromise", text, StringComparison.Ordinal);
        Assert.Contains("Invalidity Date", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_list_is_read_back_and_its_issuer_checked()
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var serial = CertificateContent.NewSerialNumber();
        Assert.True(CertificateList.TryParse(await SignList(ca, [new RevokedEntry(serial, Now, RevocationReason.CertificateHold)]), out var list, out _));
        Assert.True(list.IsSignedBy(ca.Certificate));
        Assert.Equal(42, list.Number);
        Assert.Equal(RevocationReason.CertificateHold, list.Find(serial)!.Reason);
        Assert.Null(list.Find(CertificateContent.NewSerialNumber()));
        var other = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        Assert.False(list.IsSignedBy(other.Certificate));
    }

    [Fact]
    public async Task An_SM2_list_verifies_with_BouncyCastle()
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.Sm2, Now);
        var der = await SignList(ca, [new RevokedEntry(new byte[] { 5 }, Now, RevocationReason.Superseded)]);
        var issuer = new X509CertificateParser().ReadCertificate(ca.Certificate.Der.ToArray());
        new X509CrlParser().ReadCrl(der).Verify(issuer.GetPublicKey());
        Assert.True(CertificateList.TryParse(der, out var list, out _));
        Assert.True(list.IsSignedBy(ca.Certificate));
    }

    [Fact]
    public async Task A_partitioned_list_carries_its_critical_distribution_point()
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var content = ListContent(ca, []) with { DistributionPoint = "http://127.0.0.3:7080/crl/issuing-1.crl" };
        var der = await SignedStructure.Sign(content.EncodeTbs(), ca.Key.Suite, ca.Key.Spki, ca.Key.Signer, CancellationToken.None);
        using var openssl = new OpenSsl();
        openssl.WritePem("crl.pem", "X509 CRL", der);
        var text = openssl.Accept("crl", "-in", "crl.pem", "-noout", "-text");
        Assert.Contains("X509v3 Issuing Distribution Point: critical", text, StringComparison.Ordinal);
        Assert.Contains("issuing-1.crl", text, StringComparison.Ordinal);
        Assert.True(CertificateList.TryParse(der, out _, out _));
    }

    [Fact]
    public async Task A_hundred_thousand_entries_are_written_and_read()
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var entries = Enumerable.Range(0, 100_000).Select(_ => new RevokedEntry(CertificateContent.NewSerialNumber(), Now, RevocationReason.Superseded)).ToArray();
        var der = await SignList(ca, entries);
        Assert.True(CertificateList.TryParse(der, out var list, out _));
        Assert.Equal(100_000, list.Count);
    }

    [Theory]
    [InlineData("good")]
    [InlineData("revoked")]
    [InlineData("unknown")]
    public async Task Openssl_asks_and_accepts_the_delegated_responders_answer(string state)
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var (responder, key) = await Responder(ca);
        using var subject = SoftwareKey.New(PublicKeyKind.P256);
        var leaf = await ca.IssueLeaf("leaf", subject.Spki, Now, KeyUsages.NonRepudiation);
        using var openssl = new OpenSsl();
        openssl.WritePem("ca.pem", "CERTIFICATE", ca.Certificate.Der);
        openssl.WritePem("leaf.pem", "CERTIFICATE", leaf.Der);
        foreach (var hash in new[] { "-sha1", "-sha256" })
        {
            openssl.Accept("ocsp", hash, "-issuer", "ca.pem", "-cert", "leaf.pem", "-reqout", "req.der");
            Assert.True(OcspRequest.TryParse(openssl.Read("req.der"), out var request));
            Assert.True(OcspRequest.TryParseGet(Convert.ToBase64String(openssl.Read("req.der")), out _));
            Assert.NotNull(request.Nonce);
            Assert.True(request.Certificates[0].IsIssuedBy(ca.Certificate));
            CertificateStatus status = state switch
            {
                "good" => new CertificateStatus.Good(),
                "revoked" => new CertificateStatus.Revoked(Now.AddMinutes(-1), RevocationReason.CessationOfOperation),
                _ => new CertificateStatus.Unknown(),
            };
            var der = await Answer(responder, key, new SingleResponse(request.Certificates[0], status, Now, Now.AddMinutes(5)), request.Nonce);
            openssl.Write("resp.der", der);
            var output = openssl.Accept(
                "ocsp", "-no_nonce", "-issuer", "ca.pem", hash, "-cert", "leaf.pem", "-respin", "resp.der", "-CAfile", "ca.pem");
            Assert.Contains("Response verify OK", output, StringComparison.Ordinal);
            Assert.Contains($"leaf.pem: {state}", output, StringComparison.Ordinal);
            var answer = Assert.IsType<OcspOutcome.Answer>(OcspVerification.Verify(der, ca.Certificate, leaf.SerialNumber, Now, request.Nonce));
            Assert.Equal(status, answer.Response.Status is CertificateStatus.Revoked r ? r with { At = Now.AddMinutes(-1) } : answer.Response.Status);
        }
    }

    [Fact]
    public async Task A_client_refuses_answers_that_are_stale_foreign_replayed_or_not_authorised()
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var (responder, key) = await Responder(ca);
        var serial = CertificateContent.NewSerialNumber();
        var nonce = RandomNumberGenerator.GetBytes(16);
        var request = new OcspRequest([CertificateId.Of(ca.Certificate, serial)], nonce);
        Assert.True(OcspRequest.TryParse(request.Encode(), out var parsed));
        var single = new SingleResponse(parsed.Certificates[0], new CertificateStatus.Good(), Now, Now.AddMinutes(5));
        var der = await Answer(responder, key, single, parsed.Nonce);
        Assert.IsType<OcspOutcome.Answer>(OcspVerification.Verify(der, ca.Certificate, serial, Now, nonce));
        Assert.Equal(OcspRefusal.Stale, Refusal(OcspVerification.Verify(der, ca.Certificate, serial, Now.AddMinutes(7), nonce)));
        Assert.Equal(OcspRefusal.NonceMismatch, Refusal(OcspVerification.Verify(der, ca.Certificate, serial, Now, new byte[16])));
        Assert.Equal(OcspRefusal.OtherCertificate, Refusal(OcspVerification.Verify(der, ca.Certificate, CertificateContent.NewSerialNumber(), Now, nonce)));
        Assert.Equal(OcspRefusal.NotSuccessful, Refusal(OcspVerification.Verify(OcspResponse.Error(OcspError.TryLater), ca.Certificate, serial, Now)));

        // A certificate of the same CA without the OCSP purpose may not answer.
        using var person = SoftwareKey.New(PublicKeyKind.P256);
        var impostor = await ca.IssueLeaf("impostor", person.Spki, Now, KeyUsages.DigitalSignature);
        Assert.Equal(
            OcspRefusal.ResponderNotAuthorised,
            Refusal(OcspVerification.Verify(await Answer(impostor, person, single, parsed.Nonce), ca.Certificate, serial, Now, nonce)));
        Assert.Equal(
            OcspRefusal.BadSignature,
            Refusal(OcspVerification.Verify(await Answer(responder, person, single, parsed.Nonce), ca.Certificate, serial, Now, nonce)));
    }

    [Fact]
    public async Task An_SM2_answer_verifies_with_BouncyCastle()
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.Sm2, Now);
        var (responder, key) = await Responder(ca);
        var single = new SingleResponse(CertificateId.Of(ca.Certificate, new byte[] { 7 }, Oids.Sha1), new CertificateStatus.Good(), Now, Now.AddMinutes(5));
        var der = await Answer(responder, key, single, null);
        var basic = (BasicOcspResp)new OcspResp(der).GetResponseObject();
        Assert.True(basic.Verify(new X509CertificateParser().ReadCertificate(responder.Der.ToArray()).GetPublicKey()));
        Assert.IsType<OcspOutcome.Answer>(OcspVerification.Verify(der, ca.Certificate, new byte[] { 7 }, Now));
    }

    [Fact]
    public async Task Ten_thousand_mutations_of_each_structure_are_refused_without_a_fault()
    {
        var ca = await SampleAuthority.Root(PublicKeyKind.P256, Now);
        var (responder, key) = await Responder(ca);
        var serial = CertificateContent.NewSerialNumber();
        var list = await SignList(ca, [new RevokedEntry(serial, Now, RevocationReason.Superseded, Now)]);
        var request = new OcspRequest([CertificateId.Of(ca.Certificate, serial)], RandomNumberGenerator.GetBytes(16)).Encode();
        Assert.True(OcspRequest.TryParse(request, out var parsed));
        var response = await Answer(responder, key, new SingleResponse(parsed.Certificates[0], new CertificateStatus.Good(), Now, null), parsed.Nonce);
        var random = new Random(6960);
        for (var i = 0; i < 10_000; i++)
        {
            var mutant = Mutation.Of(list, random);
            if (CertificateList.TryParse(mutant, out var read, out _) && !mutant.AsSpan().SequenceEqual(list))
            {
                Assert.False(read.IsSignedBy(ca.Certificate));
            }

            _ = OcspRequest.TryParse(Mutation.Of(request, random), out _);
            _ = OcspVerification.Verify(Mutation.Of(response, random), ca.Certificate, serial, Now);
        }
    }

    private static CertificateListContent ListContent(SampleAuthority ca, IReadOnlyCollection<RevokedEntry> entries) => new()
    {
        Suite = ca.Key.Suite,
        Issuer = new X500DistinguishedName(ca.Certificate.Subject.Span),
        AuthorityKeyIdentifier = ca.Certificate.SubjectKeyIdentifier,
        Number = 42,
        ThisUpdate = Now,
        NextUpdate = Now.AddHours(1),
        Entries = entries,
    };

    private static async Task<byte[]> SignList(SampleAuthority ca, IReadOnlyCollection<RevokedEntry> entries) =>
        await SignedStructure.Sign(ListContent(ca, entries).EncodeTbs(), ca.Key.Suite, ca.Key.Spki, ca.Key.Signer, CancellationToken.None);

    private static async Task<(Certificate Certificate, SoftwareKey Key)> Responder(SampleAuthority ca)
    {
        var key = SoftwareKey.New(ca.Key.Suite.KeyKind);
        return (await ca.IssueLeaf(
            "responder", key.Spki, Now, KeyUsages.DigitalSignature,
            CertificateExtension.ExtendedKeyUsage(critical: false, Oids.OcspSigning), CertificateExtension.OcspNoCheck()), key);
    }

    private static async Task<byte[]> Answer(Certificate responder, SoftwareKey key, SingleResponse single, ReadOnlyMemory<byte>? nonce)
    {
        var tbs = OcspResponse.EncodeTbs(responder, Now, [single], nonce);
        return OcspResponse.Assemble(tbs, key.Suite, await key.Signer(key.Suite.DigestToSign(key.Spki, tbs), CancellationToken.None), responder);
    }

    private static OcspRefusal? Refusal(OcspOutcome outcome) => (outcome as OcspOutcome.Refused)?.Reason;
}
