using System.Net;
using Trust.CA.Registry;
using Trust.CA.Tests.Claims;
using Trust.LogFormat;

namespace Trust.CA.Tests.Registry;

/// <summary>Text of officers is judged before anything changes: no fact without its event, and no event that its text shapes.</summary>
public sealed class OfficerTextTests(CaFixture ca)
{
    [Theory]
    [InlineData("")]
    [InlineData("《医师法》\"第十六条\"")]
    [InlineData("x\",\"class\":\"RESTRICTED")]
    [InlineData("order\u009b2K")]
    [InlineData("依据某省卫生健康委员会关于暂停执业活动的行政处罚决定书及其附件所列事实与法律条款依据某省卫生健康委员会关于暂停执业活动的行政处罚决定书及其附件所列事实与法律条款之规定作出本决定")]
    public async Task A_suspension_whose_basis_no_event_can_carry_is_refused_before_anything_changes(string basis)
    {
        var (person, institution, _) = await ca.NewPractitioner();
        using var client = ca.Officer(0);
        using var refused = await client.Post($"/practitioners/{person}/state", new StateRequest("suspended", "complaint", basis), CaJson.Default.StateRequest);
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Equal("permit", (await ca.Entitlement($"person={person}&institution={institution}&act=prescribe")).GetProperty("decision").GetString());
        Assert.Empty(await ca.Events("ID.suspend", SubjectKey.Practitioner(person)));
    }

    [Fact]
    public async Task A_closing_whose_basis_no_event_can_carry_is_refused_before_anything_changes()
    {
        var (person, institution, _) = await ca.NewPractitioner();
        using var client = ca.Officer(0);
        using var refused = await client.Post($"/institutions/{institution}/state", new StateRequest("closed", "licence-ended", "a\"b"), CaJson.Default.StateRequest);
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Equal("permit", (await ca.Entitlement($"person={person}&institution={institution}&act=prescribe")).GetProperty("decision").GetString());
        Assert.Empty(await ca.Events("ID.suspend", SubjectKey.Institution(institution)));
    }

    [Fact]
    public async Task A_hold_whose_reason_no_event_can_carry_is_the_callers_mistake_and_not_an_outage()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        var sha = await ca.Certified(person, institution, name);
        using var held = await ca.Change(0, sha, "hold", "lost \"key\"");
        Assert.Equal(HttpStatusCode.BadRequest, held.StatusCode);
        Assert.Equal("good", await ca.StateOf(sha));
    }
}
