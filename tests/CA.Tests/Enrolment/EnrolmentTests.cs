using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Trust.CA.Enrolment;
using Trust.CA.Registry;
using Trust.CA.Tests.Claims;
using Trust.Cli.Local;
using Trust.Crypto.Asn1;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.CA.Tests.Enrolment;

public sealed class EnrolmentTests(CaFixture ca)
{
    [Fact]
    public async Task Whoever_looks_at_a_request_or_at_the_list_has_left_an_event()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var created = await ca.Request(await Samples.Request("practitioner-signature", person, name, key, institution));
        using var officer = ca.Officer(1);
        using (var shown = await officer.GetAsync(new Uri($"/certificate-requests/{created.Id}", UriKind.Relative)))
        {
            Assert.True(shown.IsSuccessStatusCode);
        }

        var looked = Assert.Single(await ca.Events("REG.query", SubjectKey.Practitioner(person)));
        Assert.Equal(("certificate-request", created.Id.ToString()), (looked.GetProperty("reason").GetString(), looked.GetProperty("correlation").GetString()));
        Assert.Equal("ra-officer", looked.GetProperty("actor").GetProperty("role").GetString());
        for (var next = "/certificate-requests?state=pending&limit=50"; next is not null;)
        {
            using var page = await officer.GetAsync(new Uri(next, UriKind.RelativeOrAbsolute));
            next = page.Headers.TryGetValues("Link", out var links) ? links.Single().Split('>')[0][1..] : null;
        }

        Assert.Equal(["certificate-request", "certificate-requests"], (await ca.Events("REG.query", SubjectKey.Practitioner(person))).Select(e => e.GetProperty("reason").GetString()));
    }

    [Fact]
    public async Task Two_other_officers_approve_and_the_certificate_verifies_with_openssl()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var authentication = SoftwareKey.New(PublicKeyKind.P256);
        using var signature = SoftwareKey.New(PublicKeyKind.P256);

        var (_, login) = await ca.Enrol("practitioner-authentication", person, name, authentication, institution);
        var (_, sign) = await ca.Enrol("practitioner-signature", person, name, signature, institution);

        using (login)
        using (sign)
        {
            var directory = Scratch.Directory("openssl");
            await File.WriteAllTextAsync(Path.Combine(directory, "login.pem"), login.ExportCertificatePem());
            await File.WriteAllTextAsync(Path.Combine(directory, "sign.pem"), sign.ExportCertificatePem());
            foreach (var file in new[] { "login.pem", "sign.pem" })
            {
                var output = await Command.Run(
                    "openssl",
                    ["verify", "-x509_strict", "-CAfile", Path.Combine(ca.Public, "root.pem"), "-untrusted", Path.Combine(ca.Public, "practitioner-issuing.pem"), Path.Combine(directory, file)],
                    default);
                Assert.Contains("OK", output, StringComparison.Ordinal);
            }

            Assert.Contains("CN=" + name, sign.Subject, StringComparison.Ordinal);
            var parsed = Certificate.Parse(sign.RawData);
            Assert.Equal([person, institution], parsed.SubjectUris);
            Assert.Equal(KeyUsages.NonRepudiation, parsed.KeyUsage);
            Assert.Equal(KeyUsages.DigitalSignature, Certificate.Parse(login.RawData).KeyUsage);
        }
    }

    [Fact]
    public async Task A_practitioner_may_hold_an_SM2_signature_certificate_that_verifies_hop_by_hop()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.Sm2);
        var created = await ca.Request(await Samples.Request("practitioner-signature-sm2", person, name, key, institution));
        await ca.Approve(1, created);
        var issued = await ca.Approve(2, created);

        var chain = Certificate.ParsePem(issued.Certificates!);
        var root = Certificate.ParsePem(await File.ReadAllTextAsync(Path.Combine(ca.Public, "root-sm2.pem")))[0];

        Assert.True(chain[0].IsSignedBy(chain[1].SubjectPublicKeyInfo));
        Assert.True(chain[1].IsSignedBy(root.SubjectPublicKeyInfo));
        Assert.IsType<PathOutcome.Trusted>(CertificatePath.Build(chain[0], [chain[1]], [root], DateTimeOffset.UtcNow, CertificateUsage.Signature));
    }

    [Fact]
    public async Task A_request_whose_signature_does_not_verify_is_refused()
    {
        var (person, _, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        using var other = SoftwareKey.New(PublicKeyKind.P256);
        var p10 = await CertificationRequest.Create(new X500DistinguishedName("CN=" + name), key.Spki, [], other.Signer, default);

        Assert.Equal("bad-possession-proof", await Refusal(Samples.Request("practitioner-signature", person, p10)));
    }

    [Fact]
    public async Task Weak_keys_are_refused()
    {
        var (_, institution, _) = await ca.NewPractitioner();
        using var rsa = RSA.Create(2048);
        var request = new CertificateRequest("CN=x", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);

        Assert.Equal("weak-key", await Refusal(Samples.Request("institution-seal", institution, request.CreateSigningRequest())));
    }

    [Fact]
    public async Task A_key_of_a_kind_the_profile_does_not_accept_is_refused()
    {
        var (person, _, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.Rsa);

        Assert.Equal("key-not-of-profile", await Refusal(await Samples.Request("practitioner-signature", person, name, key)));
    }

    [Fact]
    public async Task A_key_is_asked_for_once()
    {
        var (person, _, name) = await ca.NewPractitioner();
        var (otherPerson, _, otherName) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        await ca.Request(await Samples.Request("practitioner-authentication", person, name, key));

        Assert.Equal("reused-key", await Refusal(await Samples.Request("practitioner-signature", person, name, key)));
        Assert.Equal("reused-key", await Refusal(await Samples.Request("practitioner-signature", otherPerson, otherName, key)));
    }

    [Theory]
    [InlineData("CN=张三丰")]
    [InlineData("CN={name}, O=Other Hospital")]
    [InlineData("CN={name}, CN={name}")]
    [InlineData("O=Nobody")]
    public async Task A_subject_that_is_not_the_registered_holder_is_refused(string subject)
    {
        var (person, _, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var dn = new X500DistinguishedName(subject.Replace("{name}", name, StringComparison.Ordinal));
        var p10 = await CertificationRequest.Create(dn, key.Spki, [], key.Signer, default);

        Assert.Equal("subject-mismatch", await Refusal(Samples.Request("practitioner-signature", person, p10)));
    }

    [Fact]
    public async Task A_holder_unknown_suspended_or_not_affiliated_gets_no_certificate()
    {
        var (person, _, name) = await ca.NewPractitioner();
        var (_, elsewhere, _) = await ca.NewPractitioner();
        var (suspended, _, suspendedName) = await ca.NewPractitioner();
        using var client = ca.Officer(0);
        using var changed = await client.Post($"/practitioners/{suspended}/state", new StateRequest("suspended", "order"), CaJson.Default.StateRequest);

        Assert.Equal("unknown-person", await Refusal(await Fresh(PersonId.New(DateTimeOffset.UtcNow).Value, name)));
        Assert.Equal("suspended", await Refusal(await Fresh(suspended, suspendedName)));
        Assert.Equal("no-affiliation", await Refusal(await Fresh(person, name, elsewhere)));
        Assert.Equal("unknown-service", await Refusal(await Fresh(person, name, null, "service-tls")));
        Assert.Equal("holder-does-not-fit-profile", await Refusal(await Fresh(person, name, elsewhere, "institution-seal")));
    }

    [Fact]
    public async Task An_identity_proof_must_be_recent()
    {
        var (person, _, name) = await ca.NewPractitioner();
        var body = await Fresh(person, name);

        Assert.Equal("identity-proof-too-old", await Refusal(body with { IdentityProof = body.IdentityProof with { PerformedAt = DateTimeOffset.UtcNow.AddDays(-31) } }));
        Assert.Equal("identity-proof", await Refusal(body with { IdentityProof = body.IdentityProof with { EvidenceSha256 = "none" } }));
    }

    [Fact]
    public async Task The_requester_does_not_approve()
    {
        var created = await Requested();

        Assert.Equal("own-request", await ApprovalRefusal(0, created, await ca.Officers[0].Approval(created.Approval)));
    }

    [Fact]
    public async Task Who_will_hold_a_certificate_does_not_approve_it()
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var officer = Certificate.Parse(ca.Officers[1].SignatureCertificate.RawData).SubjectUris.Single();
        var created = await ca.Request(await Samples.Request("officer-signature", officer, ca.Officers[1].Name, key));

        Assert.Equal("own-request", await ApprovalRefusal(1, created, await ca.Officers[1].Approval(created.Approval)));
    }

    [Fact]
    public async Task One_officer_approving_twice_is_one_voice()
    {
        var created = await Requested();
        await ca.Approve(1, created);

        var again = await ca.Approve(1, created);

        Assert.Equal(("pending", 1), (again.State, again.Approvals));
    }

    [Fact]
    public async Task One_officer_under_two_certificates_is_one_voice()
    {
        var created = await Requested();
        await ca.Approve(1, created);
        using var second = SoftwareKey.New(PublicKeyKind.P256);
        var officer = Certificate.Parse(ca.Officers[1].SignatureCertificate.RawData).SubjectUris.Single();
        var (_, certificate) = await EnrolOfficer(officer, ca.Officers[1].Name, second);
        using var _ = certificate;
        var digest = SHA256.HashData(Convert.FromBase64String(created.Approval));
        var body = new ApprovalBody(Convert.ToBase64String(await second.Signer(digest, default)), Convert.ToBase64String(certificate.RawData));

        Assert.Equal("same-person", await ApprovalRefusal(1, created, body));
    }

    [Fact]
    public async Task An_approval_over_other_hashes_is_refused()
    {
        var created = await Requested();
        var other = await Requested();

        Assert.Equal("approval-mismatch", await ApprovalRefusal(1, created, await ca.Officers[1].Approval(other.Approval)));
    }

    [Fact]
    public async Task An_approval_under_the_authentication_key_or_anothers_certificate_is_refused()
    {
        var created = await Requested();
        var bytes = Convert.FromBase64String(created.Approval);
        var byLoginKey = new ApprovalBody(
            Convert.ToBase64String(await ca.Officers[1].AuthenticationSignature(bytes)), Convert.ToBase64String(ca.Officers[1].Login.RawData));

        Assert.Equal("not-your-signature-certificate", await ApprovalRefusal(1, created, byLoginKey));
        Assert.Equal("not-your-signature-certificate", await ApprovalRefusal(1, created, await ca.Officers[2].Approval(created.Approval)));
    }

    [Fact]
    public async Task A_request_does_not_survive_a_change_of_its_holder()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var created = await ca.Request(await Fresh(person, name, institution));
        await ca.Approve(1, created);
        using var client = ca.Officer(0);
        using var changed = await client.Post($"/practitioners/{person}/state", new StateRequest("suspended", "order"), CaJson.Default.StateRequest);

        Assert.Equal("registry-changed", await ApprovalRefusal(2, created, await ca.Officers[2].Approval(created.Approval)));
    }

    [Fact]
    public async Task Refusals_are_events_too()
    {
        const string refused = "SELECT count(*) FROM audit_outbox WHERE action = $1 AND convert_from(body, 'UTF8') LIKE '%\"outcome\":\"refused\"%' AND convert_from(body, 'UTF8') LIKE '%' || $2 || '%'";
        var (person, _, _) = await ca.NewPractitioner();
        await Refusal(await Fresh(person, "别人"));
        var created = await Requested();
        await ApprovalRefusal(0, created, await ca.Officers[0].Approval(created.Approval));

        Assert.True(await ca.Database.Owner.Sql(refused).With("CERT.request").With("subject-mismatch").Scalar<long>(default) > 0);
        Assert.Equal(1, await ca.Database.Owner.Sql(refused).With("CERT.approve").With(created.Id.ToString()).Scalar<long>(default));
    }

    [Fact]
    public async Task Only_officers_cards_open_the_officers_door()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var (_, certificate) = await ca.Enrol("practitioner-authentication", person, name, key, institution);
        using var ecdsa = ECDsa.Create();
        ecdsa.ImportPkcs8PrivateKey(key.Pkcs8, out var _);
        using var login = certificate.CopyWithPrivateKey(ecdsa);
        using var doctor = CaFixture.Client(ca.OfficersUrl, X509CertificateLoader.LoadPkcs12(login.Export(X509ContentType.Pkcs12), null));
        using var nobody = CaFixture.Client(ca.OfficersUrl, null);

        using var asDoctor = await doctor.Post("/registry/imports", new ImportRequest(), CaJson.Default.ImportRequest);
        using var asNobody = await nobody.Post("/registry/imports", new ImportRequest(), CaJson.Default.ImportRequest);
        using var anonymous = ca.Anyone();
        using var plain = await anonymous.Post("/registry/imports", new ImportRequest(), CaJson.Default.ImportRequest);

        Assert.Equal("not-an-officer", await asDoctor.Problem());
        Assert.Equal("card-required", await asNobody.Problem());
        Assert.Equal("card-required", await plain.Problem());
    }

    [Fact]
    public async Task The_same_request_sent_again_gets_the_same_answer()
    {
        var (person, _, name) = await ca.NewPractitioner();
        var body = await Fresh(person, name);
        using var client = ca.Officer(0);

        using var first = await client.Post("/certificate-requests", body, CaJson.Default.CertificateRequestBody, "once-" + person);
        using var second = await client.Post("/certificate-requests", body, CaJson.Default.CertificateRequestBody, "once-" + person);

        Assert.Equal(await first.Content.ReadAsStringAsync(), await second.Content.ReadAsStringAsync());
    }

    private static async Task<CertificateRequestBody> Fresh(string holder, string name, string? institution = null, string profile = "practitioner-signature")
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        return await Samples.Request(profile, holder, name, key, institution);
    }

    private async Task<CertificateRequestCreated> Requested()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        return await ca.Request(await Fresh(person, name, institution));
    }

    // The officer who gets a new card asks for it; the two others approve.
    private async Task<(Guid Id, X509Certificate2 Certificate)> EnrolOfficer(string officer, string name, SoftwareKey key)
    {
        var created = await ca.Request(await Samples.Request("officer-signature", officer, name, key), 1);
        await ca.Approve(2, created);
        return (created.Id, X509Certificate2.CreateFromPem((await ca.Approve(0, created)).Certificates));
    }

    private async Task<string> Refusal(CertificateRequestBody body)
    {
        using var client = ca.Officer(0);
        using var response = await client.Post("/certificate-requests", body, CaJson.Default.CertificateRequestBody);
        Assert.False(response.IsSuccessStatusCode);
        return await response.Problem();
    }

    private async Task<string> ApprovalRefusal(int officer, CertificateRequestCreated created, ApprovalBody body)
    {
        using var client = ca.Officer(officer);
        using var response = await client.Post($"/certificate-requests/{created.Id}/approvals", body, CaJson.Default.ApprovalBody);
        Assert.False(response.IsSuccessStatusCode);
        return await response.Problem();
    }
}
