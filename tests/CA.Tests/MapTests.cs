using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.TestKit;

namespace Trust.CA.Tests;

/// <summary>The route table against the service that runs.</summary>
public sealed class MapTests(CaFixture ca)
{
    private const string Officers = "card of a registration officer";

    [Fact]
    public void Every_endpoint_has_its_row_and_every_row_its_endpoint()
    {
        var rows = ca.App.Services.GetRequiredService<RouteTable>().Routes;
        var endpoints = ca.App.Services.GetServices<EndpointDataSource>().SelectMany(s => s.Endpoints).OfType<RouteEndpoint>().ToList();

        Assert.All(endpoints, e => Assert.Contains(e.Metadata.GetMetadata<Kernel.Hosting.Route>(), rows));
        Assert.All(rows, row =>
        {
            var endpoint = Assert.Single(endpoints, e => ReferenceEquals(e.Metadata.GetMetadata<Kernel.Hosting.Route>(), row));
            Assert.Equal(row.Path, endpoint.RoutePattern.RawText);
            string[] methods = row.Method == "GET" ? ["GET", "HEAD"] : [row.Method];
            Assert.Equal(methods, endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()!.HttpMethods);
            Assert.Equal(row.Summary, endpoint.Metadata.GetMetadata<IEndpointSummaryMetadata>()!.Summary);
        });
    }

    // Whoever opens a route to others, or makes a key needless, changes this list too.
    [Fact]
    public void Callers_limits_and_keys_of_every_route_are_these()
    {
        string[] table =
        [
            $"POST /registry/imports | {Officers} | Card | FirstAnswer",
            $"GET /registry/imports | {Officers} | Card | ByProtocol",
            $"GET /registry/imports/{{id:guid}} | {Officers} | Card | ByProtocol",
            $"POST /registry/imports/{{id:guid}}/confirmations | {Officers} | Card | FirstAnswer",
            $"POST /registry/imports/{{id:guid}}/withdrawals | {Officers} | Card | FirstAnswer",
            $"POST /practitioners/searches | {Officers}, or token with scope registry.read | Card | ByProtocol",
            $"POST /practitioners/{{urn}}/state | {Officers} | Card | FirstAnswer",
            $"POST /practitioners/{{urn}}/state/{{id:guid}}/confirmations | {Officers} | Card | FirstAnswer",
            $"POST /institutions/{{urn}}/state | {Officers} | Card | FirstAnswer",
            $"POST /certificate-requests | {Officers} | Card | FirstAnswer",
            $"GET /certificate-requests | {Officers} | Card | ByProtocol",
            $"GET /certificate-requests/{{id:guid}} | {Officers} | Card | ByProtocol",
            $"POST /certificate-requests/{{id:guid}}/approvals | {Officers} | Card | FirstAnswer",
            $"GET /certificates/{{sha256}} | {Officers} | Card | ByProtocol",
            $"POST /certificates/{{sha256}}/hold | {Officers} | Card | FirstAnswer",
            $"POST /certificates/{{sha256}}/resume | {Officers} | Card | FirstAnswer",
            $"POST /certificates/{{sha256}}/revoke | {Officers} | Card | FirstAnswer",
            $"POST /residency/declarations | {Officers} | Card | FirstAnswer",
            $"GET /residency/declarations | {Officers} | Card | ByProtocol",
            $"GET /residency/declarations/{{id:guid}} | {Officers} | Card | ByProtocol",
            $"POST /residency/declarations/{{id:guid}}/signatures | {Officers} | Card | FirstAnswer",
            "GET /residency/declaration | service idp, sign, ledger, witness | None | ByProtocol",
            "POST /service-certificates | service ca, idp, sign, ledger, witness | None | FirstAnswer",
            "GET /entitlements | token with scope registry.read, or service idp, sign | Client | ByProtocol",
            "GET /officers/{sha256} | service idp | None | ByProtocol",
            "GET /holders/{sha256} | service idp, sign | None | ByProtocol",
            "GET /certificates/{sha256}/status | service idp, sign | None | ByProtocol",
            "GET /feed | service idp, sign | None | ByProtocol",
            "POST /ocsp | anyone | Sign | ByProtocol",
            "GET /ocsp/{**request} | anyone | Read | ByProtocol",
            "GET /crl/{file} | anyone | Read | ByProtocol",
            "GET /ca/{file} | anyone | Read | ByProtocol",
            "POST /person-tags | no one | None | ByProtocol",
            "POST /person-identifiers | no one | None | ByProtocol",
        ];
        var rows = Map.Routes(new ConfigurationBuilder().Build()).Routes;
        Assert.Equal(table, rows.Select(r => $"{r.Method} {r.Path} | {r.Who} | {r.Limit} | {r.Repeats}"));
        Assert.All(rows, r => Assert.EndsWith(".", r.Summary, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_body_that_cannot_be_read_is_refused_by_the_member_and_what_is_wrong_with_it_on_every_route()
    {
        var routes = MalformedBodies.RoutesOf(ca.App.Services);
        Assert.NotEmpty(routes);
        using var officer = ca.Officer(0);
        // Those that nobody may call here are held by PersonTests, where a service may.
        foreach (var (route, body) in routes.Where(r => r.Route.Who is not Who.Service { Names.Count: 0 }))
        {
            var path = route.Path.Replace("{id:guid}", Guid.NewGuid().ToString(), StringComparison.Ordinal)
                .Replace("institutions/{urn}", "institutions/urn:mdid:o:01J9ZZZZZZZZZZZZZZZZZZZZH1", StringComparison.Ordinal)
                .Replace("{urn}", "urn:mdid:p:01J9ZZZZZZZZZZZZZZZZZZZZD1", StringComparison.Ordinal).Replace("{sha256}", new string('0', 64), StringComparison.Ordinal);
            Assert.True(await MalformedBodies.Hold(ca.App.Services, body, content => Send(officer, route.Method, path, content)) > 4);
        }

        // What is read row by row, or as bytes, has tests of its own.
        Assert.Equal(
            ["POST /registry/imports", "POST /registry/imports/{id:guid}/withdrawals", "POST /practitioners/{urn}/state/{id:guid}/confirmations", "POST /service-certificates", "POST /ocsp"],
            ca.App.Services.GetRequiredService<RouteTable>().Routes.Where(r => r.Method is "POST" or "PUT" && !routes.Any(b => ReferenceEquals(b.Route, r))).Select(r => $"{r.Method} {r.Path}"));
    }

    private static async Task<HttpResponseMessage> Send(HttpClient client, string method, string path, HttpContent content)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = content };
        request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString("N"));
        return await client.SendAsync(request);
    }

    [Theory]
    [InlineData("/ca/practitioner-issuing.cer")]
    [InlineData("/ca/nobody.cer")]
    [InlineData("/ocsp/MAA")]
    public async Task HEAD_is_answered_like_GET_without_the_body(string path)
    {
        using var client = ca.Anyone();
        using var get = await client.GetAsync(path);
        using var request = new HttpRequestMessage(HttpMethod.Head, path);
        using var head = await client.SendAsync(request);

        Assert.Equal((get.StatusCode, get.Content.Headers.ContentType), (head.StatusCode, head.Content.Headers.ContentType));
        Assert.Empty(await head.Content.ReadAsByteArrayAsync());
        Assert.NotEmpty(await get.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData("DELETE", "/crl/root.crl", "GET, HEAD")]
    [InlineData("PUT", "/registry/imports", "GET, HEAD, POST")]
    [InlineData("PUT", "/ocsp", "GET, HEAD, POST")]
    public async Task A_wrong_method_is_405_and_Allow_names_the_right_ones(string method, string path, string allowed)
    {
        using var client = ca.Anyone();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var answer = await client.SendAsync(request);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
        Assert.Equal(allowed, string.Join(", ", answer.Content.Headers.Allow.Order(StringComparer.Ordinal)));
        Assert.Equal("method-not-allowed", await answer.Problem());
    }

    [Fact]
    public async Task A_wrong_media_type_is_415()
    {
        using var client = ca.Officer(0);
        using var answer = await client.PostBytes($"/certificates/{new string('a', 64)}/hold", "{}"u8.ToArray(), "text/plain");

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, answer.StatusCode);
        Assert.Equal("unsupported-media-type", await answer.Problem());
    }

    [Theory]
    [InlineData("/practitioners/urn:mdid:o:01ARZ3NDEKTSV4RRFFQ69G5FAV/state")]
    [InlineData("/practitioners/somebody/state")]
    [InlineData("/institutions/urn:mdid:p:01ARZ3NDEKTSV4RRFFQ69G5FAV/state")]
    public async Task An_identifier_of_another_kind_is_malformed_before_anything_is_asked(string path)
    {
        using var client = ca.Officer(0);
        using var answer = await client.PostBytes(path, """{"state":"suspended","reason":"order"}"""u8.ToArray(), "application/json");

        Assert.Equal((HttpStatusCode.BadRequest, "malformed-request"), (answer.StatusCode, await answer.Problem()));
    }

    [Fact]
    public async Task Refusals_are_told_in_the_language_that_the_caller_prefers()
    {
        using var client = ca.Officer(0);
        client.DefaultRequestHeaders.AcceptLanguage.Add(new StringWithQualityHeaderValue("zh-CN"));
        using var chinese = await client.GetAsync("/certificates/" + new string('a', 64));
        using var plain = ca.Officer(0);
        using var english = await plain.GetAsync("/certificates/" + new string('a', 64));

        Assert.Equal("zh-CN", chinese.Content.Headers.ContentLanguage.Single());
        Assert.Contains("没有此 SHA-256 指纹的证书", System.Text.Json.JsonElement.Parse(await chinese.Content.ReadAsStringAsync()).GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Contains("No certificate has this SHA-256", await english.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_refusal_says_in_both_languages_what_to_do()
    {
        var refusals = RefusalCatalogueAttribute.In(typeof(Program).Assembly).ToList();
        Assert.True(refusals.Count > 50);
        Assert.All(refusals, r =>
        {
            Assert.Equal("ca", r.Service);
            Assert.Matches(@"\A[a-z0-9]+(-[a-z0-9]+)*\z", r.Refusal.Name);
            Assert.InRange(r.Refusal.Status, 400, 503);
            Assert.Matches(@"\p{IsCJKUnifiedIdeographs}.*。\z", r.Refusal.Chinese);
            Assert.Matches(@"\A[\x20-\x7e‖]+\.\z", r.Refusal.English);
            // What one language names, the other does.
            Assert.Equal(Members(r.Refusal.English), Members(r.Refusal.Chinese));
        });
    }

    // What the host refuses about an OCSP question is said in OCSP.
    [Theory]
    [InlineData("/ocsp", 0)]
    [InlineData("/ocsp", 5_000)]
    public async Task OCSP_without_a_question_or_with_too_long_a_one_is_malformed_and_no_problem_document(string path, int length)
    {
        using var client = ca.Anyone();
        using var content = new ByteArrayContent(new byte[length]);
        content.Headers.ContentType = new("application/ocsp-request");
        using var answer = length == 0 ? await client.GetAsync(path) : await client.PostAsync(path, content);

        Assert.Equal((HttpStatusCode.OK, "application/ocsp-response"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
        Assert.Equal(OcspResponse.Error(OcspError.MalformedRequest), await answer.Content.ReadAsByteArrayAsync());
    }

    private static IEnumerable<string> Members(string text) =>
        System.Text.RegularExpressions.Regex.Matches(text, @"\{[a-z]+\}", default, TimeSpan.FromSeconds(1)).Select(m => m.Value).Order(StringComparer.Ordinal);
}
