using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Trust.Kernel.Hosting;

namespace Trust.Kernel.Tests.Hosting;

/// <summary>A service of a few routes, shared by the tests of one class.</summary>
public sealed class RoutingRig : IAsyncLifetime
{
    internal TestService Service { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Service = await TestService.Start(new TestService.Wish
    {
        Routes = () => new RouteTable()
            .Get("/open", Who.Anyone, Limit.None, () => Results.Text("open"), "Anyone.")
            .Get("/numbers/{n:int}", Who.Anyone, Limit.None, (int n) => Results.Text($"{n}"), "A number.")
            .Get("/closed", Who.Peers("ca"), Limit.None, () => Results.Text("closed"), "A service.")
            .Protocol("/json", Who.Anyone, Limit.None, (Body body) => Results.Text(body.Name), "JSON.", r => r with { MaximumBody = 512 })
            .Protocol("/form", Who.Anyone, Limit.None, async (HttpContext c) => Results.Text($"{(await c.Request.ReadFormAsync()).Count}"), "A form.", r => r with { ProtocolBody = OwnBody })
            .Get("/broken", Who.Anyone, Limit.None, string () => throw new InvalidOperationException("secret"), "Fails."),
    });

    public async ValueTask DisposeAsync() => await Service.DisposeAsync();

    private static Task OwnBody(HttpContext context, Refusal refusal)
    {
        context.Response.StatusCode = refusal.Status;
        return context.Response.WriteAsJsonAsync(new JsonObject { ["error"] = "invalid_request" });
    }

    internal sealed record Body(string Name);
}

public sealed class RoutingTests(RoutingRig rig) : IClassFixture<RoutingRig>
{
    [Theory]
    [InlineData("/open")]
    [InlineData("/health/live")]
    [InlineData("/health/ready")]
    [InlineData("/numbers/5")]
    public async Task HEAD_answers_as_GET_does_without_the_body(string path)
    {
        using var get = await Send(HttpMethod.Get, path);
        using var head = await Send(HttpMethod.Head, path);
        Assert.Equal(get.StatusCode, head.StatusCode);
        Assert.Equal(get.Content.Headers.ContentType, head.Content.Headers.ContentType);
        Assert.Empty(await head.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData("DELETE", "/open", "GET, HEAD")]
    [InlineData("POST", "/health/live", "GET, HEAD")]
    [InlineData("PATCH", "/closed", "GET, HEAD")]
    [InlineData("GET", "/json", "POST")]
    [InlineData("OPTIONS", "/json", "POST")]
    [InlineData("TRACE", "/open", "GET, HEAD")]
    public async Task A_method_that_a_path_does_not_know_is_405_and_Allow_names_those_it_knows(string method, string path, string allow)
    {
        using var answer = await Send(new HttpMethod(method), path);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
        Assert.Equal(allow, string.Join(", ", answer.Content.Headers.Allow));
        await Names(answer, "method-not-allowed");
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/xml")]
    [InlineData("application/json; charset=utf-16")]
    [InlineData("application/json; charset=gb2312")]
    [InlineData("nonsense")]
    [InlineData("application/")]
    public async Task A_media_type_that_is_not_read_is_415(string type)
    {
        using var answer = await Send(HttpMethod.Post, "/json", Encoding.UTF8.GetBytes("""{"name":"x"}"""), type);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, answer.StatusCode);
        await Names(answer, "unsupported-media-type");
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("Application/JSON")]
    [InlineData("application/json; charset=\"utf-8\"")]
    [InlineData("application/json;CHARSET=UTF-8")]
    public async Task A_media_type_is_read_in_every_way_it_may_be_written(string type)
    {
        using var answer = await Send(HttpMethod.Post, "/json", Encoding.UTF8.GetBytes("""{"name":"x"}"""), type);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    public static TheoryData<string> Unreadable() =>
    [
        "", "null", "[]", "5", "{", "{}", """{"name":null}""", """{"name":"a","name":"b"}""", """{"name":"a","more":1}""", """{"Name":"a"}""", """{"name":"\ud800"}""",
        """{"name":"a"}x""", string.Concat(Enumerable.Repeat("""{"name":""", 40)), "\uFEFF\uFEFF{}",
    ];

    [Theory]
    [MemberData(nameof(Unreadable))]
    public async Task A_body_that_cannot_be_read_is_400(string body)
    {
        using var answer = await Send(HttpMethod.Post, "/json", Encoding.UTF8.GetBytes(body), "application/json");
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        await Names(answer, "malformed-request");
    }

    [Fact]
    public async Task Bytes_that_are_no_UTF_8_are_400_and_a_body_too_large_is_413()
    {
        using var bytes = await Send(HttpMethod.Post, "/json", [.. """{"name":" """u8, 0xff, 0xfe, .. "\"}"u8], "application/json");
        Assert.Equal(HttpStatusCode.BadRequest, bytes.StatusCode);
        using var large = await Send(HttpMethod.Post, "/json", Encoding.UTF8.GetBytes($$"""{"name":"{{new string('a', 600)}}"}"""), "application/json");
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, large.StatusCode);
        await Names(large, "body-too-large");
    }

    [Fact]
    public async Task A_form_of_too_many_fields_is_refused_in_the_body_of_its_protocol()
    {
        var form = string.Join('&', Enumerable.Range(0, 1100).Select(i => $"a{i}=b"));
        using var answer = await Send(HttpMethod.Post, "/form", Encoding.UTF8.GetBytes(form), "application/x-www-form-urlencoded");
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal("invalid_request", JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["error"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("application/x-www-form-urlencoded; charset=utf-16")]
    public async Task A_media_type_that_cannot_be_read_is_refused_in_the_body_of_the_routes_protocol(string type)
    {
        using var answer = await Send(HttpMethod.Post, "/form", "a=b"u8.ToArray(), type);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, answer.StatusCode);
        Assert.Equal("invalid_request", JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["error"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("/nothing")]
    [InlineData("/numbers/x")]
    [InlineData("/open/more")]
    [InlineData("/%00")]
    public async Task A_path_that_is_not_there_is_404_with_a_problem(string path)
    {
        using var answer = await Send(HttpMethod.Get, path);
        Assert.Contains(answer.StatusCode, new[] { HttpStatusCode.NotFound, HttpStatusCode.BadRequest });
        Assert.False(path == "/nothing" && answer.Content.Headers.ContentType?.MediaType != "application/problem+json");
    }

    [Fact]
    public async Task A_fault_says_a_trace_id_and_nothing_of_its_reason()
    {
        using var answer = await Send(HttpMethod.Get, "/broken");
        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        var body = await answer.Content.ReadAsStringAsync();
        Assert.Contains("traceId", body, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", body, StringComparison.Ordinal);
    }

    private static async Task Names(HttpResponseMessage answer, string name)
    {
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        Assert.Equal("urn:trust:problem:test:" + name, JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["type"]!.GetValue<string>());
    }

    private async Task<HttpResponseMessage> Send(HttpMethod method, string path, byte[]? body = null, string? type = null)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            Assert.True(request.Content.Headers.TryAddWithoutValidation("Content-Type", type));
        }

        using var client = rig.Service.Client();
        return await client.SendAsync(request);
    }
}
