using System.Security.Cryptography;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.LogFormat;

namespace Trust.SignService.Seals;

/// <summary>The events of a seal's key.</summary>
internal static class SealEvents
{
    /// <summary>One event about an institution's seal.</summary>
    /// <param name="action">Catalogue name.</param>
    /// <param name="institution">Whose seal.</param>
    /// <param name="caller">Its system.</param>
    /// <param name="what">The request or the certificate; its hash is the basis.</param>
    public static AuditEvent Of(string action, InstitutionId institution, Caller caller, ReadOnlySpan<byte> what) => new()
    {
        Action = action,
        Actor = caller.AsActor(),
        Subjects = [SubjectKey.Institution(institution.Value), SubjectKey.Of("client", caller.ClientId)],
        Outcome = EventOutcome.Success,
        Class = "KEY",
        Basis = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(what)),
    };
}
