using Microsoft.AspNetCore.WebUtilities;

namespace Trust.Idp.Authorize;

/// <summary>Answers to a relying party by redirect.</summary>
internal static class AuthorizationAnswer
{
    public static IResult Code(string redirect, string? state, string issuer, string code, string? sessionState = null) =>
        Redirect(redirect, state, issuer, [new("code", code), new("session_state", sessionState)]);

    public static IResult Error(string redirect, string? state, string issuer, string error, string detail) =>
        Redirect(redirect, state, issuer, [new("error", error), new("error_description", detail)]);

    private static IResult Redirect(string redirect, string? state, string issuer, IEnumerable<KeyValuePair<string, string?>> values) =>
        // RFC 9207: iss in success and error alike, against mix-up.
        SeeOther.To(QueryHelpers.AddQueryString(redirect, [.. values, new("state", state), new("iss", issuer)]));
}
