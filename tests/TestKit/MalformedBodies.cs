using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Route = Trust.Kernel.Hosting.Route;

namespace Trust.TestKit;

/// <summary>Sends every route of a running service that reads JSON what it cannot read, and holds the refusal to naming the member without its value.</summary>
public static class MalformedBodies
{
    private const string Secret = "510105196008150076";

    /// <summary>The routes that bind a JSON body, with the type they bind it to.</summary>
    public static IReadOnlyList<(Route Route, Type Body)> RoutesOf(IServiceProvider services) =>
        [.. services.GetServices<EndpointDataSource>().SelectMany(s => s.Endpoints).OfType<RouteEndpoint>()
            .Select(e => (e.Metadata.GetMetadata<Route>(), e.Metadata.GetMetadata<IAcceptsMetadata>()?.RequestType))
            .Where(r => r is { Item1: not null, RequestType: not null } && r.RequestType != typeof(object)).Select(r => (r.Item1!, r.RequestType!)).Distinct()];

    /// <summary>Holds one route to it.</summary>
    /// <param name="services">The service's.</param>
    /// <param name="body">What the route binds its body to.</param>
    /// <param name="send">Sends a body as a caller whom the route admits.</param>
    /// <returns>How many bodies were sent.</returns>
    public static async Task<int> Hold(IServiceProvider services, Type body, Func<HttpContent, Task<HttpResponseMessage>> send)
    {
        var type = services.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions.GetTypeInfo(body);
        var cases = Cases(type).ToList();
        foreach (var (json, wrong, member) in cases)
        {
            using var content = new StringContent(json);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var answer = await send(content);
            var text = await answer.Content.ReadAsStringAsync();
            Xunit.Assert.True((int)answer.StatusCode == 400, $"{body.Name} {wrong}: {(int)answer.StatusCode} {text}");
            var problem = JsonNode.Parse(text)!;
            Xunit.Assert.EndsWith(":malformed-request", problem["type"]!.GetValue<string>(), StringComparison.Ordinal);
            Xunit.Assert.Contains(wrong, problem["detail"]!.GetValue<string>(), StringComparison.Ordinal);
            if (member is not null)
            {
                Xunit.Assert.Equal(member, problem["member"]!.GetValue<string>());
                Xunit.Assert.Contains(member, problem["detail"]!.GetValue<string>(), StringComparison.Ordinal);
            }

            Xunit.Assert.DoesNotContain(Secret, text, StringComparison.Ordinal);
        }

        return cases.Count;
    }

    private static IEnumerable<(string Json, string Wrong, string? Member)> Cases(JsonTypeInfo type)
    {
        yield return ($$"""{"nope":"{{Secret}}"}""", "not known", "$.nope");
        yield return ("{\"" + Secret, "no JSON", null);
        yield return ("", "compulsory", "$");
        yield return ("null", "compulsory", "$");
        yield return ($"""["{Secret}"]""", "wrong kind", "$");
        if (type.Properties.FirstOrDefault(p => p.IsRequired) is { } required)
        {
            yield return ("{}", "compulsory", "$." + required.Name);
        }

        if (type.Properties.FirstOrDefault(p => p.PropertyType == typeof(string)) is { } text)
        {
            yield return ($$"""{"{{text.Name}}":"{{Secret}}","{{text.Name}}":"{{Secret}}"}""", "twice", "$." + text.Name);
            yield return ($$"""{"{{text.Name}}":{{Secret}}}""", "wrong kind", "$." + text.Name);
        }
    }
}
