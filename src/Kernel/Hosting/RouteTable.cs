using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Trust.Kernel.Residency;

namespace Trust.Kernel.Hosting;

/// <summary>One row of a service's route table.</summary>
/// <param name="Method">HTTP method; a GET route answers HEAD too (RFC 9110 9.3.2).</param>
/// <param name="Path">Route pattern.</param>
/// <param name="Who">Who may call it.</param>
/// <param name="Limit">How often one caller may.</param>
/// <param name="Summary">What it does, for the API document.</param>
/// <param name="Handler">Makes the handler; null for a page, which its own file maps.</param>
public sealed record Route(string Method, string Path, Who Who, Limit Limit, string Summary, Func<IServiceProvider, Delegate>? Handler)
{
    /// <summary>Largest body, in bytes; null for <see cref="ServiceHost.MaximumBody"/>.</summary>
    public long? MaximumBody { get; init; }

    /// <summary>Whether an Idempotency-Key is compulsory, and who keeps the answer.</summary>
    public Repeats Repeats { get; init; }

    /// <summary>
    /// True when the route answers although the process has not compared its database's head with the ledger: what it says is no fact of the database,
    /// or it only takes rights away (docs/decisions/0097). A route that does not say so is closed until then.
    /// </summary>
    public bool AnswersUncompared { get; init; }

    /// <summary>True when the route answers although a place of the service is out of order by residency: health, which says so.</summary>
    public bool AnswersClosed { get; init; }

    /// <summary>
    /// Most sensitive data that an answer may show: whoever is outside, or nobody knows where, gets none of it (rule CN-1). What anyone may ask for is public, and
    /// everything else personal, unless the row says otherwise.
    /// </summary>
    public DataClass Data { get; init; } = Who is Who.Public ? DataClass.Public : DataClass.Personal;

    /// <summary>Writes a refusal in the body that the route's protocol fixes; null for problem details.</summary>
    public Func<HttpContext, Refusal, Task>? ProtocolBody { get; init; }

    /// <summary>The row that answers whether the head was compared or not.</summary>
    public static Route Uncompared(Route route) => (route ?? throw new ArgumentNullException(nameof(route))) with { AnswersUncompared = true };
}

/// <summary>What a repeated POST with one Idempotency-Key gets.</summary>
public enum Repeats
{
    /// <summary>The route takes no key: its protocol has its own rule, or it changes nothing.</summary>
    ByProtocol,

    /// <summary>The first answer's bytes, kept by the host.</summary>
    FirstAnswer,

    /// <summary>The first answer, found in the row that carries the key.</summary>
    FirstRow,
}

/// <summary>
/// Every route of a service in one table that a reader can hold against the running service: method, path, who may call, how often,
/// what it does. What is not in the table is not there. Endpoint classes are singletons; the table makes them.
/// </summary>
public sealed class RouteTable
{
    private readonly List<Route> _routes = [];
    private readonly List<Type> _endpoints = [];

    /// <summary>The rows.</summary>
    public IReadOnlyList<Route> Routes => _routes;

    /// <summary>A GET route of an endpoint class.</summary>
    public RouteTable Get<T>(string path, Who who, Limit limit, Func<T, Delegate> handle, string summary, Func<Route, Route>? more = null) where T : class =>
        Add("GET", path, who, limit, handle, summary, more);

    /// <summary>A POST route of an endpoint class that takes an Idempotency-Key, unless <paramref name="more"/> says otherwise.</summary>
    public RouteTable Post<T>(string path, Who who, Limit limit, Func<T, Delegate> handle, string summary, Func<Route, Route>? more = null) where T : class =>
        Add("POST", path, who, limit, handle, summary, row => (more ?? (r => r))(row with { Repeats = Repeats.FirstAnswer }));

    /// <summary>A POST route whose protocol fixes its requests and answers.</summary>
    public RouteTable Protocol<T>(string path, Who who, Limit limit, Func<T, Delegate> handle, string summary, Func<Route, Route>? more = null) where T : class =>
        Add("POST", path, who, limit, handle, summary, more);

    /// <summary>A PUT route of an endpoint class.</summary>
    public RouteTable Put<T>(string path, Who who, Limit limit, Func<T, Delegate> handle, string summary, Func<Route, Route>? more = null) where T : class =>
        Add("PUT", path, who, limit, handle, summary, more);

    /// <summary>A DELETE route of an endpoint class.</summary>
    public RouteTable Delete<T>(string path, Who who, Limit limit, Func<T, Delegate> handle, string summary, Func<Route, Route>? more = null) where T : class =>
        Add("DELETE", path, who, limit, handle, summary, more);

    /// <summary>A GET route whose handler needs no class.</summary>
    public RouteTable Get(string path, Who who, Limit limit, Delegate handle, string summary, Func<Route, Route>? more = null) =>
        Add(new Route("GET", path, who, limit, summary, _ => handle), more);

    /// <summary>A POST route whose handler needs no class; takes an Idempotency-Key unless <paramref name="more"/> says otherwise.</summary>
    public RouteTable Post(string path, Who who, Limit limit, Delegate handle, string summary, Func<Route, Route>? more = null) =>
        Add(new Route("POST", path, who, limit, summary, _ => handle) { Repeats = Repeats.FirstAnswer }, more);

    /// <summary>A POST route whose protocol fixes its requests and answers, without a class.</summary>
    public RouteTable Protocol(string path, Who who, Limit limit, Delegate handle, string summary, Func<Route, Route>? more = null) =>
        Add(new Route("POST", path, who, limit, summary, _ => handle), more);

    /// <summary>A PUT route without a class.</summary>
    public RouteTable Put(string path, Who who, Limit limit, Delegate handle, string summary, Func<Route, Route>? more = null) =>
        Add(new Route("PUT", path, who, limit, summary, _ => handle), more);

    /// <summary>A page for people; its own file maps GET and, where it has a form, POST.</summary>
    public RouteTable Page(string path, Limit limit, string summary, Func<Route, Route>? more = null) =>
        Add(new Route("GET", path, Who.Anyone, limit, summary, null), more);

    /// <summary>The rows of another table after these.</summary>
    public RouteTable With(RouteTable other)
    {
        ArgumentNullException.ThrowIfNull(other);
        _routes.AddRange(other._routes);
        _endpoints.AddRange(other._endpoints);
        return this;
    }

    /// <summary>Gives pages, which the framework maps, the rows of their paths; a page without a row stays closed.</summary>
    public void Cover(IEndpointConventionBuilder pages)
    {
        ArgumentNullException.ThrowIfNull(pages);
        pages.Add(endpoint =>
        {
            if (endpoint is RouteEndpointBuilder page && _routes.Find(r => r.Handler is null && r.Path.Trim('/') == page.RoutePattern.RawText?.Trim('/')) is { } row)
            {
                endpoint.Metadata.Add(row);
            }
        });
    }

    /// <summary>Registers the endpoint classes that are not registered yet.</summary>
    internal void Register(IServiceCollection services) => _endpoints.ForEach(services.TryAddSingleton);

    /// <summary>Maps every row.</summary>
    internal void Map(WebApplication app)
    {
        foreach (var route in _routes.Where(r => r.Handler is not null))
        {
            string[] methods = route.Method == "GET" ? ["GET", "HEAD"] : [route.Method];
            var builder = app.MapMethods(route.Path, methods, route.Handler!(app.Services)).WithMetadata(route).WithSummary(route.Summary);
            if (route.MaximumBody is { } most)
            {
                builder.WithMetadata(new RequestSizeLimitAttribute(most));
            }
        }
    }

    private RouteTable Add<T>(string method, string path, Who who, Limit limit, Func<T, Delegate> handle, string summary, Func<Route, Route>? more) where T : class
    {
        _endpoints.Add(typeof(T));
        return Add(new Route(method, path, who, limit, summary, services => handle(services.GetRequiredService<T>())), more);
    }

    private RouteTable Add(Route row, Func<Route, Route>? more)
    {
        _routes.Add(more is null ? row : more(row));
        return this;
    }
}
