using Trust.Idp.Authorize;

namespace Trust.Idp.Login;

/// <summary>
/// <c>GET /card</c> on the card host: the handshake proves possession, <see cref="CardLogin"/> judges the rest and says why on the
/// login page. Open to any card.
/// </summary>
public sealed class ShowCard(AuthorizationRequests requests, CardLogin login, IdpOptions options)
{
    /// <summary>Takes the card of the connection and sends the browser back to the main host.</summary>
    public async Task<IResult> Handle(HttpContext context, string? request, CancellationToken ct)
    {
        // The connection must not be used again: a browser would go on presenting a card that has been pulled (docs/THREAT-MODEL.md).
        context.Response.Headers.Connection = "close";
        if (await requests.ClientOf(request, ct) is not { } client)
        {
            return SeeOther.To(options.Issuer + "/error?rule=request-expired");
        }

        if (context.Connection.ClientCertificate is not { } card)
        {
            return SeeOther.To($"{options.Issuer}/login?request={request}&refused=no-card");
        }

        return await login.Accept(card, request!, (context.Connection.RemoteIpAddress?.ToString(), client), ct) switch
        {
            CardOutcome.Accepted accepted => SeeOther.To($"{options.Issuer}/login/card?request={request}&handle={accepted.Handle}"),
            CardOutcome.Refused refused => SeeOther.To($"{options.Issuer}/login?request={request}&refused={refused.Rule}"),
            CardOutcome.Waits(var until) => SeeOther.To(FormattableString.Invariant($"{options.Issuer}/login?request={request}&refused=too-many-attempts&until={until.ToUnixTimeSeconds()}")),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }
}
