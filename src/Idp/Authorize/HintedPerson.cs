using Trust.Idp.Clients;
using Trust.Idp.Sessions;

namespace Trust.Idp.Authorize;

/// <summary>Whether a session is the person's whom the client named by <c>id_token_hint</c> (OpenID Connect Core 3.1.2.1), by the subject that this client knows.</summary>
public sealed class HintedPerson(ClientStore clients, Subjects subjects)
{
    /// <summary>True for that person, or when the client named nobody.</summary>
    public async ValueTask<bool> Is(AuthorizationRequest request, Session session, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(session);
        return request.HintSubject is not { } named
            || (await clients.Find(request.ClientId, ct) is { } client && await subjects.Is(client, session.Person, named, ct));
    }
}
