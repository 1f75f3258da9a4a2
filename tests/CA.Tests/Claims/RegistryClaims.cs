using System.Text;
using Trust.CA.Registry;
using Trust.Crypto.Asn1;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.CA.Tests.Claims;

/// <summary>What an import takes, drops and changes.</summary>
public sealed class RegistryClaims(CaFixture ca)
{
    // A start in the future should be kept (pending until then) or refused; today it is replaced by now.
    [Fact]
    public async Task C_A_licence_that_begins_in_2099_is_active_today()
    {
        var row = Samples.Practitioner() with { EffectiveFrom = new DateTimeOffset(2099, 1, 1, 0, 0, 0, TimeSpan.FromHours(8)) };
        var institution = Samples.Institution();
        var results = await ca.Import(new ImportRequest([institution], [row], [new("physician:" + row.LicenceNumber, institution.CreditCode, "main", DateTimeOffset.UtcNow.AddDays(-1))]));
        Assert.Equal("permitted", (await ca.Entitlement($"person={results[1].Urn}&act=login")).GetProperty("reason").GetString());
    }

    // A later import's start should be stored or refused; today it is dropped without a word.
    [Fact]
    public async Task C_The_start_in_a_later_import_is_ignored()
    {
        var row = Samples.Practitioner();
        var first = (await ca.Import(new ImportRequest(Practitioners: [row]))).Single();
        var again = (await ca.Import(new ImportRequest(Practitioners: [row with { EffectiveFrom = DateTimeOffset.UtcNow.AddDays(-5) }]))).Single();
        Assert.Equal(("unchanged", first.Urn), (again.Result, again.Urn));
    }

    // Each kind of document has its rule; today anything of 4 to 40 characters is a number, and two people on one mangled number become one.
    [Fact]
    public async Task D_Two_people_on_one_number_mangled_by_a_spreadsheet_become_one()
    {
        var number = $"8.1{Random.Shared.Next(10_000, 99_999)}E+17";
        var (one, two) = (Samples.Practitioner() with { IdentityType = "hk-macau-taiwan", IdentityNumber = number }, Samples.Practitioner() with { IdentityType = "hk-macau-taiwan", IdentityNumber = number });
        var results = await ca.Import(new ImportRequest(Practitioners: [one, two]));
        Assert.Equal(["created", "updated"], results.Select(r => r.Result));
        Assert.Equal(results[0].Urn, results[1].Urn);
    }

    // A passport has letters and digits.
    [Fact]
    public async Task D_Six_dots_are_a_passport_number()
    {
        var number = new string('.', 6 + Random.Shared.Next(30));
        Assert.NotEqual("refused", (await ca.Import(new ImportRequest(Practitioners: [Samples.Practitioner() with { IdentityType = "passport", IdentityNumber = number }]))).Single().Result);
    }

    // A birth date lies between 1900 and today.
    [Theory]
    [InlineData("20990101")]
    [InlineData("18000101")]
    public async Task D_A_resident_born_in_another_century_is_registered(string born)
    {
        var row = Samples.Practitioner() with { IdentityNumber = Resident("510105" + born + Random.Shared.Next(100, 999)) };
        Assert.Equal("created", (await ca.Import(new ImportRequest(Practitioners: [row]))).Single().Result);
    }

    // x and X are one character in both numbers; today the qualification number refuses the small one.
    [Fact]
    public async Task D_A_small_x_is_taken_in_an_identity_number_and_refused_in_a_qualification_number()
    {
        var number = Enumerable.Range(100, 800).Select(i => Resident("51010519760203" + i)).First(n => n.EndsWith('X'));
        var row = Samples.Practitioner() with { IdentityNumber = number.ToLowerInvariant() };
        var results = await ca.Import(new ImportRequest(Practitioners: [row with { QualificationNumber = "200651110" + number.ToLowerInvariant() }, row]));
        Assert.Equal(["qualification-number", "created"], results.Select(r => r.Rule ?? r.Result));
    }

    // Every member should be compared; today a corrected registration number is "unchanged" and not stored.
    [Fact]
    public async Task E_M15_A_corrected_registration_number_is_dropped()
    {
        var row = Samples.Institution() with { RegistrationNumber = "MB7A7B7C751010011A1001" };
        var urn = (await ca.Import(new ImportRequest([row]))).Single().Urn;
        Assert.Equal("unchanged", (await ca.Import(new ImportRequest([row with { RegistrationNumber = "MB7A7B7C751010011A1009" }]))).Single().Result);
        Assert.Equal("MB7A7B7C751010011A1001", await NumberOf(urn));
        // And an absent one is erased together with a new name.
        Assert.Equal("updated", (await ca.Import(new ImportRequest([row with { RegistrationNumber = null, Name = "改名医院" }]))).Single().Result);
        Assert.Null(await NumberOf(urn));
    }

    // A changed kind, a corrected end and a changed filing number should be stored or refused by a named rule.
    [Fact]
    public async Task E_A_changed_affiliation_or_filing_is_dropped()
    {
        var (person, institution, _) = await ca.NewPractitioner();
        var from = (await ca.Database.Owner.Sql("SELECT valid_from FROM affiliations WHERE practitioner = $1").With(person).All(r => r.GetFieldValue<DateTimeOffset>(0), default)).Single();
        var changed = await ca.Import(new ImportRequest(Affiliations: [new(person, institution, "multi-site", from)], Filings: [new(person, institution, "BA-2", from)]));
        Assert.Equal(["unchanged", "unchanged"], changed.Select(r => r.Result));
        var end = DateTimeOffset.UtcNow;
        await ca.Import(new ImportRequest(Affiliations: [new(person, institution, "main", from, end)]));
        Assert.Equal("unchanged", (await ca.Import(new ImportRequest(Affiliations: [new(person, institution, "main", from, end.AddDays(-1))]))).Single().Result);
    }

    // A qualification number that comes later should be stored.
    [Fact]
    public async Task E_A_qualification_number_added_later_is_dropped()
    {
        var row = Samples.Practitioner();
        var urn = (await ca.Import(new ImportRequest(Practitioners: [row]))).Single().Urn;
        Assert.Equal("unchanged", (await ca.Import(new ImportRequest(Practitioners: [row with { QualificationNumber = "200651110" + row.IdentityNumber }]))).Single().Result);
        const string stored = "SELECT count(*) FROM practitioners WHERE urn = $1 AND qualification_sealed IS NOT NULL";
        Assert.Equal(0, await ca.Database.Owner.Sql(stored).With(urn).Scalar<long>(default));
    }

    // Lines may end in CR LF; a file that ends them in CR alone should be refused, not answered 200 with nothing done.
    [Fact]
    public async Task F_A_file_with_CR_alone_is_taken_and_nothing_is_imported()
    {
        var row = Samples.Institution();
        var (problem, rows) = await ca.ImportBytes(Encoding.UTF8.GetBytes($"creditCode,name,kind,region\r{row.CreditCode},{row.Name},hospital,510100\r"), "text/csv", "institutions");
        Assert.Equal("", problem);
        Assert.Empty(rows);
    }

    // An unknown column is an error; today a misspelt end leaves the affiliation going on.
    [Fact]
    public async Task F_A_misspelt_column_is_ignored_and_the_affiliation_goes_on()
    {
        var (person, institution, _) = await ca.NewPractitioner();
        var csv = $"practitioner,institution,kind,from,To\n{person},{institution},multi-site,2024-01-01T00:00:00+08:00,2025-01-01T00:00:00+08:00\n";
        var (_, rows) = await ca.ImportBytes(Encoding.UTF8.GetBytes(csv), "text/csv", "affiliations");
        Assert.Equal("created", rows.Single().Result);
        const string open = "SELECT count(*) FROM affiliations WHERE practitioner = $1 AND kind = 'multi-site' AND valid_to IS NULL";
        Assert.Equal(1, await ca.Database.Owner.Sql(open).With(person).Scalar<long>(default));
    }

    // Rows stand alone in JSON; in CSV one bad date refuses them all.
    [Fact]
    public async Task F_One_bad_date_refuses_the_whole_file()
    {
        var (one, two) = (Samples.Institution(), Samples.Institution());
        var csv = $"creditCode,name,kind,region,effectiveFrom\n{one.CreditCode},{one.Name},hospital,510100,2020-01-01\n{two.CreditCode},{two.Name},hospital,510100,soon\n";
        var (problem, rows) = await ca.ImportBytes(Encoding.UTF8.GetBytes(csv), "text/csv", "institutions");
        Assert.Equal("malformed-import", problem);
        Assert.Empty(rows);
    }

    // A media type is compared without regard to case (RFC 9110 8.3.1).
    [Fact]
    public async Task F_Text_CSV_in_capitals_is_read_as_JSON()
    {
        var row = Samples.Institution();
        var (problem, _) = await ca.ImportBytes(Encoding.UTF8.GetBytes($"creditCode,name,kind,region\n{row.CreditCode},{row.Name},hospital,510100\n"), "Text/CSV", "institutions");
        Assert.Equal("malformed-import", problem);
    }

    // RFC 4180: after a closing quote comes a separator; today what follows is glued on.
    [Fact]
    public void F_Text_after_a_closing_quote_is_glued_on()
    {
        Assert.True(CsvRows.TryRead("creditCode,name,kind,region\nX,\"甲\"乙,hospital,510100\n"u8, "institutions", out var rows, out _));
        Assert.Equal("甲乙", rows.Institutions!.Single().Name);
    }

    // One rule for names wherever a name enters; today a right-to-left override, a zero-width space and a private character go into certificates.
    [Theory]
    [InlineData("\u202e范示张")]
    [InlineData("张\u200b示范")]
    [InlineData("\ue863示范")]
    public async Task G_A_name_with_an_invisible_or_private_character_is_registered(string name)
    {
        var row = Samples.Practitioner() with { Name = name };
        Assert.Equal("created", (await ca.Import(new ImportRequest(Practitioners: [row]))).Single().Result);
    }

    // A date needs an offset (or is Asia/Shanghai by rule), in one exact form; today CSV reads it as UTC, and 11/12/2026 and 8/1 are dates.
    [Theory]
    [InlineData("2020-11-30")]
    [InlineData("11/12/2020")]
    [InlineData("8/1")]
    public void H_A_date_without_offset_or_year_is_taken(string date)
    {
        Assert.True(CsvRows.TryRead(Encoding.UTF8.GetBytes($"creditCode,name,kind,region,effectiveFrom\nX,甲,hospital,510100,{date}\n"), "institutions", out var rows, out _));
        Assert.Equal(TimeSpan.Zero, rows.Institutions!.Single().EffectiveFrom!.Value.Offset);
    }

    // RFC 5280 allows 64 characters in O; the name should be refused at the import, today it becomes a certificate that stock readers reject.
    [Fact]
    public async Task M_A_doctor_of_a_hospital_with_65_characters_gets_that_O_and_its_seal_burns_its_key()
    {
        var institution = Samples.Institution() with { Name = new string('院', 65) };
        var doctor = Samples.Practitioner();
        var results = await ca.Import(new ImportRequest([institution], [doctor], [new("physician:" + doctor.LicenceNumber, institution.CreditCode, "main", DateTimeOffset.UtcNow.AddDays(-9))]));
        using var key = SoftwareKey.New(PublicKeyKind.P256);
        var (_, certificate) = await ca.Enrol("practitioner-signature", results[1].Urn!, doctor.Name, key, results[0].Urn);
        using (certificate)
        {
            Assert.Contains(institution.Name, certificate.Subject, StringComparison.Ordinal);
        }

        using var seal = SoftwareKey.New(PublicKeyKind.P256);
        var p10 = await CertificationRequest.Create(new System.Security.Cryptography.X509Certificates.X500DistinguishedName("CN=" + results[0].Urn), seal.Spki, [], seal.Signer, default);
        var created = await ca.Request(Samples.Request("institution-seal", results[0].Urn!, p10));
        await ca.Approve(1, created);
        using var client = ca.Officer(2);
        using var refused = await client.Post($"/certificate-requests/{created.Id}/approvals", await ca.Officers[2].Approval(created.Approval), CaJson.Default.ApprovalBody);
        Assert.Equal("lint", await refused.Problem());
        using var again = await client.Post("/certificate-requests", Samples.Request("institution-seal", results[0].Urn!, p10), CaJson.Default.CertificateRequestBody);
        Assert.Equal("reused-key", await again.Problem());
    }

    private async Task<string?> NumberOf(string? urn) =>
        await ca.Database.Owner.Sql("SELECT registration_number FROM institutions WHERE urn = $1").With(urn).Scalar<string>(default);

    private static string Resident(string body)
    {
        int[] weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        return body + "10X98765432"[body.Select((c, i) => (c - '0') * weights[i]).Sum() % 11];
    }
}
