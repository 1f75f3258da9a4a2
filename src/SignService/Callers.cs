using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.LogFormat;

namespace Trust.SignService;

/// <summary>Who calls, as identifiers and as the actor of an event.</summary>
internal static class Callers
{
    extension(Caller caller)
    {
        /// <summary>The practitioner logged in; null when a system acts by itself.</summary>
        public PersonId? Person => PersonId.TryParse(caller.Subject, out var person) ? person : null;

        /// <summary>The institution acted for; null when the token names none.</summary>
        public InstitutionId? ActsFor => InstitutionId.TryParse(caller.Institution, out var institution) ? institution : null;

        /// <summary>The caller as the actor of an event, by the certificate of the login.</summary>
        public Actor AsActor() => new(caller.Subject, caller.LoginCertificate, caller.Role, caller.Institution);

        /// <summary>The same, acting by a signature certificate.</summary>
        /// <param name="certificate">SHA-256 in hex.</param>
        public Actor AsActor(string certificate) => new(caller.Subject, certificate, caller.Role, caller.Institution);
    }
}
