using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Trust.Idp;

/// <summary>Tokens that strangers send: read without an exception for what is malformed.</summary>
internal static class ReceivedToken
{
    /// <summary>Longest token, in characters.</summary>
    public const int MaxLength = 16 * 1024;

    /// <summary>The token's parts, unverified; null when it is no JWS of ours to look at.</summary>
    public static JsonWebToken? TryRead(JsonWebTokenHandler handler, string? token)
    {
        if (token is not { Length: > 0 and <= MaxLength } || !handler.CanReadToken(token))
        {
            return null;
        }

        try
        {
            var read = handler.ReadJsonWebToken(token);
            // Dates are read when they are asked for, and a number beyond all dates throws only then.
            _ = (read.ValidFrom, read.ValidTo, read.IssuedAt, read.Alg);
            return read;
        }
        // CanReadToken looks at the shape alone; the reader throws for header and payload that are no JSON, or not of the right types.
        catch (Exception e) when (e is ArgumentException or FormatException or JsonException or SecurityTokenException or OverflowException or InvalidOperationException)
        {
            return null;
        }
    }
}
