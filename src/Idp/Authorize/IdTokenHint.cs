using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Trust.Idp.Keys;

namespace Trust.Idp.Authorize;

/// <summary>Reads <c>id_token_hint</c> (OpenID Connect Core 3.1.2.1, RP-Initiated Logout 1.0 section 2): an ID token of ours, expired or not.</summary>
public sealed class IdTokenHint(SigningKeys keys, IdpOptions options)
{
    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false, MaximumTokenSizeInBytes = ReceivedToken.MaxLength };

    /// <summary>The token; null for a foreign, unsigned or malformed one.</summary>
    public async Task<JsonWebToken?> Read(string? value)
    {
        if (ReceivedToken.TryRead(_handler, value) is not { } received)
        {
            return null;
        }

        var result = await _handler.ValidateTokenAsync(received, new TokenValidationParameters
        {
            ValidTypes = ["JWT"], ValidAlgorithms = [SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSha256], ValidIssuer = options.Issuer, ValidateAudience = false, ValidateLifetime = false,
            IssuerSigningKeys = keys.ToVerify,
        });
        // A signed authorization response has the same issuer, type and audience, and no subject.
        return result is { IsValid: true, SecurityToken: JsonWebToken { Subject.Length: > 0 } token } ? token : null;
    }
}
