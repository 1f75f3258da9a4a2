using Trust.Kernel.Hosting;
using Trust.Kernel.LiveStatus;

namespace Trust.SignService.Prescriptions;

/// <summary>
/// Holds what a prescription says beside its identifiers against the registry's signed answer about them: a pharmacy and a patient read the
/// name, not the identifier.
/// </summary>
internal static class RegisteredFacts
{
    // A registered scope is called "内科专业", and the same on a prescription "内科".
    private const string ScopeSuffix = "专业";

    /// <summary>Null when all of it agrees.</summary>
    public static Refusal? Compare(PrescriptionContent content, Entitlement.Permit permit)
    {
        var (author, institution) = (content.StatedAuthor, content.StatedInstitution);
        var member = author.Name != permit.Name ? "Practitioner.name"
            : author.Licence != permit.Licence?.Number ? "Practitioner.identifier"
            : institution.Name != permit.InstitutionName ? "Organization.name"
            : !author.Specialties.All(s => permit.Licence.Scope.Any(registered => IsWithin(s, registered))) ? "PractitionerRole.specialty"
            : null;
        return member is null ? null : SignRefusals.NotAsRegistered.With("member", member);
    }

    // Departments are called after the scope they branch from, which ends their name: 心血管内科 practises within 内科.
    private static bool IsWithin(string specialty, string registered)
    {
        var scope = registered.EndsWith(ScopeSuffix, StringComparison.Ordinal) ? registered[..^ScopeSuffix.Length] : registered;
        return specialty == registered || (scope.Length > 0 && specialty.EndsWith(scope, StringComparison.Ordinal));
    }
}
