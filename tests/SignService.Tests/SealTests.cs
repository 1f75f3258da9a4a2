using System.Net.Http.Json;
using Trust.Crypto.Asn1;
using Trust.SignService.Signatures;
using Trust.TestKit;

namespace Trust.SignService.Tests;

public sealed class SealTests
{
    [Fact]
    public async Task An_institution_seals_a_document_of_its_own_and_anyone_verifies_it()
    {
        await using var rig = await SignRig.Start();
        byte[] payload = [1, 2, 3];
        var first = await SignRig.Read(await rig.Post($"/seals/{SignRig.Hospital}/signatures", Token(rig), new { payload }, "k"), 200);
        var value = first.GetProperty("signature").GetString()!;
        var intact = Assert.IsType<JadesOutcome.Intact>(JadesVerification.Verify(first.GetProperty("protected").GetString(), value, payload));
        Assert.IsType<PathOutcome.Trusted>(CertificatePath.Build(
            intact.Certificates[0], intact.Certificates, [rig.Root.Certificate], DateTimeOffset.UtcNow, CertificateUsage.Seal));
        Assert.IsType<TimeStampOutcome.Proved>(TimeStamp.Verify(
            first.GetProperty("timestamp").GetBytesFromBase64(), Jades.TimeStampInput(value), [rig.Institutions.Certificate], [rig.Root.Certificate]));
        Assert.Equal(["SIGN.request", "SIGN.done"], await rig.ActionsOf(2));
    }

    [Fact]
    public async Task It_seals_for_itself_only_and_not_when_closed()
    {
        await using var rig = await SignRig.Start();
        var body = new { payload = new byte[] { 1 } };
        await SignRig.Refused(await rig.Post($"/seals/{SignRig.Pharmacy}/signatures", Token(rig), body), "other-institution", 403);
        await SignRig.Refused(await rig.Post($"/seals/{SignRig.Hospital}/signatures", rig.DoctorToken(), body), "insufficient-scope", 403);
        rig.Peers.Deny(SignRig.Hospital, "institution-closed");
        await SignRig.Refused(await rig.Post($"/seals/{SignRig.Hospital}/signatures", Token(rig), body), "institution-closed", 403);
    }

    [Theory]
    [InlineData(CommitPoints.BeforeIntent)]
    [InlineData(CommitPoints.AfterIntent)]
    [InlineData(CommitPoints.AfterAct)]
    [InlineData(CommitPoints.AfterResult)]
    public async Task Stopped_at_any_commit_point_the_same_key_ends_with_one_seal(string point)
    {
        await using var rig = await SignRig.Start();
        rig.Points.Reached = name =>
        {
            if (name == point)
            {
                throw new InvalidOperationException("stopped at " + name);
            }
        };
        var body = new { payload = new byte[] { 1 } };
        using (var stopped = await rig.Post($"/seals/{SignRig.Hospital}/signatures", Token(rig), body, "k"))
        {
            Assert.Equal(500, (int)stopped.StatusCode);
        }

        rig.Points.Reached = null;
        await SignRig.Read(await rig.Post($"/seals/{SignRig.Hospital}/signatures", Token(rig), body, "k"), 200);
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM sealed_documents WHERE completed_at IS NOT NULL"));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM sealed_documents"));
        Assert.Equal(1, await rig.Count("SELECT count(*) FROM audit_outbox WHERE action = 'SIGN.done'"));
    }

    [Fact]
    public async Task A_key_of_a_stopped_request_is_not_taken_for_another_document()
    {
        await using var rig = await SignRig.Start();
        rig.Points.Reached = name =>
        {
            if (name == CommitPoints.AfterIntent)
            {
                throw new InvalidOperationException("stopped");
            }
        };
        using (var stopped = await rig.Post($"/seals/{SignRig.Hospital}/signatures", Token(rig), new { payload = new byte[] { 1 } }, "k"))
        {
            Assert.Equal(500, (int)stopped.StatusCode);
        }

        rig.Points.Reached = null;
        await SignRig.Refused(
            await rig.Post($"/seals/{SignRig.Hospital}/signatures", Token(rig), new { payload = new byte[] { 2 } }, "k"), "idempotency-mismatch", 422);
    }

    [Fact]
    public async Task A_token_removed_while_it_seals_leaves_nothing_released()
    {
        await using var rig = await SignRig.Start();
        rig.Points.Reached = name =>
        {
            if (name == CommitPoints.AfterIntent)
            {
                rig.Faults.FailSigns = 20;
                rig.Faults.Removed = true;
            }
        };
        var body = new { payload = new byte[] { 1 } };
        using (var lost = await rig.Post($"/seals/{SignRig.Hospital}/signatures", Token(rig), body, "k"))
        {
            Assert.Equal(503, (int)lost.StatusCode);
        }

        rig.Points.Reached = null;
        rig.Faults.FailSigns = 0;
        rig.Faults.Removed = false;
        await Eventually.Holds(async () => (int)(await rig.Post($"/seals/{SignRig.Hospital}/signatures", Token(rig), body, "k")).StatusCode == 200, "the retry seals");
    }

    [Fact]
    public async Task A_seal_takes_only_our_certificate_for_its_own_key_and_institution_and_no_older_one()
    {
        await using var rig = await SignRig.Start();
        var pkcs10 = Assert.IsType<RequestOutcome.Proved>(CertificationRequest.Read(await rig.SealRequest())).Request;
        var name = CertificateExtension.SubjectAltName(new GeneralName.Uri(SignRig.Hospital));
        using var stranger = SoftwareKey.New(PublicKeyKind.P256);
        var now = DateTimeOffset.UtcNow;
        await Put(rig, await rig.Institutions.IssueLeaf("x", stranger.Spki, now, KeyUsages.NonRepudiation, name), "other-certificate");
        await Put(rig, await rig.Institutions.IssueLeaf("x", pkcs10.Key.SubjectPublicKeyInfo, now, KeyUsages.NonRepudiation), "other-certificate");
        await Put(rig, await rig.Institutions.IssueLeaf("x", pkcs10.Key.SubjectPublicKeyInfo, now, KeyUsages.DigitalSignature, name), "certificate-untrusted");
        var foreign = await SampleAuthority.Root(PublicKeyKind.P256, now);
        await Put(rig, await foreign.IssueLeaf("x", pkcs10.Key.SubjectPublicKeyInfo, now, KeyUsages.NonRepudiation, name), "certificate-untrusted");
        await Put(rig, await rig.Institutions.IssueLeaf("x", pkcs10.Key.SubjectPublicKeyInfo, now.AddDays(-10), KeyUsages.NonRepudiation, name), "older-certificate");
        await SignRig.Refused(await rig.Get("/seals/urn:mdid:o:not-one/request", rig.SealToken("urn:mdid:o:not-one")), "unknown-institution", 404);
    }

    [Fact]
    public async Task Only_the_institutions_own_system_asks_for_its_seal_and_brings_the_certificate()
    {
        await using var rig = await SignRig.Start();
        using var stranger = await rig.Client.GetAsync($"/seals/{SignRig.Hospital}/request");
        await SignRig.Refused(stranger, "invalid-token", 401);
        await SignRig.Refused(await rig.Get($"/seals/{SignRig.Hospital}/request", rig.SealToken(SignRig.Pharmacy)), "other-institution", 403);
        await SignRig.Refused(await rig.Get($"/seals/{SignRig.Hospital}/request", rig.DoctorToken()), "insufficient-scope", 403);
        await SignRig.Refused(await rig.PutSeal("", rig.SealToken(SignRig.Pharmacy)), "other-institution", 403);
        using var put = await rig.Client.PutAsJsonAsync($"/seals/{SignRig.Hospital}/certificate", new { chain = "" });
        await SignRig.Refused(put, "invalid-token", 401);
    }

    [Fact]
    public async Task A_seals_key_is_made_once_under_the_registered_name_with_its_events()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        using var stranger = await rig.Get($"/seals/{SignRig.Hospital}/request?name=" + Uri.EscapeDataString("另一家医院"), rig.SealToken());
        await SignRig.Refused(stranger, "name", 422);
        Assert.Equal(0, await rig.Count("SELECT count(*) FROM seals"));
        var first = await rig.SealRequest();
        using var later = await rig.Get($"/seals/{SignRig.Hospital}/request?name=" + Uri.EscapeDataString("另一家医院"), rig.SealToken());
        await SignRig.Refused(later, "name", 422);
        Assert.Equal(first, await rig.SealRequest());
        var request = Assert.IsType<RequestOutcome.Proved>(CertificationRequest.Read(first)).Request;
        Assert.Contains("示例市人民医院", request.Subject.Name, StringComparison.Ordinal);
        await rig.CertifySeal();
        await Eventually.Holds(() => rig.Peers.Actions.Count() == 2, "two events reach the ledger");
        Assert.Equal(["KEY.generate", "KEY.activate"], rig.Peers.Actions);
    }

    [Fact]
    public async Task A_closed_institution_neither_asks_for_a_seal_nor_brings_a_certificate()
    {
        await using var rig = await SignRig.Start();
        rig.Peers.Deny(SignRig.Hospital, "institution-closed");
        await SignRig.Refused(await rig.Get($"/seals/{SignRig.Hospital}/request", rig.SealToken()), "unknown-institution", 404);
        await SignRig.Refused(await rig.PutSeal(""), "institution-closed", 403);
    }

    private static async Task Put(SignRig rig, Certificate certificate, string rule) =>
        await SignRig.Refused(await rig.PutSeal(certificate.ToPem()), rule, 409);

    private static string Token(SignRig rig) => rig.SealToken();
}
