using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using Trust.CA.Certificates;
using Trust.CA.Enrolment;
using Trust.CA.Registry;
using Trust.CA.Tests.Claims;
using Trust.Crypto.Asn1;
using Trust.Crypto.Json;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.CA.Tests.Enrolment;

/// <summary>What the second officer sees, and how long the first one's word counts.</summary>
public sealed class TwoOfficersTests(CaFixture ca)
{
    [Fact]
    public async Task The_second_officer_sees_everything_that_the_approval_covers()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var body = await Samples.Request("practitioner-signature", person, name, key, institution);
        var created = await ca.Request(body);
        await ca.Approve(1, created);
        var content = (await Show(created.Id)).Content!;
        Assert.Equal(body, content.Request);
        Assert.Equal((name, "P256", Convert.ToHexStringLower(SHA256.HashData(key.Spki))), (content.Subject, content.Key, content.KeySha256));
        Assert.Equal(created.RequestSha256, Hash(JsonSerializer.SerializeToElement(content.Request, CaJson.Default.CertificateRequestBody)));
        Assert.Equal(created.RegistrySha256, Hash(content.Registry!.Value));
        Assert.Equal(name, content.Registry!.Value.GetProperty("name").GetString());
        Assert.Equal(created.Approval, content.Approval);
        Assert.Equal(content.RequestedAt.AddDays(7), content.ExpiresAt);
        Assert.True(Assert.Single(content.ApprovedBy).Counts);
        Assert.NotEqual(content.RequestedBy, content.ApprovedBy[0].Officer);
    }

    // The hash is over what is shown, however the request wrote its base64.
    [Fact]
    public async Task A_request_that_writes_its_base64_in_lines_is_shown_as_it_is_hashed()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var body = await Samples.Request("practitioner-signature", person, name, key, institution);
        var created = await ca.Request(body with { Pkcs10 = body.Pkcs10.Insert(64, "\n") });
        Assert.Equal(created.RequestSha256, Hash(JsonSerializer.SerializeToElement((await Show(created.Id)).Content!.Request, CaJson.Default.CertificateRequestBody)));
    }

    [Fact]
    public async Task Facts_that_changed_since_the_request_are_not_shown_as_those_that_were_signed()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var created = await ca.Request(await Samples.Request("practitioner-signature", person, name, key, institution));
        await ca.Changed(0, person, "suspended");
        Assert.Null((await Show(created.Id)).Content!.Registry);
    }

    [Fact]
    public async Task Requests_that_wait_are_listed_page_by_page()
    {
        await using var own = await CaFixture.Own();
        var (person, institution, name) = await own.NewPractitioner();
        List<Guid> made = [];
        for (var i = 0; i < 3; i++)
        {
            using var key = SoftwareKey.New(PublicKeyKind.P256);
            made.Add((await own.Request(await Samples.Request("practitioner-signature", person, name, key, institution))).Id);
        }

        using var client = own.Officer(1);
        List<Guid> listed = [];
        for (var next = "/certificate-requests?state=pending&limit=2"; next is not null;)
        {
            using var answer = await client.GetAsync(next);
            var page = (await answer.Content.ReadFromJsonAsync(CaJson.Default.IReadOnlyListRequestSummary))!;
            Assert.All(page, r => Assert.Equal((name, "pending"), (r.Subject, r.State)));
            listed.AddRange(page.Select(r => r.Id));
            next = answer.Headers.TryGetValues("Link", out var links) ? links.Single().Split('<', '>')[1] : null;
        }

        Assert.Equal(made, listed);
        using var wrong = await client.GetAsync("/certificate-requests?state=open");
        Assert.Equal("unknown-state", await wrong.Problem());
    }

    [Fact]
    public async Task A_request_lapses_after_a_week()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var created = await ca.Request(await Samples.Request("practitioner-signature", person, name, key, institution));
        await ca.Approve(1, created);
        await ca.Database.Owner.Sql("UPDATE certificate_requests SET requested_at = requested_at - interval '7 days' WHERE id = $1").With(created.Id).Execute(default);
        Assert.Equal(("refused", "request-expired"), await Stands(ca, created.Id));
        Assert.Equal("request-expired", await Approval(ca, 2, created));
        Assert.Equal(("refused", "request-expired"), await Stands(ca, created.Id));
    }

    [Theory]
    [InlineData("both")]
    [InlineData("login")]
    [InlineData("signature")]
    public async Task An_approval_counts_no_more_once_its_card_is_revoked(string lost)
    {
        await using var own = await CaFixture.Own();
        var (person, institution, name) = await own.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var created = await own.Request(await Samples.Request("practitioner-signature", person, name, key, institution));
        await own.Approve(1, created);
        var card = own.Officers[1];
        foreach (var certificate in lost switch { "both" => [card.Login, card.SignatureCertificate], "login" => [card.Login], _ => new[] { card.SignatureCertificate } })
        {
            using var revoked = await own.Change(0, Certificate.Parse(certificate.RawData).Sha256Hex, "revoke", "keyCompromise");
            Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);
        }

        Assert.Equal(("pending", 1), ((await own.Approve(2, created)) is var s ? (s.State, s.Approvals) : default));
    }

    [Fact]
    public async Task An_approval_counts_no_more_once_its_officer_has_left()
    {
        await using var own = await CaFixture.Own();
        var (person, institution, name) = await own.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var created = await own.Request(await Samples.Request("practitioner-signature", person, name, key, institution));
        await own.Approve(1, created);
        Assert.Equal(1, await own.Database.Owner.Sql("UPDATE officers SET active = false WHERE name = $1").With(own.Officers[1].Name).Execute(default));
        Assert.Equal("pending", (await own.Approve(2, created)).State);
    }

    [Fact]
    public async Task An_issuance_that_was_interrupted_is_not_taken_up_once_an_approval_counts_no_more()
    {
        await using var own = await CaFixture.Own();
        var (person, institution, name) = await own.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var created = await own.Request(await Samples.Request("practitioner-signature", person, name, key, institution));
        await own.Approve(1, created);
        var points = (CommitPoints)own.App.Services.GetService(typeof(CommitPoints))!;
        points.Reached = point =>
        {
            if (point == CommitPoints.AfterReserve)
            {
                points.Reached = null;
                own.Database.Owner.Sql("UPDATE officers SET active = false WHERE name = $1").With(own.Officers[1].Name).Execute(default).GetAwaiter().GetResult();
                throw new IOException("The process dies here.");
            }
        };
        using var client = own.Officer(2);
        using var answer = await client.Post($"/certificate-requests/{created.Id}/approvals", await own.Officers[2].Approval(created.Approval), CaJson.Default.ApprovalBody);
        await Eventually.Holds(async () => await Stands(own, created.Id) == ("refused", "approvals-lapsed"), "the request is ended");
    }

    // What was issued under an affiliation ends with it, also when the token was signing just then.
    [Fact]
    public async Task A_certificate_whose_affiliation_ends_while_the_token_signs_begins_revoked()
    {
        await using var own = await CaFixture.Own();
        var (person, institution, name) = await own.NewPractitioner();
        Assert.Equal("revoked", await While(own, person, institution, name, () => own.Database.Owner.Sql("UPDATE affiliations SET valid_to = now() WHERE practitioner = $1").With(person).Execute(default)));
    }

    [Fact]
    public async Task A_certificate_whose_institution_closes_while_the_token_signs_begins_revoked()
    {
        await using var own = await CaFixture.Own();
        var (person, institution, name) = await own.NewPractitioner();
        Assert.Equal("revoked", await While(own, person, institution, name, async () =>
        {
            using var officer = own.Officer(0);
            using var closed = await officer.Post($"/institutions/{institution}/state", new StateRequest("closed", "licence-ended"), CaJson.Default.StateRequest);
            Assert.Equal(HttpStatusCode.OK, closed.StatusCode);
        }));
    }

    [Theory]
    [InlineData("suspended", "hold")]
    [InlineData("blacklisted", "hold")]
    [InlineData("revoked", "revoked")]
    public async Task A_certificate_whose_holder_changes_while_the_token_signs_begins_as_the_holder_stands(string state, string expected)
    {
        await using var own = await CaFixture.Own();
        var (person, institution, name) = await own.NewPractitioner();
        Assert.Equal(expected, await While(own, person, institution, name, () => own.Changed(0, person, state)));
    }

    private static async Task<string> While(CaFixture own, string person, string institution, string name, Func<Task> change)
    {
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var created = await own.Request(await Samples.Request("practitioner-signature", person, name, key, institution));
        await own.Approve(1, created);
        var points = (CommitPoints)own.App.Services.GetService(typeof(CommitPoints))!;
        points.Reached = point =>
        {
            if (point == CommitPoints.AfterSign)
            {
                points.Reached = null;
                change().GetAwaiter().GetResult();
            }
        };
        return await own.StateOf((await own.Approve(2, created)).Sha256!);
    }

    private async Task<RequestState> Show(Guid id)
    {
        using var client = ca.Officer(2);
        return (await client.GetFromJsonAsync(new Uri($"/certificate-requests/{id}", UriKind.Relative), CaJson.Default.RequestState))!;
    }

    private static async Task<(string State, string? Refusal)> Stands(CaFixture ca, Guid id)
    {
        using var client = ca.Officer(0);
        var state = (await client.GetFromJsonAsync(new Uri($"/certificate-requests/{id}", UriKind.Relative), CaJson.Default.RequestState))!;
        return (state.State, state.Refusal);
    }

    private static async Task<string> Approval(CaFixture ca, int officer, CertificateRequestCreated created)
    {
        using var client = ca.Officer(officer);
        using var answer = await client.Post($"/certificate-requests/{created.Id}/approvals", await ca.Officers[officer].Approval(created.Approval), CaJson.Default.ApprovalBody);
        return await answer.Problem();
    }

    private static string Hash(JsonElement element) => Convert.ToHexStringLower(SHA256.HashData(CanonicalJson.Encode(element)));
}
