using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.CA.Registry;
using Trust.CA.Tests.Claims;
using Trust.Kernel.Postgres;

namespace Trust.CA.Tests.Registry;

/// <summary>Rows as they come from the field: each right by its member's rule, or refused by the rule's name.</summary>
public sealed class RowTests(CaFixture ca)
{
    [Fact]
    public async Task Two_people_on_one_number_mangled_by_a_spreadsheet_are_both_refused()
    {
        var answer = await Send(Input("registry-mangled-number-two-persons.json"));
        Assert.All(answer.Results, r => Assert.Equal(("refused", "identity-number", "identityNumber"), (r.Result, r.Rule, r.Member)));
    }

    [Theory]
    [InlineData("passport", "......")]
    [InlineData("passport", "E 12345")]
    [InlineData("passport", "PASSPORT")]
    [InlineData("passport", "8.1E+17")]
    [InlineData("hk-macau-taiwan", "8.10000198001010E+17")]
    [InlineData("hk-macau-taiwan", "810000198001010")]
    [InlineData("foreign-resident", "ABC12345")]
    public async Task A_number_that_its_document_does_not_have_is_refused(string type, string number) =>
        Assert.Equal("identity-number", (await Refused(r => r with { IdentityType = type, IdentityNumber = number })).Rule);

    [Theory]
    [InlineData("passport", "E12345678")]
    [InlineData("passport", "g99887766")]
    [InlineData("hk-macau-taiwan", "H12345678")]
    [InlineData("foreign-resident", "GBR510080010101")]
    public async Task Numbers_that_documents_have_pass_whatever_their_letters_case(string type, string number)
    {
        number = number[..^4] + Random.Shared.Next(1000, 9999);
        var row = Samples.Practitioner() with { IdentityType = type, IdentityNumber = number };
        var first = (await ca.Import(new ImportRequest(Practitioners: [row]))).Single();
        var again = (await ca.Import(new ImportRequest(Practitioners: [row with { IdentityNumber = number.ToLowerInvariant() }]))).Single();
        Assert.Equal(("created", "unchanged", first.Urn), (first.Result, again.Result, again.Urn));
    }

    // GB 11643 numbers the residence permits 81 to 83 and the permanent residence card from 9 as well.
    [Theory]
    [InlineData("hk-macau-taiwan", "810000")]
    [InlineData("hk-macau-taiwan", "830000")]
    [InlineData("foreign-resident", "951826")]
    public async Task Cards_numbered_by_GB_11643_have_its_check_character(string type, string prefix)
    {
        var number = Resident(prefix + "19760203" + Random.Shared.Next(100, 999));
        var wrong = number[..17] + (number[17] == '0' ? '1' : '0');
        Assert.Equal("created", (await ca.Import(new ImportRequest(Practitioners: [Samples.Practitioner() with { IdentityType = type, IdentityNumber = number }]))).Single().Result);
        Assert.Equal("identity-number-checksum", (await Refused(r => r with { IdentityType = type, IdentityNumber = wrong })).Rule);
        Assert.Equal("identity-number", (await Refused(r => r with { IdentityNumber = number })).Rule);
    }

    [Theory]
    [InlineData("20990101")]
    [InlineData("18000101")]
    [InlineData("18991231")]
    public async Task Nobody_is_born_in_another_century(string born) =>
        Assert.Equal("identity-number-birth-date", (await Refused(r => r with { IdentityNumber = Resident("510105" + born + "123") })).Rule);

    [Fact]
    public async Task A_small_x_is_the_same_character_in_an_identity_number_and_a_qualification_number()
    {
        var number = Enumerable.Range(100, 800).Select(i => Resident("51010519760203" + i)).First(n => n.EndsWith('X')).ToLowerInvariant();
        var row = Samples.Practitioner() with { IdentityNumber = number, QualificationNumber = "200651110" + number };
        Assert.Equal("created", (await ca.Import(new ImportRequest(Practitioners: [row]))).Single().Result);
        Assert.Equal("unchanged", (await ca.Import(new ImportRequest(Practitioners: [row with { QualificationNumber = row.QualificationNumber.ToUpperInvariant() }]))).Single().Result);
    }

    [Theory]
    [InlineData("\u202e范示张", "name-hidden-character")]
    [InlineData("张\u200b示范", "name-hidden-character")]
    [InlineData("\ue863", "name-hidden-character")]
    [InlineData("龍\ufe00", "name-hidden-character")]
    [InlineData("张\u0000", "name-hidden-character")]
    [InlineData("阿卜杜拉\u0387买买提", "name-not-normalized")]
    [InlineData("张\u2001示范", "name-not-normalized")]
    [InlineData("\u2329张\u232a", "name-not-normalized")]
    [InlineData("\u0958", "name-not-normalized")]
    [InlineData("Jose\u0301", "name-not-normalized")]
    [InlineData(" 张示范", "name")]
    [InlineData("张\u3000示范", "name")]
    [InlineData("", "missing")]
    [InlineData("··", "name")]
    public async Task A_name_that_is_not_what_it_shows_is_refused(string name, string rule)
    {
        var refused = await Refused(r => r with { Name = name });
        Assert.Contains(refused.Rule, new[] { rule, "name" });
        Assert.Equal("name", refused.Member);
    }

    [Theory]
    [InlineData("阿卜杜拉·买买提")]
    [InlineData("山\ufa11")]
    [InlineData("\ufa0e")]
    [InlineData("𠮷田〇")]
    [InlineData("José Ångström")]
    [InlineData("བསྟན་འཛིན་")]
    public async Task Minorities_dots_and_rare_characters_pass(string name) =>
        Assert.Equal("created", (await ca.Import(new ImportRequest(Practitioners: [Samples.Practitioner() with { Name = name }]))).Single().Result);

    [Fact]
    public async Task A_name_longer_than_a_certificate_carries_is_refused_and_one_of_64_characters_is_carried()
    {
        var sixtyFive = await Send(Input("registry-organization-name-65.json"));
        Assert.Equal(("refused", "name"), (sixtyFive.Results.Single().Result, sixtyFive.Results.Single().Rule));
        var row = Samples.Institution() with { Name = string.Concat(Enumerable.Repeat("𠮷", 64)) };
        Assert.Equal("created", (await ca.Import(new ImportRequest([row]))).Single().Result);
    }

    // A name that an earlier version took: refused at the request, before its key is known and burnt.
    [Fact]
    public async Task A_longer_name_of_old_is_refused_at_the_request_and_burns_no_key()
    {
        var (person, institution, name) = await ca.NewPractitioner();
        const string old = """
            INSERT INTO institution_facts (institution, name, kind, region, effective_from, recorded_at, recorded_by)
            SELECT institution, repeat('院', 65), kind, region, effective_from, recorded_at, recorded_by FROM institution_facts WHERE institution = $1
            """;
        await ca.Database.Owner.Sql(old).With(institution).Execute(default);
        using var key = TestKit.SoftwareKey.New(Crypto.Asn1.PublicKeyKind.P256);
        var body = await Samples.Request("practitioner-signature", person, name, key, institution);
        using var client = ca.Officer(0);
        using var refused = await client.Post("/certificate-requests", body, CaJson.Default.CertificateRequestBody);
        Assert.Equal("holder-name-too-long", await refused.Problem());
        const string keys = "SELECT count(*) FROM certificate_requests WHERE holder = $1";
        Assert.Equal(0, await ca.Database.Owner.Sql(keys).With(person).Scalar<long>(default));
    }

    [Fact]
    public async Task A_start_in_2099_is_kept_and_no_other_start_is_dropped_without_a_word()
    {
        var known = Input("registry-effective-from-2099.json");
        var row = Samples.Practitioner();
        known["practitioners"]![0]!["identityNumber"] = row.IdentityNumber;
        known["practitioners"]![0]!["licenceNumber"] = row.LicenceNumber;
        Assert.Equal("proposed", (await Send(known)).Results.Single().Result);

        await ca.Import(new ImportRequest(Practitioners: [row]));
        var otherStart = await ca.Propose(new ImportRequest(Practitioners: [row with { EffectiveFrom = DateTimeOffset.UtcNow.AddDays(-5) }]));
        var laterChange = await ca.Propose(new ImportRequest(Practitioners: [row with { Scope = [], EffectiveFrom = DateTimeOffset.UtcNow.AddDays(5) }]));
        Assert.Equal("start-recorded-otherwise", otherStart.Results.Single().Rule);
        Assert.Equal("change-in-the-future", laterChange.Results.Single().Rule);
    }

    [Fact]
    public async Task Every_member_of_an_institution_is_compared_and_an_absent_one_erases_nothing()
    {
        var row = Samples.Institution() with { RegistrationNumber = "MB7A7B7C751010011A1001" };
        var urn = (await ca.Import(new ImportRequest([row]))).Single().Urn;
        Assert.Equal("updated", (await ca.Propose(new ImportRequest([row with { RegistrationNumber = "MB7A7B7C751010011A1009" }]))).Results.Single().Result);
        Assert.Equal("updated", (await ca.Propose(new ImportRequest([row with { RegistrationNumber = null, Name = "改名医院" }]))).Results.Single().Result);
        const string number = "SELECT registration_number FROM institution_facts WHERE institution = $1 ORDER BY id DESC LIMIT 1";
        Assert.Equal("MB7A7B7C751010011A1009", await ca.Database.Owner.Sql(number).With(urn).Scalar<string>(default));
    }

    [Fact]
    public async Task Every_member_of_affiliation_filing_and_practitioner_is_compared()
    {
        var institution = Samples.Institution();
        var doctor = Samples.Practitioner();
        var from = DateTimeOffset.UtcNow.AddDays(-100);
        var reference = "physician:" + doctor.LicenceNumber;
        AffiliationRow place = new(reference, institution.CreditCode, "main", from);
        FilingRow filing = new(reference, institution.CreditCode, "BA-1", from);
        await ca.Import(new ImportRequest([institution], [doctor], [place], [filing]));

        var changed = await ca.Propose(new ImportRequest(
            Practitioners: [doctor with { QualificationNumber = "200651110" + doctor.IdentityNumber }, doctor with { State = "pending" }],
            Affiliations: [place with { Kind = "multi-site" }, place with { From = from.AddDays(1) }], Filings: [filing with { Number = "BA-2" }]));
        Assert.Equal(["proposed", "state", "proposed", "overlaps-an-affiliation", "updated"], changed.Results.Select(r => r.Rule ?? r.Result));

        var end = DateTimeOffset.UtcNow;
        await ca.Propose(new ImportRequest(Affiliations: [place with { To = end }]));
        Assert.Equal("updated", (await ca.Propose(new ImportRequest(Affiliations: [place with { To = end.AddDays(-1) }]))).Results.Single().Result);
    }

    [Theory]
    [InlineData("{\"institutions\":[null]}", "$.institutions[0]")]
    [InlineData("{\"practitioners\":[{\"name\":\"x\",\"categorie\":\"y\"}]}", "$.practitioners[0].categorie")]
    [InlineData("{\"affiliations\":{}}", "$.affiliations")]
    [InlineData("[]", "$")]
    [InlineData("{\"filings\":[{\"practitioner\":\"1\",\"institution\":\"2\",\"number\":3,\"from\":\"2020-01-01\"}]}", "$.filings[0].number")]
    public async Task A_body_that_is_no_import_is_refused_by_the_member_that_is_wrong(string json, string member)
    {
        using var client = ca.Officer(0);
        using var response = await client.PostBytes("/registry/imports", Encoding.UTF8.GetBytes(json), "application/json");
        var problem = JsonElement.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal(("malformed-import", member), (problem.GetProperty("title").GetString(), problem.GetProperty("member").GetString()));
    }

    [Theory]
    [InlineData("2020-11-30T00:00:00")]
    [InlineData("11/12/2020")]
    [InlineData("8/1")]
    [InlineData("soon")]
    [InlineData("2020-11-31")]
    [InlineData("2020-11-30T00:00:00+0800")]
    [InlineData("2020-1-1")]
    public async Task An_instant_is_written_in_one_form_or_refuses_its_row(string date)
    {
        var row = Samples.Institution();
        var json = new JsonObject
        {
            ["institutions"] = new JsonArray(new JsonObject
            {
                ["creditCode"] = row.CreditCode, ["name"] = row.Name, ["kind"] = row.Kind, ["region"] = row.Region, ["effectiveFrom"] = date,
            }),
        };
        var answer = await Send(json);
        Assert.Equal(("refused", "date", "effectiveFrom"), (answer.Results.Single().Result, answer.Results.Single().Rule, answer.Results.Single().Member));
    }

    [Theory]
    [InlineData("physician:1\u0000234")]
    [InlineData("urn:mdid:p:x")]
    [InlineData("physician:' OR 1=1")]
    public async Task A_reference_that_can_name_nobody_names_nobody(string reference)
    {
        var answer = await ca.Propose(new ImportRequest(Affiliations: [new(reference, Samples.CreditCode(1), "main", DateTimeOffset.UtcNow)]));
        Assert.Equal("unknown-practitioner", answer.Results.Single().Rule);
    }

    private static JsonNode Input(string file) => JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Registry", "Inputs", file)))!;

    private async Task<ImportResult> Refused(Func<PractitionerRow, PractitionerRow> change)
    {
        var result = (await ca.Propose(new ImportRequest(Practitioners: [change(Samples.Practitioner())]))).Results.Single();
        Assert.Equal("refused", result.Result);
        return result;
    }

    private async Task<ImportResponse> Send(JsonNode body)
    {
        using var client = ca.Officer(0);
        using var response = await client.PostBytes("/registry/imports", Encoding.UTF8.GetBytes(body.ToJsonString()), "application/json");
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync(CaJson.Default.ImportResponse))!;
    }

    private static string Resident(string body)
    {
        int[] weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        return body + "10X98765432"[body.Select((c, i) => (c - '0') * weights[i]).Sum() % 11];
    }
}
