using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.CA.Registry;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.CA.Tests.Claims;

/// <summary>Who may give rights, on whose word, for how long.</summary>
public sealed class RightsClaims(CaFixture ca)
{
    // Who approves should see holder, profile, key, carrier and identity proof; today the request shows a state and a count, and there is no list of requests.
    [Fact]
    public async Task F6_The_second_officer_sees_a_state_and_a_count_of_what_she_approves()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var created = await ca.Request(await Samples.Request("practitioner-signature", person, name, key, institution));
        using var client = ca.Officer(1);
        var shown = JsonNode.Parse(await client.GetStringAsync($"/certificate-requests/{created.Id}"))!.AsObject();
        Assert.Equal(["approvals", "certificates", "refusal", "sha256", "state"], shown.Select(m => m.Key).Order(StringComparer.Ordinal));
        using var list = await client.GetAsync("/certificate-requests?state=pending");
        Assert.False(list.IsSuccessStatusCode);
    }

    // A request should lapse (a week) with its identity proof; today one of two years ago is approved and issued.
    [Fact]
    public async Task F7_A_request_of_two_years_ago_is_still_approved_and_issued()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var created = await ca.Request(await Samples.Request("practitioner-signature", person, name, key, institution));
        Assert.Equal(1, await ca.Database.Owner.Sql("UPDATE certificate_requests SET requested_at = requested_at - interval '2 years' WHERE id = $1").With(created.Id).Execute(default));
        await ca.Approve(1, created);
        Assert.Equal("issued", (await ca.Approve(2, created)).State);
    }

    // An approval should count only while its officer is one and the card is good; today it is counted whatever became of them.
    [Fact]
    public async Task F7_The_approval_of_an_officer_who_left_still_counts()
    {
        await using var own = await CaFixture.Own();
        var (person, institution, name) = await own.NewPractitioner();
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var created = await own.Request(await Samples.Request("practitioner-signature", person, name, key, institution));
        await own.Approve(1, created);
        foreach (var certificate in new[] { own.Officers[1].Login, own.Officers[1].SignatureCertificate })
        {
            using var revoked = await own.Change(0, Certificate.Parse(certificate.RawData).Sha256Hex, "revoke", "keyCompromise");
            Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);
        }

        Assert.Equal("issued", (await own.Approve(2, created)).State);
    }

    // A wish should name the state it ends and lapse when that changes; today Monday's wish to end a suspension lifts Tuesday's blacklisting.
    [Fact]
    public async Task F8_A_reinstatement_asked_for_a_suspension_lifts_a_later_blacklisting()
    {
        var (person, institution, _) = await ca.NewPractitioner();
        await ca.Changed(0, person, "suspended");
        var wish = await ca.Changed(0, person, "active");
        await ca.Changed(2, person, "blacklisted");
        Assert.Equal("active", await ca.Confirm(1, person, wish.Confirmation!.Value));
        Assert.Equal("permitted", await Reason(person, institution));
    }

    // Leaving the blacklist takes two officers; today one makes a suspension of it.
    [Fact]
    public async Task F8_One_officer_turns_a_blacklisting_into_a_suspension()
    {
        var (person, institution, _) = await ca.NewPractitioner();
        await ca.Changed(0, person, "blacklisted");
        await ca.Changed(0, person, "suspended");
        Assert.Equal("suspended", await Reason(person, institution));
    }

    // The ledger should show that two acted; today the wish has no event and the reinstatement's names the confirming officer alone.
    [Fact]
    public async Task F8_The_event_of_a_reinstatement_names_one_of_the_two_officers()
    {
        var (person, _, _) = await ca.NewPractitioner();
        await ca.Changed(0, person, "suspended");
        var wish = await ca.Changed(0, person, "active");
        Assert.Empty(await ca.Events("ID.state", SubjectKey.Practitioner(person)));
        Assert.Equal("active", await ca.Confirm(1, person, wish.Confirmation!.Value));
        var body = Assert.Single(await ca.Events("ID.state", SubjectKey.Practitioner(person)));
        Assert.False(body.TryGetProperty("onBehalfOf", out _));
    }

    // A resume should ask for the holder's state; today a certificate that an officer held before is good again under a suspended holder.
    [Fact]
    public async Task F9_Two_officers_make_the_certificate_of_a_suspended_holder_good()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        using var held = await ca.Change(0, sha, "hold", "lost");
        await ca.Changed(0, person, "suspended");
        using var first = await ca.Change(0, sha, "resume", "found");
        using var second = await ca.Change(1, sha, "resume", "found");
        Assert.Equal(HttpStatusCode.OK, second.StatusCode);
        Assert.Equal("good", await ca.StateOf(sha));
        Assert.Equal("suspended", await Reason(person, institution));
    }

    // A hospital that opens again is a new registration; today its credit code finds the closed one, for ever.
    [Fact]
    public async Task F30_A_closed_institution_cannot_be_registered_anew()
    {
        var row = Samples.Institution();
        var urn = (await ca.Import(new ImportRequest([row]))).Single().Urn!;
        using var client = ca.Officer(0);
        using var closed = await client.Post($"/institutions/{urn}/state", new StateRequest("closed", "licence-ended"), CaJson.Default.StateRequest);
        Assert.Equal(HttpStatusCode.OK, closed.StatusCode);
        var again = (await ca.Import(new ImportRequest([row]))).Single();
        Assert.Equal(("unchanged", urn), (again.Result, again.Urn));
        Assert.Equal("institution-closed", (await ca.Entitlement($"institution={urn}&act=seal")).GetProperty("reason").GetString());
    }

    // "Only a new registration follows", says the refusal; today none can: the identity finds the ended licence.
    [Fact]
    public async Task F30_A_deregistered_practitioner_cannot_be_registered_anew()
    {
        var row = Samples.Practitioner();
        var urn = (await ca.Import(new ImportRequest(Practitioners: [row]))).Single().Urn!;
        await ca.Changed(0, urn, "deregistered");
        var again = (await ca.Import(new ImportRequest(Practitioners: [row with { LicenceNumber = Samples.Practitioner().LicenceNumber }]))).Single();
        Assert.Equal(("updated", urn), (again.Result, again.Urn));
        Assert.Equal("deregistered", (await ca.Entitlement($"person={urn}&act=login")).GetProperty("reason").GetString());
    }

    private async Task<string?> Reason(string? person, string? institution) =>
        (await ca.Entitlement($"person={person}&institution={institution}&act=prescribe")).GetProperty("reason").GetString();
}
