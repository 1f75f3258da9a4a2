using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Npgsql;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Officers;

/// <summary>An RA officer at work.</summary>
/// <param name="Person">The person, whatever card is used.</param>
/// <param name="CertificateSha256">The card's authentication certificate.</param>
public sealed record Officer(string Person, string CertificateSha256)
{
    /// <summary>The officer as an event's actor.</summary>
    public Actor Actor => new(Person, CertificateSha256, "ra-officer");
}

/// <summary>
/// Knows officers by their cards. A certificate counts when this CA's own database holds exactly it as good: stronger than a
/// path, and nothing inside the certificate is followed.
/// </summary>
public sealed class OfficerDirectory(NpgsqlDataSource db, TimeProvider clock, ProblemSet problems)
{
    private const string Find = """
        SELECT o.person FROM certificates c JOIN officers o ON o.person = c.holder
        WHERE c.sha256 = $1 AND c.profile = $2 AND c.state = 'good' AND c.not_before <= $3 AND c.not_after >= $3 AND o.active
        """;

    private static readonly object Item = new();

    /// <summary>The officer whose good certificate of that profile this is; null when it is none.</summary>
    public Task<string?> PersonOf(string certificateSha256, string profile, CancellationToken ct) =>
        db.Sql(Find).With(certificateSha256).With(profile).With(clock.GetUtcNow()).Scalar<string>(ct);

    /// <summary>The officer of this request.</summary>
    /// <exception cref="InvalidOperationException">The endpoint is not an officers' endpoint.</exception>
    public static Officer Of(HttpContext context) =>
        context.Items[Item] as Officer ?? throw new InvalidOperationException("The endpoint is not for officers.");

    /// <summary>Lets only officers through; the card's status is asked at each request.</summary>
    internal async ValueTask<object?> Gate(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next)
    {
        var context = invocation.HttpContext;
        var sha = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(context.Card().RawDataMemory.Span));
        if (await PersonOf(sha, "officer-authentication", context.RequestAborted) is not { } person)
        {
            return problems.Of("not-an-officer", 403, "This card is not a valid officer's authentication card.");
        }

        context.Items[Item] = new Officer(person, sha);
        return await next(invocation);
    }
}

/// <summary>Marks endpoints that only officers may call.</summary>
public static class OfficerEndpoints
{
    /// <summary>Requires a card, and that it is an officer's.</summary>
    public static RouteHandlerBuilder RequireOfficer(this RouteHandlerBuilder builder) => builder
        .RequireCard()
        .AddEndpointFilter((invocation, next) =>
            ((OfficerDirectory)invocation.HttpContext.RequestServices.GetService(typeof(OfficerDirectory))!).Gate(invocation, next));
}
