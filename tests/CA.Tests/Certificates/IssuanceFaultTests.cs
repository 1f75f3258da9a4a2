using System.Net;
using System.Net.Http.Json;
using Trust.CA.Certificates;
using Trust.CA.Enrolment;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.CA.Tests.Certificates;

public sealed class IssuanceFaultTests
{
    private const string Rows = "SELECT state || ':' || (der IS NOT NULL) FROM certificates WHERE request = $1";
    private const string Signed = "SELECT count(*) FROM certificates WHERE request = $1 AND der IS NOT NULL";

    [Theory]
    [InlineData(Took.NoEffect)]
    [InlineData(Took.Effect)]
    public async Task A_token_removed_mid_signature_leaves_a_reserved_row_that_is_finished_once_it_is_back(Took took)
    {
        await using var ca = await CaFixture.Own();
        var created = await Requested(ca);
        await ca.Approve(1, created);
        (ca.Faults.Took, ca.Faults.SignCode, ca.Faults.FailSigns) = (took, 0x32, 1);
        ca.Faults.Removed = took == Took.NoEffect;

        using var client = ca.Officer(2);
        using var response = await client.Post(
            $"/certificate-requests/{created.Id}/approvals", await ca.Officers[2].Approval(created.Approval), CaJson.Default.ApprovalBody);
        if (took == Took.NoEffect)
        {
            // The token is gone: the officer is told to try again, the serial number and the bytes stay reserved.
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
            Assert.Equal(["reserved:false"], await ca.Database.Owner.Sql(Rows).With(created.Id).All(r => r.GetString(0), default));
            ca.Faults.Removed = false;
            ca.Faults.FailSigns = 0;
        }

        await Eventually.Holds(async () => (await State(ca, created)).State is "issued", "the issuance is resumed");
        Assert.Equal(1, await ca.Database.Owner.Sql(Signed).With(created.Id).Scalar<long>(default));
    }

    [Fact]
    public async Task A_process_that_dies_between_reservation_and_record_is_followed_by_one_that_finishes()
    {
        await using var ca = await CaFixture.Own();
        var created = await Requested(ca);
        await ca.Approve(1, created);
        ca.Faults.Removed = true;
        using (var client = ca.Officer(2))
        {
            using var response = await client.Post(
                $"/certificate-requests/{created.Id}/approvals", await ca.Officers[2].Approval(created.Approval), CaJson.Default.ApprovalBody);
            Assert.False(response.IsSuccessStatusCode);
        }

        await ca.Stop();
        ca.Faults.Removed = false;
        await ca.Start();

        await Eventually.Holds(async () => (await State(ca, created)).State is "issued", "the next process finishes");
        var again = await ca.Approve(2, created);
        Assert.Equal("issued", again.State);
        Assert.Equal(1, await ca.Database.Owner.Sql(Signed).With(created.Id).Scalar<long>(default));
    }

    [Theory]
    [InlineData(CommitPoints.BeforeReserve)]
    [InlineData(CommitPoints.AfterReserve)]
    [InlineData(CommitPoints.AfterSign)]
    [InlineData(CommitPoints.AfterRecord)]
    public async Task A_process_stopped_at_a_commit_point_loses_nothing_and_releases_one_certificate(string point)
    {
        await using var ca = await CaFixture.Own();
        var created = await Requested(ca);
        await ca.Approve(1, created);
        var points = (CommitPoints)ca.App.Services.GetService(typeof(CommitPoints))!;
        points.Reached = name =>
        {
            if (string.Equals(name, point, StringComparison.Ordinal))
            {
                throw new InvalidOperationException("Stopped at " + point);
            }
        };
        var approval = await ca.Officers[2].Approval(created.Approval);
        using (var client = ca.Officer(2))
        {
            using var response = await client.Post($"/certificate-requests/{created.Id}/approvals", approval, CaJson.Default.ApprovalBody, "retry");
            Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        }

        await ca.Stop();
        await ca.Start();
        using (var client = ca.Officer(2))
        {
            using var response = await client.Post($"/certificate-requests/{created.Id}/approvals", approval, CaJson.Default.ApprovalBody, "retry");
            Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        }

        await Eventually.Holds(async () => (await State(ca, created)).State is "issued", "the issuance ends");
        Assert.Equal(1, await ca.Database.Owner.Sql(Signed).With(created.Id).Scalar<long>(default));
        const string events = "SELECT count(*) FROM audit_outbox WHERE convert_from(body, 'UTF8') LIKE '%practitioner-signature%' AND action = 'CERT.issue'";
        Assert.Equal(1, await ca.Database.Owner.Sql(events).Scalar<long>(default));
    }

    [Theory]
    [InlineData(CommitPoints.AfterReserve)]
    [InlineData(CommitPoints.AfterSign)]
    public async Task PostgreSQL_restarted_in_the_middle_loses_nothing(string point)
    {
        await using var ca = await CaFixture.Own(ownServer: true);
        var created = await Requested(ca);
        await ca.Approve(1, created);
        var points = (CommitPoints)ca.App.Services.GetService(typeof(CommitPoints))!;
        using var reached = new SemaphoreSlim(0);
        using var restarted = new SemaphoreSlim(0);
        points.Reached = name =>
        {
            if (string.Equals(name, point, StringComparison.Ordinal))
            {
                points.Reached = null;
                reached.Release();
                restarted.Wait();
            }
        };
        var approval = await ca.Officers[2].Approval(created.Approval);
        var approving = Approve();
        await reached.WaitAsync();
        await ca.Database.Server.Restart(default);
        restarted.Release();
        await approving;

        await Eventually.Holds(
            async () =>
            {
                using var officer = ca.Officer(0);
                using var answer = await officer.GetAsync(new Uri($"/certificate-requests/{created.Id}", UriKind.Relative));
                return answer.IsSuccessStatusCode && (await answer.Content.ReadFromJsonAsync(CaJson.Default.RequestState))!.State is "issued";
            },
            "the issuance ends");
        Assert.Equal(1, await ca.Database.Owner.Sql(Signed).With(created.Id).Scalar<long>(default));

        async Task Approve()
        {
            using var client = ca.Officer(2);
            using var response = await client.Post($"/certificate-requests/{created.Id}/approvals", approval, CaJson.Default.ApprovalBody);
        }
    }

    [Fact]
    public async Task Two_that_finish_the_same_reservation_release_one_certificate()
    {
        await using var ca = await CaFixture.Own();
        var created = await Requested(ca);
        await ca.Approve(1, created);
        ca.Faults.Removed = true;
        using (var client = ca.Officer(2))
        {
            using var response = await client.Post(
                $"/certificate-requests/{created.Id}/approvals", await ca.Officers[2].Approval(created.Approval), CaJson.Default.ApprovalBody);
        }

        ca.Faults.Removed = false;
        var store = (CertificateStore)ca.App.Services.GetService(typeof(CertificateStore))!;
        var issuers = (IssuerDirectory)ca.App.Services.GetService(typeof(IssuerDirectory))!;
        var keys = (CaKeys)ca.App.Services.GetService(typeof(CaKeys))!;
        var row = (await store.FindByRequest(created.Id, default))!;
        var issuer = (await issuers.Find(row.Issuer, default))!;
        var signer = await keys.SignerOf(issuer.KeyLabel, default);
        var one = await SignedStructure.Sign(row.Tbs, issuer.Suite, issuer.Certificate.SubjectPublicKeyInfo, signer, default);
        var two = await SignedStructure.Sign(row.Tbs, issuer.Suite, issuer.Certificate.SubjectPublicKeyInfo, signer, default);

        var released = await Task.WhenAll(store.Record(row, one, new("ca"), null), store.Record(row, two, new("ca"), null));

        Assert.NotEqual(one, two);
        Assert.Equal(released[0], released[1]);
    }

    [Fact]
    public async Task Without_the_ledger_nothing_is_issued_and_rights_can_still_be_taken()
    {
        await using var ca = await CaFixture.Own(receipts: false);
        var (person, _, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var created = await ca.Request(await Samples.Request("practitioner-signature", person, name, key));
        await ca.Approve(1, created);
        using var officer = ca.Officer(2);

        var refusal = string.Empty;
        await Eventually.Holds(
            async () =>
            {
                using var response = await officer.Post(
                    $"/certificate-requests/{created.Id}/approvals", await ca.Officers[2].Approval(created.Approval), CaJson.Default.ApprovalBody);
                refusal = response.StatusCode == HttpStatusCode.ServiceUnavailable ? await response.Problem() : string.Empty;
                return refusal.Length > 0;
            },
            "the relay has found the ledger away");
        using var suspended = await officer.Post($"/practitioners/{person}/state", new CA.Registry.StateRequest("suspended", "order"), CaJson.Default.StateRequest);

        Assert.Equal("ledger-away", refusal);
        Assert.Equal(0, await ca.Database.Owner.Sql(Signed).With(created.Id).Scalar<long>(default));
        Assert.True(suspended.IsSuccessStatusCode);
    }

    [Fact]
    public async Task A_holder_suspended_while_the_token_signs_gets_a_certificate_on_hold()
    {
        await using var ca = await CaFixture.Own();
        var (person, _, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var created = await ca.Request(await Samples.Request("practitioner-signature", person, name, key));
        await ca.Approve(1, created);
        using var gate = new ManualResetEventSlim();
        ca.Faults.SignGate = gate;
        var approving = ca.Approve(2, created);
        await Eventually.Holds(
            async () => (await ca.Database.Owner.Sql(Rows).With(created.Id).All(r => r.GetString(0), default)).Count == 1, "the row is reserved");
        using var client = ca.Officer(0);
        using var suspended = await client.Post($"/practitioners/{person}/state", new CA.Registry.StateRequest("suspended", "order"), CaJson.Default.StateRequest);
        gate.Set();
        await approving;

        Assert.Equal(["hold:true"], await ca.Database.Owner.Sql(Rows).With(created.Id).All(r => r.GetString(0), default));
    }

    [Fact]
    public async Task A_suspension_that_commits_while_the_record_waits_for_it_puts_the_certificate_on_hold()
    {
        await using var ca = await CaFixture.Own();
        var (person, _, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var created = await ca.Request(await Samples.Request("practitioner-signature", person, name, key));
        await ca.Approve(1, created);
        using var gate = new ManualResetEventSlim();
        ca.Faults.SignGate = gate;
        var approving = ca.Approve(2, created);
        await Eventually.Holds(
            async () => (await ca.Database.Owner.Sql(Rows).With(created.Id).All(r => r.GetString(0), default)).Count == 1, "the row is reserved");
        // A change of state that has its lock and its row, and is slow to commit.
        await using var connection = await ca.Database.Owner.OpenConnectionAsync();
        await using var suspending = await connection.BeginTransactionAsync();
        await suspending.Sql("SELECT 1 FROM practitioners WHERE urn = $1 FOR UPDATE").With(person).Execute(default);
        gate.Set();
        const string waiting = """
            SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE datname = current_database() AND locktype = 'tuple' AND relation = 'practitioners'::regclass
            """;
        await Eventually.Holds(async () => await ca.Database.Owner.Sql(waiting).Scalar<long>(default) > 0, "the record waits for the lock");
        await suspending.Sql("INSERT INTO practitioner_states (practitioner, state, effective_from, recorded_at, recorded_by, reason) VALUES ($1, 'suspended', $2, $2, 'o', 'order')")
            .With(person).With(DateTimeOffset.UtcNow).Execute(default);
        await suspending.CommitAsync();
        await approving;

        Assert.Equal(["hold:true"], await ca.Database.Owner.Sql(Rows).With(created.Id).All(r => r.GetString(0), default));
    }

    [Fact]
    public async Task Strangers_who_flood_OCSP_with_nonces_hold_up_no_issuance()
    {
        await using var ca = await CaFixture.Own();
        var created = await Requested(ca);
        using var gate = new ManualResetEventSlim();
        (ca.Faults.OnlyAnonymousAtGate, ca.Faults.SignGate) = (true, gate);
        var issuer = Certificate.ParsePem(await File.ReadAllTextAsync(Path.Combine(ca.Public, "practitioner-issuing.pem")))[0];
        var flood = Enumerable.Range(0, 20).Select(n => Ask(ca, issuer, (byte)n)).ToList();
        await Eventually.Holds(() => ca.Faults.Waiting == 1, "an OCSP answer hangs");

        await ca.Approve(1, created);
        await ca.Approve(2, created);
        var rows = await ca.Database.Owner.Sql(Rows).With(created.Id).All(r => r.GetString(0), default);
        var unanswered = flood.Count(f => !f.IsCompleted);
        gate.Set();
        var answers = await Task.WhenAll(flood);

        Assert.Equal(["good:true"], rows);
        Assert.Equal(20, unanswered);
        Assert.All(answers, a => Assert.True(a.Length > 100));
    }

    [Fact]
    public async Task Without_its_token_OCSP_says_try_later_in_its_own_words()
    {
        await using var ca = await CaFixture.Own();
        var issuer = Certificate.ParsePem(await File.ReadAllTextAsync(Path.Combine(ca.Public, "practitioner-issuing.pem")))[0];
        Assert.True((await Ask(ca, issuer, 1)).Length > 100);
        (ca.Faults.Removed, ca.Faults.FailSigns) = (true, 2);

        var away = await Ask(ca, issuer, 2);
        (ca.Faults.Removed, ca.Faults.FailSigns) = (false, 0);

        Assert.Equal(OcspResponse.Error(OcspError.TryLater), away);
        Assert.True((await Ask(ca, issuer, 3)).Length > 100);
    }

    private static async Task<byte[]> Ask(CaFixture ca, Certificate issuer, byte nonce)
    {
        using var client = ca.Anyone();
        using var content = new ByteArrayContent(new OcspRequest([CertificateId.Of(issuer, CertificateContent.NewSerialNumber())], new byte[] { nonce }).Encode());
        content.Headers.ContentType = new("application/ocsp-request");
        using var response = await client.PostAsync(new Uri("/ocsp", UriKind.Relative), content);
        return await response.Content.ReadAsByteArrayAsync();
    }

    private static async Task<CertificateRequestCreated> Requested(CaFixture ca)
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        return await ca.Request(await Samples.Request("practitioner-signature", person, name, key, institution));
    }

    private static async Task<RequestState> State(CaFixture ca, CertificateRequestCreated created)
    {
        using var client = ca.Officer(0);
        return (await client.GetFromJsonAsync(new Uri($"/certificate-requests/{created.Id}", UriKind.Relative), CaJson.Default.RequestState))!;
    }
}
