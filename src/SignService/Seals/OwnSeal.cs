using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;

namespace Trust.SignService.Seals;

/// <summary>A seal is handled by its institution's own system only: a stranger could fill the token with keys, or have it seal in another's name.</summary>
internal static class OwnSeal
{
    /// <summary>Whether the institution that the address names is the caller's own.</summary>
    /// <param name="caller">Who calls.</param>
    /// <param name="institution">As it stands in the address.</param>
    /// <param name="own">The institution, when the answer is null.</param>
    public static Refusal? Judge(Caller caller, string institution, out InstitutionId own) =>
        !InstitutionId.TryParse(institution, out own) ? SealRefusals.UnknownInstitution
        : caller.ActsFor == own ? null
        : SignRefusals.OtherInstitution;
}
