using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;

namespace Trust.SignService;

/// <summary>A named refusal: the rule, the HTTP status that carries it, and what the caller can do.</summary>
/// <param name="Rule">Problem name in kebab case; stable.</param>
/// <param name="Status">HTTP status code.</param>
/// <param name="Detail">For people; no personal data, no secret.</param>
public sealed record Refusal(string Rule, int Status, string Detail)
{
    /// <summary>The caller may not do this.</summary>
    public static Refusal Forbidden(string rule, string detail) => new(rule, 403, detail);

    /// <summary>The thing is not in a state for this.</summary>
    public static Refusal Conflict(string rule, string detail) => new(rule, 409, detail);

    /// <summary>The content breaks a rule.</summary>
    public static Refusal Content(string rule, string detail) => new(rule, 422, detail);

    /// <summary>Something this needs is away; nothing was done.</summary>
    public static Refusal Unavailable(string rule, string detail) => new(rule, 503, detail);

    /// <summary>The request cannot be read.</summary>
    public static Refusal Malformed(string rule, string detail) => new(rule, 400, detail);

    /// <summary>No such prescription for this caller.</summary>
    public static readonly Refusal NotFound = new("not-found", 404, "There is no such prescription, or it is not yours to see.");

    /// <summary>The ledger did not take the event.</summary>
    public static Refusal From(AppendRefusal refusal) => Unavailable(
        refusal.Code, "The audit ledger cannot record this act now, so it is not done. Try again shortly.");

    /// <summary>As problem details.</summary>
    public ProblemHttpResult ToProblem(ProblemSet problems) => problems.Of(Rule, Status, Detail);
}
