using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using Trust.Idp.Clients;
using Trust.Idp.Keys;
using Trust.Idp.Sessions;
using Trust.Idp.Token;

namespace Trust.Idp.Authorize;

/// <summary>
/// Answers to a relying party: by redirect, by a form that posts itself (Form Post Response Mode 1.0), or in a signed token (JARM). Every answer names its
/// issuer (RFC 9207), success and error alike, against mix-up.
/// </summary>
public sealed class AuthorizationAnswer(ClientStore clients, SigningKeys keys, IdpOptions options, TimeProvider clock)
{
    // JARM 2.1: ten minutes at most are recommended; the code in it lives for one.
    private static readonly TimeSpan ResponseLife = TimeSpan.FromMinutes(2);

    /// <summary>Ways of answering that are offered.</summary>
    public static readonly IReadOnlyList<string> Modes = ["query", "form_post", "jwt", "query.jwt", "form_post.jwt"];

    /// <summary>The way that was asked for, or that of a code where none was; null when it is not offered.</summary>
    internal static string? ModeOf(string? asked) => asked is null ? "query" : Modes.Contains(asked, StringComparer.Ordinal) ? asked : null;

    /// <summary>A code.</summary>
    /// <param name="request">What is answered.</param>
    /// <param name="session">Whose login answers it.</param>
    /// <param name="code">The code.</param>
    /// <param name="ct">Cancels the signing.</param>
    public Task<IResult> Code(AuthorizationRequest request, Session session, string code, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(request);
        // Session Management 1.0 section 2: what the client holds against the session frame.
        return To(DestinationOf(request), [new("code", code), new("session_state", SessionState.For(request.ClientId, SessionState.OriginOf(request.RedirectUri), session))], ct);
    }

    /// <summary>An error of a request that was accepted.</summary>
    public Task<IResult> Error(AuthorizationRequest request, string error, string detail, CancellationToken ct) => Error(DestinationOf(request), error, detail, ct);

    /// <summary>An error.</summary>
    public Task<IResult> Error(Destination to, string error, string detail, CancellationToken ct) => To(to, [new("error", error), new("error_description", detail)], ct);

    private static Destination DestinationOf(AuthorizationRequest request) => new(request.ClientId, request.RedirectUri, request.State, request.ResponseMode);

    private async Task<IResult> To(Destination to, IEnumerable<KeyValuePair<string, string?>> values, CancellationToken ct)
    {
        KeyValuePair<string, string?>[] all = [.. values.Append(new("state", to.State)).Append(new("iss", options.Issuer)).Where(v => v.Value is not null)];
        if (to.Mode.EndsWith("jwt", StringComparison.Ordinal))
        {
            all = [new("response", await Signed(to.ClientId, all, ct))];
        }

        return to.Mode.StartsWith("form_post", StringComparison.Ordinal) ? new PostedAnswer(to.RedirectUri, all) : SeeOther.To(QueryHelpers.AddQueryString(to.RedirectUri, all));
    }

    // JARM 2.1: the parameters beside iss, aud and exp.
    private async Task<string> Signed(string clientId, KeyValuePair<string, string?>[] values, CancellationToken ct)
    {
        var client = await clients.Find(clientId, ct);
        return await keys.Sign(client?.Metadata.AuthorizationSignedResponseAlg ?? "ES256", "JWT", TokenIssuer.Write(json =>
        {
            json.WriteString("aud", clientId);
            json.WriteNumber("exp", (clock.GetUtcNow() + ResponseLife).ToUnixTimeSeconds());
            foreach (var (name, value) in values)
            {
                json.WriteString(name, value);
            }
        }), ct);
    }
}
