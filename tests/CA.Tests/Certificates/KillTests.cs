using System.Net;
using System.Net.Http.Json;
using Trust.CA.Certificates;
using Trust.CA.Enrolment;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.CA.Tests.Certificates;

/// <summary>The CA killed by SIGKILL between the durable steps of an issuance, and started again over what it left.</summary>
public sealed class KillTests
{
    private const string Certificates = "SELECT encode(der, 'base64') FROM certificates WHERE request = $1 AND der IS NOT NULL";
    private const string Reserved = "SELECT count(*) FROM certificates WHERE request = $1";
    private const string Issued = """
        SELECT count(*) FROM audit_outbox WHERE action = 'CERT.issue' AND convert_from(body, 'UTF8') LIKE '%practitioner-signature%' AND convert_from(body, 'UTF8') LIKE '%' || $1 || '%'
        """;

    [Theory]
    [InlineData(CommitPoints.BeforeReserve)]
    [InlineData(CommitPoints.AfterReserve)]
    [InlineData(CommitPoints.AfterSign)]
    [InlineData(CommitPoints.AfterRecord)]
    public async Task Killed_at_a_commit_point_a_retry_with_the_same_key_is_answered_at_once_and_ends_with_one_certificate(string point)
    {
        await using var ca = await CaFixture.Own();
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var created = await ca.Request(await Samples.Request("practitioner-signature", person, name, key, institution));
        await ca.Approve(1, created);
        var approval = await ca.Officers[2].Approval(created.Approval);
        await ca.Stop();
        using var officer = ca.Officer(2);
        async Task<HttpResponseMessage> Approve() => await officer.Post($"/certificate-requests/{created.Id}/approvals", approval, CaJson.Default.ApprovalBody, "the-key");
        using (var dying = DyingService.Start(typeof(KillTests).Assembly, ca.Config, point))
        {
            await Ready(dying, officer, created);
            await Assert.ThrowsAsync<HttpRequestException>(Approve);
            await dying.Died();
        }

        using (var again = DyingService.Start(typeof(KillTests).Assembly, ca.Config, null))
        {
            await Ready(again, officer, created);
            // The dead process held the key: its death has freed it, no lease has to run out.
            using var first = await Approve();
            Assert.Equal(HttpStatusCode.OK, first.StatusCode);
            var bytes = await first.Content.ReadAsByteArrayAsync();
            await Eventually.Holds(async () => (await State(officer, created)).State is "issued", "the issuance ends");
            using var second = await Approve();
            Assert.Equal(bytes, await second.Content.ReadAsByteArrayAsync());
            var released = await State(officer, created);
            Assert.Equal(released.Certificates, (await State(officer, created)).Certificates);
        }

        Assert.Single(await ca.Database.Owner.Sql(Certificates).With(created.Id).All(r => r.GetString(0), default));
        Assert.Equal(1, await ca.Database.Owner.Sql(Reserved).With(created.Id).Scalar<long>(default));
        Assert.Equal(1, await ca.Database.Owner.Sql(Issued).With(created.Id.ToString()).Scalar<long>(default));
        await ca.Start();
    }

    private static Task Ready(DyingService ca, HttpClient officer, CertificateRequestCreated created) =>
        ca.Answers(async () => (await officer.GetAsync(new Uri($"/certificate-requests/{created.Id}", UriKind.Relative))).IsSuccessStatusCode);

    private static async Task<RequestState> State(HttpClient officer, CertificateRequestCreated created) =>
        (await officer.GetFromJsonAsync(new Uri($"/certificate-requests/{created.Id}", UriKind.Relative), CaJson.Default.RequestState))!;
}
