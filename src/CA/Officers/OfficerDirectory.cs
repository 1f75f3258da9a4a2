using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
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
public sealed class OfficerDirectory(NpgsqlDataSource db, TimeProvider clock)
{
    private const string Find = """
        SELECT o.person FROM certificates c JOIN officers o ON o.person = c.holder
        WHERE c.sha256 = $1 AND c.profile = $2 AND c.state = 'good' AND c.not_before <= $3 AND c.not_after >= $3 AND o.active
        """;

    /// <summary>The officer whose good certificate of that profile this is; null when it is none.</summary>
    public Task<string?> PersonOf(string certificateSha256, string profile, CancellationToken ct) =>
        db.Sql(Find).With(certificateSha256).With(profile).With(clock.GetUtcNow()).Scalar<string>(ct);

    /// <summary>Lets only officers through, before their request's body is read; the card's status is asked at each request.</summary>
    internal static async ValueTask<Refusal?> Admit(HttpContext context)
    {
        var directory = context.RequestServices.GetRequiredService<OfficerDirectory>();
        var sha = Convert.ToHexStringLower(SHA256.HashData(context.Card().RawDataMemory.Span));
        if (await directory.PersonOf(sha, "officer-authentication", context.RequestAborted) is not { } person)
        {
            return CaRefusals.NotAnOfficer;
        }

        context.SetOfficer(new Officer(person, sha));
        return null;
    }
}

/// <summary>The officer of a request.</summary>
public static class OfficerOfRequest
{
    private static readonly object Item = new();

    extension(HttpContext context)
    {
        /// <summary>The officer who calls.</summary>
        /// <exception cref="InvalidOperationException">The endpoint is not an officers' endpoint.</exception>
        public Officer Officer() => context.Items[Item] as Officer ?? throw new InvalidOperationException("The endpoint is not for officers.");

        /// <summary>The officer who calls; null when the bearer of a token does.</summary>
        internal Officer? TryOfficer() => context.Items[Item] as Officer;

        internal void SetOfficer(Officer officer) => context.Items[Item] = officer;
    }
}
