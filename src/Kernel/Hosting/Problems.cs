using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Trust.Kernel.Hosting;

/// <summary>A service's RFC 9457 problem types: <c>urn:trust:problem:&lt;service&gt;:&lt;name&gt;</c>.</summary>
public sealed class ProblemSet(string service)
{
    /// <summary>One problem answer.</summary>
    /// <param name="name">The rule that refused, in kebab case; stable, callers match on it.</param>
    /// <param name="status">HTTP status code.</param>
    /// <param name="detail">What was wrong and what to do next; never a secret, never an exception's text.</param>
    /// <param name="extensions">Further members, for example which row or field.</param>
    public ProblemHttpResult Of(string name, int status, string detail, IDictionary<string, object?>? extensions = null) =>
        TypedResults.Problem(detail, type: Type(name), statusCode: status, title: name, extensions: extensions);

    /// <summary>The type URI of a problem name.</summary>
    public string Type(string name) => $"urn:trust:problem:{service}:{name}";
}
