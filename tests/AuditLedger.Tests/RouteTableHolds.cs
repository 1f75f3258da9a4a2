using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Trust.Kernel.Hosting;
using Route = Trust.Kernel.Hosting.Route;

namespace Trust.AuditLedger.Tests;

/// <summary>Holds a service's route table against what is running.</summary>
internal static class RouteTableHolds
{
    /// <summary>Every endpoint has its row, and every row its endpoint; each row says who may call and what it does.</summary>
    public static void Against(WebApplication app)
    {
        var table = app.Services.GetRequiredService<RouteTable>();
        var endpoints = app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().ToList();
        Assert.NotEmpty(endpoints);
        Assert.All(endpoints, e => Assert.Contains(e.Metadata.GetMetadata<Route>(), table.Routes));
        foreach (var route in table.Routes)
        {
            var endpoint = Assert.Single(endpoints, e => ReferenceEquals(e.Metadata.GetMetadata<Route>(), route));
            Assert.Equal(route.Path, endpoint.RoutePattern.RawText);
            Assert.Equal(
                route.Method == "GET" ? ["GET", "HEAD"] : new[] { route.Method },
                endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()!.HttpMethods.Order(StringComparer.Ordinal));
            Assert.NotEqual("", route.Who.ToString());
            Assert.NotEqual("service ", route.Who.ToString());
            Assert.EndsWith(".", route.Summary, StringComparison.Ordinal);
        }
    }

    /// <summary>HEAD answers as GET does, without its body.</summary>
    public static async Task HeadLikeGet(HttpClient client, string address)
    {
        using var got = await client.GetAsync(address);
        using var request = new HttpRequestMessage(HttpMethod.Head, address);
        using var head = await client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, got.StatusCode);
        Assert.Equal(got.StatusCode, head.StatusCode);
        Assert.Equal(got.Content.Headers.ContentType, head.Content.Headers.ContentType);
        Assert.Equal(got.Headers.CacheControl, head.Headers.CacheControl);
        Assert.Empty(await head.Content.ReadAsByteArrayAsync());
    }

    /// <summary>A method that the address does not know is 405, and Allow names those it knows.</summary>
    public static async Task OtherMethod(HttpClient client, string address, params string[] allowed)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, address);
        using var answer = await client.SendAsync(request);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
        Assert.Equal(allowed, answer.Content.Headers.Allow.Order(StringComparer.Ordinal));
        Assert.Contains("method-not-allowed", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }
}
