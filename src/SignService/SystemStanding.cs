using Trust.Kernel.Hosting;
using Trust.Kernel.LiveStatus;

namespace Trust.SignService;

/// <summary>Whether the one who calls may be heard at all now: nothing is shown to, or done for, a closed institution or one who has left it.</summary>
public sealed class SystemStanding(EntitlementClient entitlements)
{
    /// <summary>Null when the registry permits a system to act for its institution, or a person to be logged in for it; a caller of no institution is not asked about.</summary>
    public async Task<Refusal?> Judge(Caller caller, CancellationToken ct)
    {
        if (caller.ActsFor is not { } institution)
        {
            return null;
        }

        var question = caller.Person is { } person
            ? new EntitlementQuestion(person.Value, institution.Value, "login") : new EntitlementQuestion(null, institution.Value, "system");
        return await entitlements.Check(question, ct) is Entitlement.Deny deny ? RegistryRefusals.From(deny) : null;
    }
}
