using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Npgsql;
using Trust.Idp.Clients;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.Idp.Registration;

/// <summary>
/// <c>issue-registration-token --hosts a,b --profile P --scopes "…" --resources a,b --expires 24h</c> with <c>--grants</c>, <c>--role</c>, <c>--institution</c> and
/// <c>--region</c>: lets the bearer of the printed token register clients whose addresses name these hosts, each that of a declared peer. The token is shown once.
/// </summary>
internal static class IssueRegistrationToken
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(90);

    public static async Task<int> Run(WebApplication app, string[] args, CancellationToken ct)
    {
        var services = app.Services;
        var (clock, outbound, region) = (services.GetRequiredService<TimeProvider>(), services.GetRequiredService<Outbound>(), services.GetRequiredService<ServiceOptions>().Region);
        var now = clock.GetUtcNow();
        var grant = Read(args, Guid.CreateVersion7(now), region);
        if (grant.Hosts.FirstOrDefault(h => !outbound.KnowsHost(h)) is { } unknown)
        {
            throw new ValidationException($"{unknown} is the host of no declared peer: name it among Peers and declare it first.");
        }

        if (!services.GetRequiredService<ResidencyGate>().Terms.Regions.IsInside(grant.Region, ResidencyTerms.DayOf(now)))
        {
            throw new ValidationException($"Region {grant.Region} is not a listed region inside the mainland.");
        }

        var token = Secret.New();
        await using var connection = await services.GetRequiredService<NpgsqlDataSource>().OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await RegistrationStore.Put(tx, grant, token, now, now + Life(ServiceHost.Argument(args, "--expires") ?? "24h"), ct);
        var traced = await services.GetRequiredService<Outbox>().Append(tx, new AuditEvent
        {
            Action = "ADMIN.config", Actor = new Actor("operator"), Outcome = EventOutcome.Success, Reason = "registration-granted", Correlation = grant.Id.ToString("D"),
            Subjects = [SubjectKey.Of("service", "idp")], Basis = "grant:sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Line(grant)))),
        }, ct);
        if (traced is AppendOutcome.Refused refused)
        {
            await Console.Error.WriteLineAsync($"Nothing was granted: {refused.Reason.Detail}");
            return 1;
        }

        await tx.CommitAsync(ct);
        Console.WriteLine(token);
        return 0;
    }

    private static RegistrationGrant Read(string[] args, Guid id, string region)
    {
        string Needed(string name) => ServiceHost.Argument(args, name) ?? throw new ValidationException($"Name {name}.");
        static string[] List(string value) => value.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var grant = new RegistrationGrant(
            id, List(Needed("--hosts")), ServiceHost.Argument(args, "--profile") ?? "fapi2", List(ServiceHost.Argument(args, "--grants") ?? "authorization_code,refresh_token"),
            List(Needed("--scopes")), List(Needed("--resources")), ServiceHost.Argument(args, "--role"), ServiceHost.Argument(args, "--institution"),
            ServiceHost.Argument(args, "--region") ?? region);
        return grant.Profile is not ("fapi2" or "standard" or "oidc-compat") ? throw new ValidationException("--profile is fapi2, standard or oidc-compat.")
            : grant.Hosts.Count == 0 || grant.Scopes.Count == 0 || grant.Resources.Count == 0 ? throw new ValidationException("--hosts, --scopes and --resources each name at least one.")
            : grant.GrantTypes.FirstOrDefault(g => !ClientRules.Grants.Contains(g, StringComparer.Ordinal)) is { } foreign ? throw new ValidationException($"--grants: {foreign} is not offered.")
            : grant;
    }

    // 90m, 24h, 7d.
    private static TimeSpan Life(string text)
    {
        if (text.Length > 1 && double.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            var life = text[^1] switch { 'm' => TimeSpan.FromMinutes(number), 'h' => TimeSpan.FromHours(number), 'd' => TimeSpan.FromDays(number), _ => TimeSpan.Zero };
            if (life > TimeSpan.Zero && life <= Longest)
            {
                return life;
            }
        }

        throw new ValidationException("--expires is a number of minutes, hours or days (30m, 24h, 7d), at most 90 days.");
    }

    private static string Line(RegistrationGrant g) =>
        string.Join('\n', string.Join(' ', g.Hosts), g.Profile, string.Join(' ', g.GrantTypes), string.Join(' ', g.Scopes), string.Join(' ', g.Resources), g.Role, g.Institution, g.Region);
}
