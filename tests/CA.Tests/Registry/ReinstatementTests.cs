using System.Net;
using System.Text.Json;
using Trust.CA.Registry;
using Trust.CA.Tests.Claims;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.TestKit;

namespace Trust.CA.Tests.Registry;

/// <summary>Rights are given back by two, from the very state that the first saw, while nothing else withholds them.</summary>
public sealed class ReinstatementTests(CaFixture ca)
{
    [Theory]
    [InlineData("blacklisted", "GZ-2026-2")]
    [InlineData("suspended", "GZ-2026-2")]
    public async Task A_wish_to_end_one_state_ends_no_later_one(string later, string basis)
    {
        var (person, institution, _) = await ca.NewPractitioner();
        await ca.Changed(0, person, "suspended");
        var wish = await ca.Changed(0, person, "active");
        await ca.Changed(2, person, later, basis);
        Assert.Equal("reinstatement-superseded", await ca.Confirm(1, person, wish.Confirmation!.Value));
        Assert.Equal(later, await Reason(person, institution));
        var event_ = Assert.Single(await ca.Events("ID.state", SubjectKey.Practitioner(person)), e => e.GetProperty("outcome").GetString() is "refused");
        Assert.Equal("reinstatement-superseded", event_.GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_suspension_sent_twice_is_one()
    {
        var (person, _, _) = await ca.NewPractitioner();
        await ca.Changed(0, person, "suspended");
        var wish = await ca.Changed(0, person, "active");
        await ca.Changed(0, person, "suspended");
        Assert.Equal("active", await ca.Confirm(1, person, wish.Confirmation!.Value));
    }

    [Fact]
    public async Task A_suspension_of_the_blacklisted_leaves_the_blacklisting_and_shows_when_that_is_lifted()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        await ca.Changed(0, person, "blacklisted");
        Assert.Equal("blacklisted", (await ca.Changed(0, person, "suspended")).State);
        Assert.Equal("blacklisted", await Reason(person, institution));
        Assert.Equal("suspended", await Lifted(person));
        Assert.Equal(("suspended", "hold"), (await Reason(person, institution), await ca.StateOf(sha)));
        Assert.Equal("active", await Lifted(person));
        Assert.Equal(("permitted", "good"), (await Reason(person, institution), await ca.StateOf(sha)));
    }

    [Fact]
    public async Task A_suspension_before_the_blacklisting_shows_when_that_is_lifted()
    {
        var (person, institution, _) = await ca.NewPractitioner();
        await ca.Changed(0, person, "suspended");
        await ca.Changed(0, person, "blacklisted");
        Assert.Equal("suspended", await Lifted(person));
        Assert.Equal("suspended", await Reason(person, institution));
    }

    [Fact]
    public async Task The_events_of_a_reinstatement_name_both_officers_their_reasons_and_each_other()
    {
        var (person, _, _) = await ca.NewPractitioner();
        await ca.Changed(0, person, "suspended");
        var wish = await ca.Changed(0, person, "active", "GZ-2026-9");
        Assert.Equal("active", await ca.Confirm(1, person, wish.Confirmation!.Value));
        var events = await ca.Events("ID.state", SubjectKey.Practitioner(person));
        Assert.Equal(2, events.Count);
        Assert.Equal(["asked: order", "active: order"], events.Select(e => e.GetProperty("reason").GetString()));
        Assert.All(events, e => Assert.Equal(("GZ-2026-9", wish.Confirmation.ToString()), (e.GetProperty("basis").GetString(), e.GetProperty("correlation").GetString())));
        var asked = events[0].GetProperty("actor").GetProperty("subject").GetString();
        Assert.Equal(asked, events[1].GetProperty("onBehalfOf").GetString());
        Assert.NotEqual(asked, events[1].GetProperty("actor").GetProperty("subject").GetString());
        Assert.Equal("suspended: order", Assert.Single(await ca.Events("ID.suspend", SubjectKey.Practitioner(person))).GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_wish_lapses_after_a_week()
    {
        var (person, _, _) = await ca.NewPractitioner();
        await ca.Changed(0, person, "suspended");
        var wish = await ca.Changed(0, person, "active");
        await ca.Database.Owner.Sql("UPDATE reinstatements SET wished_at = wished_at - interval '7 days' WHERE id = $1").With(wish.Confirmation!.Value).Execute(default);
        Assert.Equal("reinstatement-expired", await ca.Confirm(1, person, wish.Confirmation!.Value));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_wish_counts_no_more_once_its_officer_or_the_card_is_gone(bool card)
    {
        await using var own = await CaFixture.Own();
        var (person, _, _) = await own.NewPractitioner();
        await own.Changed(0, person, "suspended");
        var wish = await own.Changed(0, person, "active");
        if (card)
        {
            using var revoked = await own.Change(1, Certificate.Parse(own.Officers[0].Login.RawData).Sha256Hex, "revoke", "keyCompromise");
            Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);
        }
        else
        {
            await own.Database.Owner.Sql("UPDATE officers SET active = false WHERE name = $1").With(own.Officers[0].Name).Execute(default);
        }

        Assert.Equal("asking-officer-gone", await own.Confirm(1, person, wish.Confirmation!.Value));
    }

    [Fact]
    public async Task A_right_that_begins_later_does_not_end_what_is_taken_away_before()
    {
        var (person, institution, _) = await ca.NewPractitioner();
        await ca.Database.Owner.Sql("INSERT INTO practitioner_states (practitioner, state, effective_from, recorded_at, recorded_by, reason) VALUES ($1, 'active', now() + interval '1 second', now(), 'x', 'x')")
            .With(person).Execute(default);
        await ca.Changed(0, person, "suspended");
        const string begun = "SELECT max(effective_from) < now() FROM practitioner_states WHERE practitioner = $1";
        await Eventually.Holds(() => ca.Database.Owner.Sql(begun).With(person).Scalar<bool>(default), "the right's day has come");
        Assert.Equal("suspended", await Reason(person, institution));
    }

    [Fact]
    public async Task Every_certificate_that_changes_with_a_standing_is_named_by_an_event()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        const string copies = """
            INSERT INTO certificates (issuer, serial, state, sha256, profile, profile_sha256, holder, institution, spki_sha256, tbs, der, not_before, not_after, reserved_at, issued_at, region)
            SELECT issuer, sha256(serial || int4send(n)), 'good', encode(sha256(serial || int4send(n)), 'hex'), profile, profile_sha256, holder, institution, spki_sha256, tbs, der, not_before, not_after, reserved_at, issued_at, region
            FROM certificates, generate_series(1, 130) n WHERE certificates.sha256 = $1
            """;
        await ca.Database.Owner.Sql(copies).With(sha).Execute(default);
        Assert.Equal(131, (await ca.Changed(0, person, "suspended")).Certificates);
        var shas = await ca.Database.Owner.Sql("SELECT sha256 FROM certificates WHERE holder = $1").With(person).All(r => r.GetString(0), default);
        var named = (await ca.Events("ID.suspend", SubjectKey.Practitioner(person))).SelectMany(e => e.GetProperty("subjects").EnumerateArray()).Select(s => s.GetProperty("key").GetString()).ToHashSet(StringComparer.Ordinal);
        Assert.All(shas, s => Assert.Contains(System.Buffers.Text.Base64Url.EncodeToString(SubjectKey.Certificate(s).Key), named));
    }

    private async Task<string> Lifted(string person)
    {
        var wish = await ca.Changed(0, person, "active");
        return await ca.Confirm(1, person, wish.Confirmation!.Value);
    }

    private async Task<string> Reason(string person, string institution) =>
        (await ca.Entitlement($"person={person}&institution={institution}&act=prescribe")).GetProperty("reason").GetString()!;
}
