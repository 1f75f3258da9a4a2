using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.TestKit;

namespace Trust.SignService.Tests;

/// <summary>The route table held against the running service.</summary>
public sealed class RouteTests
{
    [Fact]
    public async Task Every_endpoint_has_its_row_and_every_row_its_endpoint()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var rows = rig.Parts.GetRequiredService<RouteTable>().Routes;
        var running = rig.Parts.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().ToList();

        Assert.All(running, endpoint => Assert.Contains(endpoint.Metadata.GetRequiredMetadata<Kernel.Hosting.Route>(), rows));
        Assert.Equal(
            rows.Select(row => $"{(row.Method == "GET" ? "GET HEAD" : row.Method)} {row.Path}").Order(StringComparer.Ordinal),
            running.Select(e => $"{string.Join(' ', e.Metadata.GetRequiredMetadata<HttpMethodMetadata>().HttpMethods)} {e.RoutePattern.RawText}").Order(StringComparer.Ordinal));
        Assert.All(rows, row => Assert.False(string.IsNullOrWhiteSpace(row.Who.ToString()) || string.IsNullOrWhiteSpace(row.Summary)));
    }

    [Fact]
    public void The_table_says_who_may_do_what()
    {
        var rows = Program.Service.Routes(new ConfigurationBuilder().Build()).Routes;
        Assert.Equal(
            [
                "GET /prescriptions/{id:guid} token with scope rx.read",
                "GET /prescriptions/{id:guid}/evidence service ledger",
                "GET /seals/{institution}/request token with scope seal",
                "POST /prescriptions token with scope rx.sign",
                "POST /prescriptions/{id:guid}/claim token with scope rx.claim",
                "POST /prescriptions/{id:guid}/dispense token with scope rx.dispense",
                "POST /prescriptions/{id:guid}/institution-void token with scope rx.void",
                "POST /prescriptions/{id:guid}/return token with scope rx.review",
                "POST /prescriptions/{id:guid}/review token with scope rx.review",
                "POST /prescriptions/{id:guid}/review/signature token with scope rx.review",
                "POST /prescriptions/{id:guid}/signature token with scope rx.sign",
                "POST /prescriptions/{id:guid}/unclaim token with scope rx.claim",
                "POST /prescriptions/{id:guid}/void token with scope rx.sign",
                "POST /seals/{institution}/signatures token with scope seal",
                "POST /timestamp anyone",
                "POST /validations token with scope validate",
                "PUT /seals/{institution}/certificate token with scope seal",
                "PUT /shreddings/{id:guid} service ledger",
            ],
            rows.Select(row => $"{row.Method} {row.Path} {row.Who}").Order(StringComparer.Ordinal));
        // Whatever changes something takes a key, unless its protocol has a rule of its own or it can be repeated as it is.
        Assert.All(rows, row => Assert.Equal(row is { Method: "POST", Path: not "/timestamp" }, row.Repeats is not Repeats.ByProtocol));
        Assert.All(rows, row => Assert.Equal(row.Who is Who.Service, row.Limit is Limit.None));
    }

    [Fact]
    public async Task A_head_request_answers_as_the_get_without_its_body()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var id = await rig.Signed();
        foreach (var path in new[] { $"/prescriptions/{id}", "/health/live" })
        {
            using var get = await Ask(rig, HttpMethod.Get, path);
            using var head = await Ask(rig, HttpMethod.Head, path);
            Assert.Equal(HttpStatusCode.OK, get.StatusCode);
            Assert.Equal(get.StatusCode, head.StatusCode);
            Assert.Equal(get.Content.Headers.ContentType, head.Content.Headers.ContentType);
            Assert.NotEmpty(await get.Content.ReadAsByteArrayAsync());
            Assert.Empty(await head.Content.ReadAsByteArrayAsync());
        }
    }

    [Fact]
    public async Task A_wrong_method_is_told_the_right_ones()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        foreach (var (method, path, allowed) in new[] { ("DELETE", "/prescriptions", "POST"), ("GET", "/timestamp", "POST"), ("POST", $"/seals/{SignRig.Hospital}/certificate", "PUT") })
        {
            using var answer = await Ask(rig, new HttpMethod(method), path);
            Assert.Equal([allowed], answer.Content.Headers.Allow);
            await SignRig.Refused(answer, "method-not-allowed", 405);
        }
    }

    [Fact]
    public async Task A_wrong_media_type_is_refused_wherever_a_body_is_read()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var rows = Program.Service.Routes(new ConfigurationBuilder().Build()).Routes
            .Where(r => r.Method is not "GET" && !r.Path.EndsWith("void", StringComparison.Ordinal) && !r.Path.EndsWith("claim", StringComparison.Ordinal));
        foreach (var row in rows)
        {
            var path = row.Path.Replace("{id:guid}", Guid.NewGuid().ToString(), StringComparison.Ordinal).Replace("{institution}", SignRig.Hospital, StringComparison.Ordinal);
            using var answer = await Ask(rig, new HttpMethod(row.Method), path, new StringContent("<a/>", Encoding.UTF8, "application/xml"));
            await SignRig.Refused(answer, "unsupported-media-type", 415);
        }
    }

    [Fact]
    public async Task What_the_doors_refuse_of_a_time_stamp_is_in_the_protocols_body()
    {
        await using var rig = await SignRig.Start(withSeal: false, settings => settings["RateLimits"] = new System.Text.Json.Nodes.JsonObject { ["Sign"] = 1 });
        var query = new TimeStampRequest(Oids.Sha256, new byte[32]).Encode();
        var answers = new List<(HttpStatusCode Status, string? Type, byte[] Body, bool RetryAfter)>();
        while (answers.Count < 20 && answers.All(a => a.Status == HttpStatusCode.OK))
        {
            var content = new ByteArrayContent(query);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/timestamp-query");
            using var answer = await Ask(rig, HttpMethod.Post, "/timestamp", content);
            answers.Add((answer.StatusCode, answer.Content.Headers.ContentType?.MediaType, await answer.Content.ReadAsByteArrayAsync(), answer.Headers.RetryAfter is not null));
        }

        Assert.NotNull(TimeStamp.TokenOf(answers[0].Body));
        var last = answers[^1];
        Assert.Equal((HttpStatusCode.TooManyRequests, "application/timestamp-reply", true), (last.Status, last.Type, last.RetryAfter));
        Assert.Null(TimeStamp.TokenOf(last.Body));
    }

    [Fact]
    public void Every_refusal_has_a_name_and_both_languages()
    {
        var refusals = RefusalCatalogueAttribute.In(typeof(Program).Assembly).ToList();
        Assert.True(refusals.Count > 100, $"{refusals.Count} refusals");
        Assert.All(refusals, entry =>
        {
            Assert.Equal("sign", entry.Service);
            Assert.Matches("^[a-z0-9]+(-[a-z0-9]+)*$", entry.Refusal.Name);
            Assert.InRange(entry.Refusal.Status, 400, 503);
            Assert.Matches(@"\p{IsCJKUnifiedIdeographs}", entry.Refusal.Chinese);
            Assert.DoesNotMatch(@"\p{IsCJKUnifiedIdeographs}", entry.Refusal.English);
        });
        // One name may stand for one rule at two points of a prescription's life, but never twice with one status.
        Assert.Equal(refusals.Count, refusals.Select(r => (r.Refusal.Name, r.Refusal.Status)).Distinct().Count() + Shared);
    }

    [Fact]
    public async Task A_body_that_cannot_be_read_is_refused_by_the_member_and_what_is_wrong_with_it_on_every_route()
    {
        await using var rig = await SignRig.Start(withSeal: false);
        var routes = MalformedBodies.RoutesOf(rig.Parts).Where(r => r.Route.Path is not ("/prescriptions" or "/timestamp")).ToList();
        Assert.NotEmpty(routes);
        foreach (var (route, body) in routes)
        {
            var path = route.Path.Replace("{id:guid}", Guid.NewGuid().ToString(), StringComparison.Ordinal).Replace("{institution}", SignRig.Hospital, StringComparison.Ordinal);
            await MalformedBodies.Hold(rig.Parts, body, content => route.Who is Who.Service ? rig.AsLedger(new HttpMethod(route.Method), path, content) : Ask(rig, new HttpMethod(route.Method), path, content));
        }

        foreach (var (json, member) in new[] { ("""{"bundle":{},"certificate":"AA==","more":1}""", "$.more"), ("{}", "$.bundle"), ("""{"bundle":{},"certificate":1}""", "$.certificate") })
        {
            using var answer = await rig.Post("/prescriptions", rig.DoctorToken(), raw: json);
            Assert.Equal(member, (await SignRig.Read(answer, 400)).GetProperty("member").GetString());
        }

        // What is bound by hand, or has no body.
        Assert.Equal(
            [],
            rig.Parts.GetRequiredService<RouteTable>().Routes.Where(r => r.Method is "POST" or "PUT" && !routes.Any(b => ReferenceEquals(b.Route, r))).Select(r => $"{r.Method} {r.Path}")
                .Except(["POST /prescriptions", "POST /timestamp", "POST /prescriptions/{id:guid}/void", "POST /prescriptions/{id:guid}/institution-void", "POST /prescriptions/{id:guid}/claim", "POST /prescriptions/{id:guid}/unclaim"]));
    }

    // malformed-certificate of a person's DER and of a seal's PEM.
    private const int Shared = 1;

    private static Task<HttpResponseMessage> Ask(SignRig rig, HttpMethod method, string path, HttpContent? content = null)
    {
        var request = new HttpRequestMessage(method, path) { Content = content };
        request.Headers.Authorization = new AuthenticationHeaderValue(
            "Bearer", rig.Peers.Token(SignRig.Doctor, "rx.sign rx.read rx.review rx.claim rx.dispense validate seal", "physician", SignRig.Hospital, "https://sign.example"));
        request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());
        return rig.Client.SendAsync(request);
    }
}
