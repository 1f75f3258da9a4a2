using System.Net;
using System.Net.Http.Json;
using Trust.CA.Registry;
using Trust.CA.Tests.Claims;
using Trust.LogFormat;

namespace Trust.CA.Tests.Registry;

/// <summary>Officers find people, and the ledger knows whom they looked for.</summary>
public sealed class SearchTests(CaFixture ca)
{
    [Fact]
    public async Task A_practitioner_is_found_by_licence_name_or_document_and_the_search_is_an_event()
    {
        var row = Samples.Practitioner();
        var urn = (await ca.Import(new ImportRequest(Practitioners: [row]))).Single().Urn!;
        foreach (var search in new PractitionerSearch[]
        {
            new(LicenceNumber: row.LicenceNumber), new(Name: row.Name), new(IdentityType: row.IdentityType, IdentityNumber: row.IdentityNumber),
        })
        {
            using var response = await Search(search);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            var found = (await response.Content.ReadFromJsonAsync(CaJson.Default.IReadOnlyListFoundPractitioner))!.Single();
            Assert.Equal((urn, row.Name, "active"), (found.Urn, found.Name, found.State));
        }

        var asked = (await ca.Events("REG.query", SubjectKey.Practitioner(urn))).Select(e => e.GetProperty("reason").GetString());
        Assert.Equal(["practitioners-by-licence", "practitioners-by-name", "practitioners-by-identity-number"], asked);
    }

    [Fact]
    public async Task People_of_one_name_come_a_page_at_a_time_and_a_former_name_finds_nobody()
    {
        var name = "同名" + Random.Shared.Next(10_000, 99_999);
        var rows = Enumerable.Range(0, 3).Select(_ => Samples.Practitioner() with { Name = name }).ToList();
        var urns = (await ca.Import(new ImportRequest(Practitioners: rows))).Select(r => r.Urn!).ToList();
        await ca.Import(new ImportRequest(Practitioners: [rows[0] with { Name = name + "改" }]));

        var seen = new List<string>();
        for (var next = "/practitioners/searches?limit=1"; next is not null;)
        {
            using var page = await Search(new(Name: name), next);
            seen.AddRange((await page.Content.ReadFromJsonAsync(CaJson.Default.IReadOnlyListFoundPractitioner))!.Select(p => p.Urn));
            next = page.Headers.TryGetValues("Link", out var links) ? links.Single().Split('>')[0][1..] : null;
        }

        Assert.Equal(urns[1..], seen);
    }

    [Fact]
    public async Task Everyone_whom_an_answer_shows_is_named_by_its_event_however_long_a_page_is_asked_for()
    {
        var name = "多人" + Random.Shared.Next(10_000, 99_999);
        var rows = Enumerable.Range(0, EventBody.MaxSubjects + 6).Select(_ => Samples.Practitioner() with { Name = name }).ToList();
        await ca.Import(new ImportRequest(Practitioners: rows));

        using var page = await Search(new(Name: name), "/practitioners/searches?limit=1000");
        var shown = (await page.Content.ReadFromJsonAsync(CaJson.Default.IReadOnlyListFoundPractitioner))!;
        Assert.Equal(EventBody.MaxSubjects, shown.Count);
        Assert.Contains("rel=\"next\"", page.Headers.GetValues("Link").Single(), StringComparison.Ordinal);
        foreach (var person in shown)
        {
            Assert.Single(await ca.Events("REG.query", SubjectKey.Practitioner(person.Urn)));
        }
    }

    [Fact]
    public async Task A_search_for_nothing_for_two_things_or_for_what_nobody_has_is_refused()
    {
        foreach (var search in new PractitionerSearch[]
        {
            new(), new(LicenceNumber: "110510000000101", Name: "张"), new(Name: "\u202e"), new(IdentityType: "resident-id", IdentityNumber: "1"), new(IdentityNumber: "110105194912310021"),
        })
        {
            using var response = await Search(search);
            Assert.Equal("malformed-search", await response.Problem());
        }
    }

    private async Task<HttpResponseMessage> Search(PractitionerSearch search, string path = "/practitioners/searches")
    {
        using var client = ca.Officer(0);
        return await client.Post(path, search, CaJson.Default.PractitionerSearch);
    }
}
