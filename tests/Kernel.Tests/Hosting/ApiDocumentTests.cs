using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Trust.Kernel.Hosting;

namespace Trust.Kernel.Tests.Hosting;

public sealed partial class ApiDocumentTests : IAsyncLifetime
{
    private TestService _service = null!;

    public async ValueTask InitializeAsync() => _service = await TestService.Start(new TestService.Wish
    {
        Routes = () => new RouteTable()
            .Get("/open/{id}", Who.Anyone, Limit.Read, (string id) => Results.Text(id), "Anyone.")
            .Get("/tiles/{level:int}/{**rest}", Who.Anyone, Limit.Read, (int level, string rest) => Results.Text($"{level}{rest}"), "Tiles.")
            .Post("/things", Who.Token("things.write"), Limit.Client, (Thing thing) => TypedResults.Ok(thing), "Makes a thing.")
            .Put("/things/{id}", Who.TokenOrPeers("things.write", "ca"), Limit.Client, (string id, Thing thing) => TypedResults.Ok(thing with { Name = id }), "Changes a thing.")
            .Get("/peers", Who.Peers("idp", "sign"), Limit.None, () => Results.Text("peers"), "Services.")
            .Get("/card", Who.Card("officer", _ => ValueTask.FromResult<Refusal?>(null)), Limit.Card, () => Results.Text("card"), "Officers.")
            .Protocol("/token", Who.Anyone, Limit.Login, (HttpContext c) => c.Response.WriteAsync("x"), "A protocol.", r => r with { ProtocolBody = (_, _) => Task.CompletedTask })
            .Page("/login", Limit.Login, "A page."),
    });

    public async ValueTask DisposeAsync() => await _service.DisposeAsync();

    [Fact]
    public async Task Every_row_of_the_route_table_with_a_handler_is_in_the_document_with_its_callers_and_its_refusal()
    {
        var document = await Document();
        var rows = _service.Services.GetRequiredService<RouteTable>().Routes.Where(r => r.Handler is not null).ToList();
        Assert.Equal(
            rows.Select(r => $"{r.Method} {Plain(r.Path)}").Order(StringComparer.Ordinal),
            document["paths"]!.AsObject().SelectMany(p => p.Value!.AsObject().Where(o => o.Key is not "parameters").Select(o => $"{o.Key.ToUpperInvariant()} {p.Key}")).Order(StringComparer.Ordinal));
        foreach (var row in rows)
        {
            var operation = document["paths"]![Plain(row.Path)]![row.Method.ToLowerInvariant()]!;
            Assert.Equal(row.Summary, operation["summary"]!.GetValue<string>());
            Assert.Equal(Ways(row.Who), operation["security"]?.AsArray().Select(s => s!.ToJsonString()) ?? []);
            var refusal = operation["responses"]!["default"]!;
            Assert.Equal(row.ProtocolBody is null, refusal["content"]?["application/problem+json"]?["schema"]?["$ref"]?.GetValue<string>() == "#/components/schemas/Problem");
            Assert.Equal(row.Repeats is not Repeats.ByProtocol, operation["parameters"]?.AsArray().Any(p => p!["name"]!.GetValue<string>() == "Idempotency-Key") ?? false);
        }
    }

    [Fact]
    public async Task The_document_names_bodies_and_no_operation_twice()
    {
        var document = await Document();
        Assert.StartsWith("3.1", document["openapi"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.NotNull(document["paths"]!["/things"]!["post"]!["requestBody"]!["content"]!["application/json"]!["schema"]);
        var names = document["paths"]!.AsObject().SelectMany(p => p.Value!.AsObject()).Select(o => o.Value!["operationId"]!.GetValue<string>()).ToList();
        Assert.Equal(names.Count, names.Distinct(StringComparer.Ordinal).Count());
        Assert.All(names, name => Assert.Matches("^[a-z][A-Za-z0-9_]*$", name));
        Assert.Equal(["card", "service", "token"], document["components"]!["securitySchemes"]!.AsObject().Select(s => s.Key).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_page_brings_its_script_itself_and_names_no_other_address()
    {
        using var client = _service.Client();
        using var page = await client.GetAsync("docs");
        var html = await page.Content.ReadAsStringAsync();
        Assert.Contains("script-src 'self';", string.Join(' ', page.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
        Assert.DoesNotContain("://", html, StringComparison.Ordinal);
        Assert.All(Script().Matches(html), script => Assert.StartsWith(" src=\"/docs/", script.Groups["rest"].Value, StringComparison.Ordinal));
        using var init = await client.GetAsync("docs/init.js");
        Assert.Equal("text/javascript", init.Content.Headers.ContentType?.MediaType);
        using var reader = await client.GetAsync("docs/scalar.js");
        Assert.True((await reader.Content.ReadAsByteArrayAsync()).Length > 100_000);
        Assert.Equal("gzip", Assert.Single(reader.Content.Headers.ContentEncoding));
    }

    private static string Plain(string path) => Constraint().Replace(path, "{${name}}");

    private static List<string> Ways(Who who) => who switch
    {
        Who.Bearer({ } scope, { Count: 0 }) => [$$"""{"token":["{{scope}}"]}"""],
        Who.Bearer({ } scope, _) => [$$"""{"token":["{{scope}}"]}""", """{"service":[]}"""],
        Who.Service => ["""{"service":[]}"""],
        Who.CardHolder => ["""{"card":[]}"""],
        _ => [],
    };

    private async Task<JsonNode> Document()
    {
        using var client = _service.Client();
        return JsonNode.Parse(await client.GetStringAsync("openapi/v1.json"))!;
    }

    [GeneratedRegex(@"\{\**(?<name>\w+)[^}]*\}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Constraint();

    [GeneratedRegex("<script(?<rest>[^>]*)>", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Script();

    internal sealed record Thing(string Name, int Count);
}
