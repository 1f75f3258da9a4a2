using System.Net;
using Trust.CA.Registry;
using Trust.Kernel.Audit;

namespace Trust.CA.Tests.Claims;

/// <summary>Facts without events, and events that an officer can forge.</summary>
public sealed class EventClaims(CaFixture ca)
{
    // Should be refused (400) before anything changes: an act whose event cannot be written must not be committed.
    [Theory]
    [InlineData("")]
    [InlineData("《医师法》\"第十六条\"")]
    [InlineData("依据某省卫生健康委员会关于暂停执业活动的行政处罚决定书及其附件所列事实与法律条款依据某省卫生健康委员会关于暂停执业活动的行政处罚决定书及其附件所列事实与法律条款之规定作出本决定")]
    public async Task F2_A_suspension_whose_basis_is_no_event_text_is_committed_without_an_event(string basis)
    {
        var (person, institution, _) = await ca.NewPractitioner();
        await ca.Changed(0, person, "suspended", basis);
        Assert.Equal("suspended", (await ca.Entitlement($"person={person}&institution={institution}&act=prescribe")).GetProperty("reason").GetString());
        Assert.Empty(await ca.Events("ID.suspend", SubjectKey.Practitioner(person)));
    }

    // The closing should be refused (400) or recorded; today it is final and the ledger never hears of it.
    [Fact]
    public async Task F2_A_closing_whose_basis_is_no_event_text_is_committed_without_an_event()
    {
        var (_, institution, _) = await ca.NewPractitioner();
        using var client = ca.Officer(0);
        using var closed = await client.Post($"/institutions/{institution}/state", new StateRequest("closed", "licence-ended", "a\"b"), CaJson.Default.StateRequest);
        Assert.Equal(HttpStatusCode.OK, closed.StatusCode);
        Assert.Empty(await ca.Events("ID.suspend", SubjectKey.Institution(institution)));
    }

    // A text that no event can hold is the caller's error (400); today it is told as an outage of the ledger, for ever.
    [Fact]
    public async Task F2_A_hold_whose_reason_is_no_event_text_is_answered_as_if_the_ledger_were_away()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        using var held = await ca.Change(0, sha, "hold", "lost \"key\"");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, held.StatusCode);
        Assert.Contains("ledger is away", await held.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal("good", await ca.StateOf(sha));
    }

    // What an officer writes is text; today it can add members to the event that nobody else put there.
    [Fact]
    public async Task F3_A_basis_writes_a_member_of_the_event_beside_itself()
    {
        var (person, _, _) = await ca.NewPractitioner();
        await ca.Changed(0, person, "suspended", "x\",\"class\":\"RESTRICTED");
        var body = Assert.Single(await ca.Events("ID.suspend", SubjectKey.Practitioner(person)));
        Assert.Equal("x", body.GetProperty("basis").GetString());
        Assert.Equal("RESTRICTED", body.GetProperty("class").GetString());
    }

    // U+0080 to U+009F are control characters too: the ledger's rule takes them, so the second verifier refuses every evidence file on this person for good.
    [Fact]
    public async Task V7_A_basis_with_a_C1_control_character_becomes_part_of_an_event()
    {
        var (person, _, _) = await ca.NewPractitioner();
        await ca.Changed(0, person, "suspended", "order\u009b2K");
        var body = Assert.Single(await ca.Events("ID.suspend", SubjectKey.Practitioner(person)));
        Assert.Equal("order\u009b2K", body.GetProperty("basis").GetString());
    }
}
