using System.Net;
using System.Net.Http.Json;
using System.Text;
using Trust.CA.Registry;
using Trust.Kernel.Postgres;

namespace Trust.CA.Tests.Registry;

public sealed class ImportTests(CaFixture ca)
{
    [Fact]
    public async Task Rows_stand_alone_and_a_refused_one_names_its_rule()
    {
        var good = Samples.Institution();
        var practitioner = Samples.Practitioner();
        var results = await ca.Import(new ImportRequest(
            [good, good with { CreditCode = "91350100M000100Y4Z" }, good with { Kind = "shop" }, good with { Region = "810000", CreditCode = Samples.CreditCode(77) }],
            [
                practitioner,
                practitioner with { IdentityNumber = "110105194912310021" },
                practitioner with { LicenceNumber = "12345" },
                practitioner with { IdentityNumber = Samples.IdentityNumber(123), Name = "其他" },
                practitioner with { IdentityNumber = Samples.IdentityNumber(124), LicenceNumber = "110510000999001", QualificationNumber = "200051110510105195001019999" },
            ]));

        Assert.Equal(
            ["created", "credit-code-checksum", "institution-kind", "region", "created", "identity-number-checksum", "licence-number", "licence-number-in-use", "qualification-number"],
            results.Select(r => r.Rule ?? r.Result));
    }

    [Fact]
    public async Task The_sample_registry_passes_every_check()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "Trust.sln")))
        {
            directory = directory.Parent!;
        }

        using var client = ca.Officer(0);
        using var response = await client.PostBytes(
            "/registry/imports", await File.ReadAllBytesAsync(Path.Combine(directory.FullName, "samples", "registry.json")), "application/json");
        var results = (await response.Content.ReadFromJsonAsync(CaJson.Default.ImportResponse))!.Results;

        Assert.NotEmpty(results);
        Assert.All(results, r => Assert.Null(r.Rule));
    }

    [Fact]
    public async Task The_same_rows_again_change_nothing_and_changed_ones_update()
    {
        var institution = Samples.Institution();
        var practitioner = Samples.Practitioner();
        var first = await ca.Import(new ImportRequest([institution], [practitioner]));
        var again = await ca.Import(new ImportRequest([institution], [practitioner]));
        var changed = await ca.Import(new ImportRequest([institution with { Name = "新名" }], [practitioner with { Scope = ["内科", "儿科"] }]));

        Assert.All(first, r => Assert.Equal("created", r.Result));
        Assert.All(again, r => Assert.Equal("unchanged", r.Result));
        Assert.All(changed, r => Assert.Equal("updated", r.Result));
        Assert.Equal(first.Select(r => r.Urn), changed.Select(r => r.Urn));
    }

    [Fact]
    public async Task A_practitioner_has_one_main_institution_and_an_assistant_one_place()
    {
        var (one, two) = (Samples.Institution(), Samples.Institution());
        var (doctor, assistant) = (Samples.Practitioner(), Samples.Practitioner("assistant-physician"));
        var from = DateTimeOffset.UtcNow.AddDays(-10);
        var results = await ca.Import(new ImportRequest(
            [one, two], [doctor, assistant],
            [
                new(doctor.LicenceNumber, one.CreditCode, "main", from),
                new(doctor.LicenceNumber, two.CreditCode, "main", from),
                new(doctor.LicenceNumber, two.CreditCode, "multi-site", from),
                new("assistant-physician:" + assistant.LicenceNumber, one.CreditCode, "main", from),
                new("assistant-physician:" + assistant.LicenceNumber, two.CreditCode, "multi-site", from),
                new("nobody", two.CreditCode, "multi-site", from),
            ]));

        Assert.Equal(
            ["created", "second-main-institution", "created", "created", "assistant-one-place", "unknown-practitioner"],
            results.Skip(4).Select(r => r.Rule ?? r.Result));
    }

    [Fact]
    public async Task CSV_says_the_same_as_JSON()
    {
        var row = Samples.Practitioner();
        var csv = $"name,identityType,identityNumber,role,licenceNumber,category,scope,region\n\"{row.Name}\",resident-id,{row.IdentityNumber},physician,{row.LicenceNumber},clinical,内科;儿科,510000\r\n";
        using var client = ca.Officer(0);

        using var response = await client.PostBytes("/registry/imports?kind=practitioners", Encoding.UTF8.GetBytes(csv), "text/csv");
        var answer = (await response.Content.ReadFromJsonAsync(CaJson.Default.ImportResponse))!;
        using var confirmed = await ca.ConfirmImport(1, answer.Proposal!.Id, answer.Proposal.Sha256);
        var again = await ca.Import(new ImportRequest(Practitioners: [row with { Scope = ["内科", "儿科"], EffectiveFrom = null }]));

        Assert.Equal("proposed", answer.Results.Single().Result);
        Assert.Equal("unchanged", again.Single().Result);
    }

    [Theory]
    [InlineData("{\"institutions\":[],\"institutions\":[]}")]
    [InlineData("{\"institutions\":[],\"extra\":1}")]
    [InlineData("{\"institutions\":[{\"name\":\"x\"}]}")]
    [InlineData("{\"institutions\":[]} {}")]
    [InlineData("not json")]
    public async Task Malformed_and_duplicate_key_JSON_is_refused(string json)
    {
        using var client = ca.Officer(0);
        using var response = await client.PostBytes("/registry/imports", Encoding.UTF8.GetBytes(json), "application/json");
        Assert.Equal("malformed-import", await response.Problem());
    }

    [Fact]
    public async Task Oversized_bodies_are_refused()
    {
        using var client = ca.Officer(0);
        // RFC 9110 10.1.1: the answer comes before the body; otherwise the server may close the connection while it is still being sent.
        using var request = new HttpRequestMessage(HttpMethod.Post, "/registry/imports") { Content = new ByteArrayContent(new byte[300 * 1024]) };
        request.Content.Headers.ContentType = new("application/json");
        request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString("N"));
        request.Headers.ExpectContinue = true;
        using var response = await client.SendAsync(request);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
    }

    [Fact]
    public async Task No_national_number_is_stored_or_recorded_in_clear()
    {
        var row = Samples.Practitioner();
        await ca.Import(new ImportRequest(Practitioners: [row]));

        const string everywhere = """
            SELECT (SELECT count(*) FROM practitioners p WHERE p::text LIKE '%' || $1 || '%')
                 + (SELECT count(*) FROM practitioner_facts p WHERE p::text LIKE '%' || $1 || '%')
                 + (SELECT count(*) FROM import_proposals p WHERE p::text LIKE '%' || $1 || '%')
                 + (SELECT count(*) FROM import_proposal_rows p WHERE p::text LIKE '%' || $1 || '%' OR position($1::bytea IN p.sealed) > 0)
                 + (SELECT count(*) FROM audit_outbox o WHERE convert_from(body, 'UTF8') LIKE '%' || $1 || '%')
                 + (SELECT count(*) FROM idempotency i WHERE convert_from(coalesce(body, ''), 'UTF8') LIKE '%' || $1 || '%')
            """;
        Assert.Equal(0, await ca.Database.Owner.Sql(everywhere).With(row.IdentityNumber).Scalar<long>(default));
    }
}
