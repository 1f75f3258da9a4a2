using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Trust.CA.Entitlements;
using Trust.CA.Registry;
using Trust.CA.Tests.Claims;
using Trust.Crypto.Jose;
using Trust.Kernel.LiveStatus;
using Trust.LogFormat;

namespace Trust.CA.Tests.Entitlements;

/// <summary>Regulators and practitioners ask the registry by access tokens.</summary>
public sealed class OutsideReaderTests(CaFixture ca)
{
    [Fact]
    public async Task A_regulator_learns_what_someone_of_the_region_was_entitled_to_and_each_question_is_an_event()
    {
        var (person, institution, _) = await ca.NewPractitioner();
        var before = Instant(DateTimeOffset.UtcNow);
        await ca.Changed(0, person, "suspended");
        using var regulator = ca.Regulator();

        Assert.Equal("suspended", await Reason(regulator, $"person={person}&institution={institution}&act=prescribe"));
        Assert.Equal("permitted", await Reason(regulator, $"person={person}&institution={institution}&act=prescribe&at={before}"));
        Assert.Equal("permitted", await Reason(regulator, $"person={person}&institution={institution}&act=prescribe&at={before}&known={before}"));
        Assert.Equal("permitted", await Reason(regulator, $"institution={institution}&act=system"));

        var asked = (await ca.Events("REG.query", SubjectKey.Practitioner(person))).ToList();
        Assert.Equal(3, asked.Count);
        Assert.All(asked, e =>
        {
            Assert.Equal(("regulator-510000", "regulator"), (e.GetProperty("actor").GetProperty("subject").GetString(), e.GetProperty("actor").GetProperty("role").GetString()));
            Assert.Equal(("entitlement-prescribe", "SUPERVISION", "success"), (Text(e, "reason"), Text(e, "purpose"), Text(e, "outcome")));
        });
    }

    [Theory]
    [InlineData("510100", true)]
    [InlineData("510000", true)]
    [InlineData("000000", true)]
    [InlineData("510700", false)]
    [InlineData("500000", false)]
    public async Task A_regulator_is_answered_about_the_own_region_and_what_lies_in_it(string region, bool answered)
    {
        // At an institution in 510100; registered in 510000.
        var (person, institution, _) = await ca.NewPractitioner();
        using var regulator = ca.Regulator(region);
        Assert.Equal(answered ? "permitted" : "outside-your-region", await Reason(regulator, $"person={person}&institution={institution}&act=prescribe"));
        Assert.Equal(answered ? "permitted" : "outside-your-region", await Reason(regulator, $"institution={institution}&act=seal"));
        if (!answered)
        {
            var refused = (await ca.Events("REG.query", SubjectKey.Practitioner(person))).Single();
            Assert.Equal(("refused", "outside-your-region"), (Text(refused, "outcome"), Text(refused, "reason")));
        }
    }

    [Fact]
    public async Task Nothing_is_told_of_someone_of_another_region_who_does_not_work_in_the_own_one()
    {
        var (person, institution, _) = await ca.NewPractitioner();
        var (_, other, _) = await ca.NewPractitioner();
        using var city = ca.Regulator("510100");
        // Registered in the province, working in the city.
        Assert.Equal("permitted", await Reason(city, $"person={person}&institution={institution}&act=login"));
        Assert.Equal("outside-your-region", await Reason(city, $"person={person}&institution={other}&act=login"));
        Assert.Equal("outside-your-region", await Reason(city, $"person={person}&act=login"));
        Assert.Equal("outside-your-region", await Reason(city, $"person={Kernel.Identifiers.PersonId.New(DateTimeOffset.UtcNow)}&act=login"));
    }

    [Fact]
    public async Task A_practitioner_asks_about_herself_alone()
    {
        var (person, institution, _) = await ca.NewPractitioner();
        var (other, elsewhere, _) = await ca.NewPractitioner();
        using var self = ca.Bearer(ca.Issuer.OfPerson(person, "his", "openid registry.read", ca.Main.ToString(), "physician", institution, "510100"));

        Assert.Equal("permitted", await Reason(self, $"person={person}&institution={institution}&act=prescribe"));
        Assert.Equal("not-your-record", await Reason(self, $"person={other}&institution={elsewhere}&act=prescribe"));
        Assert.Equal("not-your-record", await Reason(self, $"institution={institution}&act=seal"));
        using var search = await self.Post("/practitioners/searches", new PractitionerSearch(Name: "陈医生"), CaJson.Default.PractitionerSearch);
        Assert.Equal((HttpStatusCode.Forbidden, "not-your-record"), (search.StatusCode, await search.Problem()));
    }

    [Fact]
    public async Task Without_the_scope_a_token_or_the_right_audience_nothing_is_answered()
    {
        const string path = "/entitlements?act=system&institution=urn:mdid:o:01J9ZZZZZZZZZZZZZZZZZZZZH1";
        using var without = ca.Regulator(scope: "audit.read");
        using var scope = await without.GetAsync(path);
        Assert.Equal("insufficient-scope", await scope.Problem());
        using var elsewhere = ca.Bearer(ca.Issuer.OfSystem("regulator", "registry.read", "https://ledger.example", "regulator", null, "510000"));
        using var audience = await elsewhere.GetAsync(path);
        Assert.Equal("invalid-token", await audience.Problem());
        using var hospital = ca.Bearer(ca.Issuer.OfSystem("his", "registry.read", ca.Main.ToString(), "hospital-system", "urn:mdid:o:01J9ZZZZZZZZZZZZZZZZZZZZH1", "510000"));
        using var system = await hospital.GetAsync(path);
        Assert.Equal("not-your-record", await system.Problem());
    }

    [Fact]
    public async Task A_regulator_finds_people_of_the_own_region_and_no_others()
    {
        var (person, _, name) = await ca.NewPractitioner();
        foreach (var (region, found) in new[] { ("510000", true), ("510100", true), ("500000", false) })
        {
            using var regulator = ca.Regulator(region);
            using var answer = await regulator.Post("/practitioners/searches", new PractitionerSearch(Name: name), CaJson.Default.PractitionerSearch);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            var people = (await answer.Content.ReadFromJsonAsync(CaJson.Default.IReadOnlyListFoundPractitioner))!;
            Assert.Equal(found ? [person] : [], people.Select(p => p.Urn));
        }

        var asked = (await ca.Events("REG.query", SubjectKey.Practitioner(person))).ToList();
        Assert.Equal(["regulator-510000", "regulator-510100"], asked.Select(e => e.GetProperty("actor").GetProperty("subject").GetString()));
    }

    // The reason of a signed answer, or the rule that refused.
    private async Task<string?> Reason(HttpClient client, string query)
    {
        using var response = await client.GetAsync(new Uri("/entitlements?" + query, UriKind.Relative));
        if (!response.IsSuccessStatusCode)
        {
            return await response.Problem();
        }

        var key = await File.ReadAllBytesAsync(Path.Combine(ca.Public, "entitlement.spki"));
        Assert.True(Jws.TryVerify(await response.Content.ReadAsStringAsync(), 16 * 1024, EntitlementClient.AnswerType, key, out var answer));
        var payload = JsonElement.Parse(answer);
        Assert.Equal(EntitlementRules.Version, payload.GetProperty("ruleVersion").GetString());
        return payload.GetProperty("reason").GetString();
    }

    private static string? Text(JsonElement e, string member) => e.GetProperty(member).GetString();

    private static string Instant(DateTimeOffset at) => Uri.EscapeDataString(at.ToString("O", System.Globalization.CultureInfo.InvariantCulture));
}
