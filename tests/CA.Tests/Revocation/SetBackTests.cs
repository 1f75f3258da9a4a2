using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Enrolment;
using Trust.CA.Registry;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.CA.Tests.Revocation;

/// <summary>A database that an older dump was played into, and a ledger that cannot be asked.</summary>
public sealed class SetBackTests
{
    [Fact]
    public async Task Before_its_head_was_compared_a_ca_over_an_older_dump_vouches_for_nothing_and_afterwards_it_ends()
    {
        await using var ca = await CaFixture.Own();
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var (_, issued) = await ca.Enrol("practitioner-authentication", person, name, key);
        var certificate = Certificate.Parse(issued.RawData);
        issued.Dispose();
        await AtRest(ca);
        await ca.Stop();
        await Dump(ca);
        await ca.Start();
        using (var officer = ca.Officer(0))
        {
            using var revoked = await officer.Post($"/certificates/{certificate.Sha256Hex}/revoke", new CertificateStateRequest("keyCompromise"), CaJson.Default.CertificateStateRequest);
            Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);
            using var suspended = await officer.Post($"/practitioners/{person}/state", new StateRequest("suspended", "order"), CaJson.Default.StateRequest);
            Assert.Equal(HttpStatusCode.OK, suspended.StatusCode);
        }

        await AtRest(ca);
        await ca.Stop();
        await Restore(ca);
        ca.Ledger.Away = true;
        await ca.Begin();

        Assert.Equal(OcspResponse.Error(OcspError.TryLater), await Ocsp(ca, certificate));
        using (var peer = ca.Peer())
        {
            await Refused(await peer.GetAsync($"/entitlements?act=login&person={person}&institution={institution}"));
            await Refused(await peer.GetAsync($"/holders/{certificate.Sha256Hex}"));
            await Refused(await peer.GetAsync($"/certificates/{certificate.Sha256Hex}/status"));
            await Refused(await peer.GetAsync("/feed"));
        }

        using (var anyone = ca.Anyone())
        {
            await Refused(await anyone.GetAsync("/crl/practitioner-issuing.crl"));
            using var ready = await anyone.GetAsync("/health/ready");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
            Assert.Contains("head-not-compared", await ready.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        ca.Ledger.Away = false;
        var end = ca.App.Services.GetRequiredService<ProcessEnd>();
        await Eventually.Holds(() => end.Code == Relay.HeadBehindExitCode, "the set-back is found and ends the process");
    }

    [Fact]
    public async Task Before_its_head_was_compared_a_ca_takes_rights_away_and_gives_none_and_publishes_no_list()
    {
        await using var ca = await CaFixture.Own();
        var (person, _, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var (_, issued) = await ca.Enrol("practitioner-authentication", person, name, key);
        var certificate = Certificate.Parse(issued.RawData);
        issued.Dispose();
        using var other = SoftwareKey.New(PublicKeyKind.P256);
        var created = await ca.Request(await Samples.Request("practitioner-signature", person, name, other));
        await ca.Approve(1, created);
        const string lists = "SELECT count(*) FROM crls WHERE issuer = 'practitioner-issuing'";
        await ca.Stop();
        ca.Ledger.Away = true;
        await ca.Begin();
        var before = await ca.Database.Owner.Sql(lists).Scalar<long>(default);

        using (var officer = ca.Officer(2))
        {
            await Refused(await officer.Post(
                $"/certificate-requests/{created.Id}/approvals", await ca.Officers[2].Approval(created.Approval), CaJson.Default.ApprovalBody));
            using var revoked = await officer.Post($"/certificates/{certificate.Sha256Hex}/revoke", new CertificateStateRequest("keyCompromise"), CaJson.Default.CertificateStateRequest);
            Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);
            using var suspended = await officer.Post($"/practitioners/{person}/state", new StateRequest("suspended", "order"), CaJson.Default.StateRequest);
            Assert.Equal(HttpStatusCode.OK, suspended.StatusCode);
            await Refused(await officer.Post($"/certificates/{certificate.Sha256Hex}/resume", new CertificateStateRequest("found"), CaJson.Default.CertificateStateRequest));
        }

        await ca.App.Services.GetRequiredService<CA.Revocation.CrlPublisher>().Round(default);
        Assert.Equal(before, await ca.Database.Owner.Sql(lists).Scalar<long>(default));

        ca.Ledger.Away = false;
        await Eventually.Holds(async () => await ca.Database.Owner.Sql(lists).Scalar<long>(default) > before, "the list is published once the head is compared");
    }

    [Fact]
    public void Only_these_routes_answer_before_the_head_is_compared() => Assert.Equal(
        [
            "GET /ca/{file}",
            "GET /residency/declaration",
            "POST /certificates/{sha256}/hold",
            "POST /certificates/{sha256}/revoke",
            "POST /institutions/{urn}/state",
            "POST /practitioners/{urn}/state",
            "POST /registry/imports/{id:guid}/withdrawals",
            "POST /service-certificates",
        ],
        Map.Routes(new Microsoft.Extensions.Configuration.ConfigurationBuilder().Build()).Routes.Where(r => r.AnswersUncompared)
            .Select(r => $"{r.Method} {r.Path}").Order(StringComparer.Ordinal));

    private static async Task Refused(HttpResponseMessage response)
    {
        using (response)
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
            Assert.Equal("head-not-compared", await response.Problem());
            Assert.NotNull(response.Headers.RetryAfter);
        }
    }

    private static async Task<byte[]> Ocsp(CaFixture ca, Certificate certificate)
    {
        var issuer = Certificate.ParsePem(await File.ReadAllTextAsync(Path.Combine(ca.Public, "practitioner-issuing.pem")))[0];
        using var client = ca.Anyone();
        using var content = new ByteArrayContent(new OcspRequest([CertificateId.Of(issuer, certificate.SerialNumber.ToArray())], null).Encode());
        content.Headers.ContentType = new("application/ocsp-request");
        using var response = await client.PostAsync(new Uri("/ocsp", UriKind.Relative), content);
        return await response.Content.ReadAsByteArrayAsync();
    }

    // What is dumped has been acknowledged: a dump is never newer than the ledger.
    private static Task AtRest(CaFixture ca) => Eventually.Holds(
        async () => await ca.Database.Owner.Sql("SELECT count(*) FROM audit_outbox WHERE idx IS NULL").Scalar<long>(default) == 0, "the ledger has every event");

    private static async Task Dump(CaFixture ca)
    {
        var name = await Alone(ca);
        await ca.Database.Server.Sql("postgres", $"CREATE DATABASE {name}_dump TEMPLATE {name}", default);
    }

    private static async Task Restore(CaFixture ca)
    {
        var name = await Alone(ca);
        await ca.Database.Server.Sql("postgres", $"ALTER DATABASE {name} RENAME TO {name}_lost", default);
        await ca.Database.Server.Sql("postgres", $"ALTER DATABASE {name}_dump RENAME TO {name}", default);
    }

    // Only a database without sessions can be copied or renamed.
    private static async Task<string> Alone(CaFixture ca)
    {
        var name = new NpgsqlConnectionStringBuilder(ca.Database.Options.ConnectionString).Database!;
        await ca.Database.Server.Sql("postgres", $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'", default);
        ca.Database.Owner.Clear();
        ca.Database.Runtime.Clear();
        return name;
    }
}
