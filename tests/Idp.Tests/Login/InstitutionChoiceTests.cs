using Trust.Idp.Authorize;
using Trust.Idp.Clients;
using Trust.Idp.Login;
using Trust.Idp.Sessions;

namespace Trust.Idp.Tests.Login;

/// <summary>In whose name a person acts: asked when there is a choice, remembered, confined to what the client may.</summary>
public sealed class InstitutionChoiceTests
{
    private const string Hospital = "urn:mdid:o:01J9ZZZZZZZZZZZZZZZZZZZZH1";
    private const string Clinic = "urn:mdid:o:01J9ZZZZZZZZZZZZZZZZZZZZC1";

    [Fact]
    public void With_two_institutions_nothing_is_chosen_for_the_person() =>
        Assert.Equal(2, Assert.IsType<InstitutionChoice.Open>(For(null, Of([Hospital, Clinic]))).Among.Count);

    [Fact]
    public void What_was_chosen_in_the_session_is_remembered_unless_the_client_asks_anew()
    {
        var session = Of([Hospital, Clinic]) with { Institution = Clinic };
        Assert.Equal(Clinic, Assert.IsType<InstitutionChoice.Made>(For(null, session)).Affiliation.Institution);
        Assert.IsType<InstitutionChoice.Open>(For(null, session, "select_account"));
        Assert.IsType<InstitutionChoice.Open>(For(null, session, "consent"));
    }

    [Fact]
    public void A_remembered_institution_that_the_person_left_is_not_taken() =>
        Assert.IsType<InstitutionChoice.Made>(For(null, Of([Hospital]) with { Institution = Clinic }));

    [Fact]
    public void A_client_of_an_institution_is_confined_to_it()
    {
        Assert.Equal(Hospital, Assert.IsType<InstitutionChoice.Made>(For(Hospital, Of([Hospital, Clinic]) with { Institution = Clinic })).Affiliation.Institution);
        Assert.Contains("not registered at the institution", Assert.IsType<InstitutionChoice.None>(For(Hospital, Of([Clinic]))).Why, StringComparison.Ordinal);
    }

    [Fact]
    public void A_client_may_ask_for_one_and_gets_no_other()
    {
        Assert.Equal(Clinic, Assert.IsType<InstitutionChoice.Made>(For(null, Of([Hospital, Clinic]), asked: Clinic)).Affiliation.Institution);
        Assert.IsType<InstitutionChoice.None>(For(null, Of([Hospital]), asked: Clinic));
        Assert.IsType<InstitutionChoice.None>(For(Hospital, Of([Hospital, Clinic]), asked: Clinic));
    }

    [Fact]
    public void Who_acts_for_nobody_is_told_so() => Assert.IsType<InstitutionChoice.None>(For(null, Of([])));

    private static InstitutionChoice For(string? confined, Session session, string prompt = "", string? asked = null) => InstitutionChoice.For(
        new AuthorizationRequest([], "c", "https://rp.example/cb", "openid", null, null, null, "r", prompt, null, null, DateTimeOffset.UnixEpoch) { AskedInstitution = asked },
        new Client("c", "c", "c", false, "standard", ["https://rp.example/cb"], [], ["authorization_code"], ["openid"], ["r"], null, null, confined, "510000"), session);

    private static Session Of(string[] institutions) => new(
        Guid.Empty, "urn:mdid:p:x", "c", new CardHolder("urn:mdid:p:x", "张", "authentication", "good", [.. institutions.Select(i => new CardAffiliation(i, i, "main", "physician", true))]),
        DateTimeOffset.UnixEpoch);
}
