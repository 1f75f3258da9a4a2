using System.ComponentModel.DataAnnotations;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using OpenIddict.Validation;
using OpenIddict.Validation.AspNetCore;
using static OpenIddict.Validation.OpenIddictValidationEvents;

namespace Trust.Kernel.Hosting;

/// <summary>Whose access tokens this service accepts.</summary>
public sealed record AccessTokenOptions
{
    /// <summary>Exact issuer (RFC 9068 §2.2.1, RFC 9207).</summary>
    [Required]
    public required string Issuer { get; init; }

    /// <summary>This service's resource identifier; a token for another is refused (RFC 9068 §4).</summary>
    [Required]
    public required string Audience { get; init; }

    /// <summary>Declared peer that serves the issuer's keys at <c>jwks</c>.</summary>
    public string Peer { get; init; } = "idp";
}

/// <summary>What became of a presented token.</summary>
internal abstract record TokenOutcome
{
    private TokenOutcome()
    {
    }

    /// <summary>Signature, issuer, audience, time and binding all hold.</summary>
    public sealed record Valid(Caller Caller) : TokenOutcome;

    /// <summary>No token in the Authorization header.</summary>
    public sealed record Missing : TokenOutcome;

    /// <summary>Not acceptable.</summary>
    public sealed record Invalid : TokenOutcome;

    /// <summary>The issuer's keys could not be read.</summary>
    public sealed record Unavailable : TokenOutcome;
}

/// <summary>
/// Validates RFC 9068 access tokens by OpenIddict.Validation, made strict: taken from the header only, two algorithms, one exact issuer and
/// audience, the claims of RFC 9068 2.2, a bounded life, and the <c>cnf</c> bindings of RFC 8705 and RFC 9449. Its types end here: callers see <see cref="Caller"/>.
/// </summary>
internal static class TokenValidation
{
    private const string Scheme = OpenIddictValidationAspNetCoreDefaults.AuthenticationScheme;
    private static readonly string[] Algorithms = [SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.RsaSsaPssSha256];

    /// <summary>Registers the scheme.</summary>
    public static void Add(IServiceCollection services, AccessTokenOptions tokens)
    {
        if (!Uri.TryCreate(tokens.Issuer, UriKind.Absolute, out var issuer) || (issuer.Scheme != Uri.UriSchemeHttps && !issuer.IsLoopback))
        {
            throw new ValidationException("Configuration section Tokens: the issuer is no https address.");
        }

        services.AddSingleton(tokens).AddSingleton<IssuerKeys>().AddSingleton<KnownTokens>();
        services.AddOpenIddict().AddValidation(validation =>
        {
            validation.SetIssuer(issuer).AddAudiences(tokens.Audience);
            validation.UseAspNetCore().DisableAccessTokenExtractionFromAuthorizationHeader().DisableAccessTokenExtractionFromBodyForm().DisableAccessTokenExtractionFromQueryString();
            Handlers(validation);
        });
        services.AddOptions<OpenIddictValidationOptions>().Configure<IssuerKeys>((options, keys) =>
        {
            options.ConfigurationManager = keys;
            var parameters = options.TokenValidationParameters;
            parameters.ValidAlgorithms = Algorithms;
            // As written: by itself the library takes the issuer with and without a slash at the end.
            parameters.ValidIssuers = [tokens.Issuer];
            parameters.RequireSignedTokens = true;
            parameters.TryAllIssuerSigningKeys = false;
            options.JsonWebTokenHandler.MaximumTokenSizeInBytes = PresentedToken.MostCharacters;
        });
    }

    /// <summary>Has every option checked now: by itself the library would check at the first request, and answer every request with a fault.</summary>
    /// <exception cref="InvalidOperationException">Options contradict each other.</exception>
    /// <exception cref="Residency.UndeclaredPeerException">The peer that serves the keys is not declared.</exception>
    public static void Check(IServiceProvider services)
    {
        if (services.GetService<AccessTokenOptions>() is not null)
        {
            _ = services.GetRequiredService<IOptionsMonitor<OpenIddictValidationOptions>>().CurrentValue;
        }
    }

    /// <summary>Validates the token of a request. Asked for by the routes that want one; others do no work for it.</summary>
    public static async Task<TokenOutcome> Validate(HttpContext context)
    {
        // Without the authentication middleware, which would ask for every request, the scheme is begun here.
        var schemes = context.RequestServices.GetRequiredService<IAuthenticationHandlerProvider>();
        var scheme = (IAuthenticationRequestHandler)(await schemes.GetHandlerAsync(context, Scheme))!;
        await scheme.HandleRequestAsync();
        var result = await scheme.AuthenticateAsync();
        if (result is { Succeeded: true, Principal: CallerPrincipal principal })
        {
            return new TokenOutcome.Valid(principal.Caller);
        }

        return result.None ? new TokenOutcome.Missing()
            : result.Properties?.GetString(OpenIddictValidationAspNetCoreConstants.Properties.Error) == OpenIddictConstants.Errors.TemporarilyUnavailable
                ? new TokenOutcome.Unavailable() : new TokenOutcome.Invalid();
    }

    private static void Handlers(OpenIddictValidationBuilder validation)
    {
        // It reads the Host header as an address and throws when it is none; nothing here goes by it.
        validation.RemoveEventHandler(OpenIddictValidationAspNetCoreHandlers.ResolveRequestUri.Descriptor);
        // It throws on every confirmation method but one (a token bound by DPoP would be a fault of ours); SenderConstraint judges instead.
        validation.RemoveEventHandler(OpenIddictValidationHandlers.Protection.ValidateProofOfPossession.Descriptor);
        validation.RemoveEventHandler(OpenIddictValidationAspNetCoreHandlers.ExtractClientCertificate.Descriptor);
        validation.AddEventHandler<ProcessAuthenticationContext>(handler => handler.UseSingletonHandler<PresentedToken>()
            .SetOrder(OpenIddictValidationAspNetCoreHandlers.ExtractAccessTokenFromAuthorizationHeader.Descriptor.Order));
        validation.AddEventHandler<ProcessAuthenticationContext>(handler => handler.UseSingletonHandler<TokenKeys>()
            .SetOrder(OpenIddictValidationHandlers.ResolveServerConfiguration.Descriptor.Order - 1));
        var verify = OpenIddictValidationHandlers.Protection.ValidateIdentityModelToken.Descriptor.Order;
        validation.AddEventHandler<ValidateTokenContext>(handler => handler.UseSingletonHandler<RecallToken>().SetOrder(verify - 1));
        validation.AddEventHandler<ValidateTokenContext>(handler => handler.UseSingletonHandler<RequiredClaims>().SetOrder(int.MaxValue - 3));
        validation.AddEventHandler<ValidateTokenContext>(handler => handler.UseSingletonHandler<SenderConstraint>().SetOrder(int.MaxValue - 2));
    }
}
