using System.Net.Http.Json;
using Trust.CA.Enrolment;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.CA.Tests.Certificates;

/// <summary>Reservations that nobody finishes, and those that nobody can.</summary>
public sealed class UnfinishedTests
{
    private const string SystemRows = """
        INSERT INTO certificates (issuer, serial, state, profile, profile_sha256, holder, spki_sha256, tbs, not_before, not_after, reserved_at, region)
        SELECT 'service-issuing', int4send(n), 'reserved', 'service-tls', ''::bytea, 'idp', int4send(n), ''::bytea, now(), now(), now() - interval '1 hour', '510000'
        FROM generate_series(1, 30) n
        """;
    private const string HopelessRequests = """
        INSERT INTO certificate_requests (id, profile, profile_sha256, holder, pkcs10, spki_sha256, identity_proof, carrier, registry_sha256, request_sha256,
                                          requested_by, requested_at, state, region)
        SELECT gen_random_uuid(), 'no-such-profile', ''::bytea, 'h', ''::bytea, int4send(n), ''::bytea, ''::bytea, ''::bytea, ''::bytea, 'o',
               now() - interval '1 hour', 'issuing', '510000'
        FROM generate_series(1, 30) n
        """;
    private const string HopelessRows = """
        INSERT INTO certificates (issuer, serial, state, request, profile, profile_sha256, holder, spki_sha256, tbs, not_before, not_after, reserved_at, region)
        SELECT 'practitioner-issuing', spki_sha256, 'reserved', id, profile, ''::bytea, holder, spki_sha256, ''::bytea, now(), now(), requested_at, region
        FROM certificate_requests WHERE profile = 'no-such-profile'
        """;

    [Fact]
    public async Task Reservations_of_the_system_stop_nobody_and_are_closed()
    {
        await using var ca = await CaFixture.Own();
        Assert.Equal(30, await ca.Database.Owner.Sql(SystemRows).Execute(default));

        await AnIssuanceLeftReservedIsFinished(ca);

        const string left = "SELECT count(*) FROM certificates WHERE state = 'reserved'";
        await Eventually.Holds(async () => await ca.Database.Owner.Sql(left).Scalar<long>(default) == 0, "the reservations are closed");
        Assert.Equal(30, await ca.Database.Owner.Sql("SELECT count(*) FROM certificates WHERE state = 'abandoned'").Scalar<long>(default));
    }

    [Fact]
    public async Task Issuances_that_can_never_be_finished_stop_neither_the_service_nor_the_others_and_are_tried_less_and_less_often()
    {
        await using var ca = await CaFixture.Own();
        Assert.Equal(30, await ca.Database.Owner.Sql(HopelessRequests).Execute(default));
        Assert.Equal(30, await ca.Database.Owner.Sql(HopelessRows).Execute(default));

        await AnIssuanceLeftReservedIsFinished(ca);

        const string apart = "SELECT min(tries) || ' ' || bool_and(next_try > now() - interval '10 seconds') FROM certificates WHERE profile = 'no-such-profile'";
        await Eventually.Holds(async () => await ca.Database.Owner.Sql(apart).Scalar<string>(default) is "1 true" or "2 true" or "3 true" or "4 true", "each waits by itself");
        using var live = await ca.Anyone().GetAsync("/health/live");
        Assert.True(live.IsSuccessStatusCode);
    }

    [Fact]
    public async Task A_stranger_who_hangs_up_while_the_responder_is_made_leaves_no_reservation()
    {
        await using var ca = await CaFixture.Own();
        using var gate = new ManualResetEventSlim();
        ca.Faults.SignGate = gate;
        using (var gone = new CancellationTokenSource())
        {
            var asking = Ask(ca, gone.Token);
            await Eventually.Holds(async () => await Responders(ca, "reserved") == 1, "the responder's certificate is reserved");
            await gone.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
        }

        gate.Set();
        await Eventually.Holds(async () => await Responders(ca, "good") == 1, "the certificate is issued all the same");
        Assert.Equal(0, await Responders(ca, "reserved"));
        Assert.True((await Ask(ca, default)).Length > 16);
        Assert.Equal(1, await Responders(ca, "good"));
    }

    [Fact]
    public async Task While_no_responder_can_be_made_questions_are_answered_tryLater_and_reserve_nothing_more()
    {
        await using var ca = await CaFixture.Own();
        // CKR_MECHANISM_INVALID: keys are found, and no signature comes.
        (ca.Faults.SignCode, ca.Faults.FailSignInits) = (0x70, 100_000);

        for (var i = 0; i < 10; i++)
        {
            Assert.Equal(OcspResponse.Error(OcspError.TryLater), await Ask(ca, default));
        }

        // Whatever the first waits: a second try may fall due while a slow machine asks.
        Assert.InRange(await Responders(ca, "reserved"), 1, 3);
        ca.Faults.FailSignInits = 0;
        await Eventually.Holds(async () => (await Ask(ca, default)).Length > 16, "the responder is made once the token signs");
    }

    private static async Task AnIssuanceLeftReservedIsFinished(CaFixture ca)
    {
        var (person, _, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var created = await ca.Request(await Samples.Request("practitioner-signature", person, name, key));
        await ca.Approve(1, created);
        ca.Faults.Removed = true;
        using (var client = ca.Officer(2))
        {
            using var response = await client.Post(
                $"/certificate-requests/{created.Id}/approvals", await ca.Officers[2].Approval(created.Approval), CaJson.Default.ApprovalBody);
            Assert.False(response.IsSuccessStatusCode);
        }

        ca.Faults.Removed = false;
        using var officer = ca.Officer(0);
        await Eventually.Holds(
            async () => (await officer.GetFromJsonAsync(new Uri($"/certificate-requests/{created.Id}", UriKind.Relative), CaJson.Default.RequestState))!.State is "issued",
            "the issuance is resumed");
    }

    private static async Task<byte[]> Ask(CaFixture ca, CancellationToken ct)
    {
        var issuer = Certificate.ParsePem(await File.ReadAllTextAsync(Path.Combine(ca.Public, "practitioner-issuing.pem"), ct))[0];
        var der = new OcspRequest([CertificateId.Of(issuer, CertificateContent.NewSerialNumber())], null).Encode();
        using var client = ca.Anyone();
        return await client.GetByteArrayAsync("/ocsp/" + Uri.EscapeDataString(Convert.ToBase64String(der)), ct);
    }

    private static Task<long> Responders(CaFixture ca, string state) =>
        ca.Database.Owner.Sql("SELECT count(*) FROM certificates WHERE profile = 'ocsp' AND state = $1").With(state).Scalar<long>(default);
}
