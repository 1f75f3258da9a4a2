using Trust.Idp.Authorize;
using Trust.Idp.Clients;
using Trust.Idp.Sessions;

namespace Trust.Idp.Login;

/// <summary>In whose name a person acts is a choice with legal weight: made by them, or by nobody.</summary>
public abstract record InstitutionChoice
{
    private InstitutionChoice()
    {
    }

    /// <summary>Nothing to ask: there is one, or the person chose it before in this session.</summary>
    public sealed record Made(CardAffiliation Affiliation) : InstitutionChoice;

    /// <summary>The person chooses among these.</summary>
    public sealed record Open(IReadOnlyList<CardAffiliation> Among) : InstitutionChoice;

    /// <summary>The person acts for none that this request may be answered for.</summary>
    /// <param name="Why">For the client and its user.</param>
    public sealed record None(string Why) : InstitutionChoice;

    /// <summary>
    /// The choice for a request: confined to the institution that the client is registered for, to the one that the client asked for (<c>acting_institution</c>), and to
    /// the one that its authorization details name.
    /// </summary>
    public static InstitutionChoice For(AuthorizationRequest request, Client client, Session session)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(session);
        var among = session.Holder.Affiliations;
        foreach (var (only, why) in new[]
        {
            (client.Institution, "The person is not registered at the institution that this application belongs to."),
            (request.AskedInstitution, "The person does not act for the institution that acting_institution names."),
            (request.ActingInstitution, "The person does not act for the institution that authorization_details names."),
        })
        {
            among = only is null ? among : [.. among.Where(a => a.Institution == only)];
            if (only is not null && among.Count == 0)
            {
                return new None(why);
            }
        }

        return among switch
        {
            [] => new None("There is no institution that the person acts for."),
            [var single] => new Made(single),
            _ when !request.Asks("select_account") && !request.Asks("consent") && among.FirstOrDefault(a => a.Institution == session.Institution) is { } before => new Made(before),
            _ => new Open(among),
        };
    }
}
