using System.Net;
using Trust.CA.Registry;
using Trust.CA.Tests.Claims;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Tests.Certificates;

/// <summary>A certificate is taken off hold by two officers, when nothing else demands the hold.</summary>
public sealed class ResumptionTests(CaFixture ca)
{
    [Theory]
    [InlineData("suspended")]
    [InlineData("blacklisted")]
    public async Task A_certificate_that_an_officer_held_stays_held_under_a_holder_who_is(string state)
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        using var held = await ca.Change(0, sha, "hold", "lost");
        await ca.Changed(0, person, state);
        Assert.Equal("held-by-registry", await Refusal(0, sha));
        Assert.Equal("hold", await ca.StateOf(sha));
    }

    [Fact]
    public async Task A_wish_of_before_the_suspension_does_not_end_the_hold()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        using var held = await ca.Change(0, sha, "hold", "lost");
        using var wish = await ca.Change(0, sha, "resume", "found");
        await ca.Changed(0, person, "suspended");
        Assert.Equal("held-by-registry", await Refusal(1, sha));
    }

    // The other order: the registry held it first, then an officer did too.
    [Fact]
    public async Task A_reinstatement_leaves_what_an_officer_held_meanwhile()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        await ca.Changed(0, person, "suspended");
        using var held = await ca.Change(2, sha, "hold", "lost");
        Assert.Equal(HttpStatusCode.OK, held.StatusCode);
        Assert.Single(await ca.Events("CERT.hold", SubjectKey.Certificate(sha)));
        var wish = await ca.Changed(0, person, "active");
        Assert.Equal("active", await ca.Confirm(1, person, wish.Confirmation!.Value));
        Assert.Equal("hold", await ca.StateOf(sha));
        using var first = await ca.Change(0, sha, "resume", "found");
        using var second = await ca.Change(1, sha, "resume", "found");
        Assert.Equal("good", await ca.StateOf(sha));
        var resumed = Assert.Single(await ca.Events("CERT.resume", SubjectKey.Certificate(sha)));
        Assert.Equal(
            Assert.Single(await ca.Events("CERT.approve", SubjectKey.Certificate(sha)), e => e.GetProperty("reason").GetString() is "found").GetProperty("actor").GetProperty("subject").GetString(),
            resumed.GetProperty("onBehalfOf").GetString());
    }

    [Theory]
    [InlineData("UPDATE certificate_resumptions SET wished_at = wished_at - interval '7 days' WHERE sha256 = $1")]
    [InlineData("UPDATE certificate_resumptions SET state_id = state_id - 1 WHERE sha256 = $1")]
    [InlineData("UPDATE certificate_resumptions SET login_sha256 = 'revoked' WHERE sha256 = $1")]
    public async Task A_wish_that_lapsed_gives_way_to_the_next(string lapses)
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        using var held = await ca.Change(0, sha, "hold", "lost");
        using var first = await ca.Change(0, sha, "resume", "found");
#pragma warning disable CA1857 // The theory's rows are constants.
        Assert.Equal(1, await ca.Database.Owner.Sql(lapses).With(sha).Execute(default));
#pragma warning restore CA1857
        using var second = await ca.Change(1, sha, "resume", "found");
        Assert.Equal("hold", await ca.StateOf(sha));
        using var third = await ca.Change(2, sha, "resume", "found");
        Assert.Equal("good", await ca.StateOf(sha));
    }

    [Fact]
    public async Task A_key_cannot_be_lost_in_the_future()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        using var client = ca.Officer(0);
        using var answer = await client.Post(
            $"/certificates/{sha}/revoke", new Trust.CA.Certificates.CertificateStateRequest("keyCompromise", DateTimeOffset.UtcNow.AddDays(1)), CaJson.Default.CertificateStateRequest);
        Assert.Equal("invalidity-date", await answer.Problem());
        Assert.Equal("good", await ca.StateOf(sha));
    }

    private async Task<string> Refusal(int officer, string sha)
    {
        using var answer = await ca.Change(officer, sha, "resume", "found");
        return await answer.Problem();
    }
}
