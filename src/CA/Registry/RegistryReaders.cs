using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Entitlements;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.CA.Registry;

/// <summary>
/// Who asks the registry by an access token: a regulator about the own region and what lies in it, a practitioner about herself. Each question is an event that the
/// ledger has confirmed before the answer leaves; who is refused leaves an event too.
/// </summary>
public sealed class RegistryReaders(NpgsqlDataSource db, Outbox outbox, ResidencyGate residency, TimeProvider clock)
{
    /// <summary>The scope of the token.</summary>
    public const string Scope = "registry.read";

    /// <summary>The regions that a caller answers for, its own first; null when it is no regulator.</summary>
    public IReadOnlyList<string>? RegionsOf(Caller caller) =>
        caller is { Role: "regulator", Region: { } region } ? residency.Terms.Regions.Within(region, ResidencyTerms.DayOf(clock.GetUtcNow())) : null;

    /// <summary>Whether a caller may have this question answered; null when it may.</summary>
    internal Refusal? Judge(Caller caller, EntitlementQuery query, EntitlementFacts facts)
    {
        if (RegionsOf(caller) is not { } own)
        {
            return query.Person is { } person && PersonId.TryParse(caller.Subject, out var self) && self == person ? null : CaRefusals.NotYourRecord;
        }

        // One of her region is hers wherever he works; one of elsewhere is hers at an institution of her region that he belongs to, and nothing is told of whoever is neither.
        var inside = query.Person is null ? Holds(own, facts.InstitutionRegion)
            : Holds(own, facts.PersonRegion) || (facts.Affiliated && Holds(own, facts.InstitutionRegion));
        return inside ? null : CaRefusals.OutsideYourRegion;
    }

    /// <summary>Has the ledger confirm a question; null when it has.</summary>
    internal async Task<Refusal?> Confirm(AuditEvent asked, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        return await outbox.AppendConfirmed(tx, asked, ct) switch
        {
            ConfirmOutcome.Confirmed => null,
            ConfirmOutcome.Refused(var why) => CommonRefusals.From(why),
            _ => CommonRefusals.LedgerAway,
        };
    }

    /// <summary>Records that a question was refused.</summary>
    internal async Task<Refusal> Refuse(AuditEvent asked, Refusal why, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        // Mode Confirmed: told afterwards it is never refused.
        (await outbox.Append(tx, asked with { Outcome = EventOutcome.Refused, Reason = why.Name }, ct)).IsNeverRefused();
        await tx.CommitAsync(ct);
        return why;
    }

    /// <summary>The event of a question.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="what">What for, as a code.</param>
    /// <param name="subjects">About whom.</param>
    internal static AuditEvent Question(Caller caller, string what, IReadOnlyList<SubjectKey> subjects) => new()
    {
        Action = "REG.query",
        Actor = new Actor(caller.Subject, caller.LoginCertificate, caller.Role, caller.Institution),
        Subjects = subjects,
        Outcome = EventOutcome.Success,
        Purpose = caller.Role is "regulator" ? "SUPERVISION" : null,
        Reason = what,
    };

    private static bool Holds(IReadOnlyList<string> own, string? region) => region is not null && own.Contains(region, StringComparer.Ordinal);
}
