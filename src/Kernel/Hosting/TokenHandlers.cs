using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Http;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using OpenIddict.Validation;
using Trust.Kernel.Hosting.Senders;
using static OpenIddict.Validation.OpenIddictValidationEvents;

namespace Trust.Kernel.Hosting;

/// <summary>What a valid token says, beside the claims it was read from.</summary>
internal sealed class CallerPrincipal(ClaimsPrincipal claims, Caller caller, double notBefore, double expires, JsonElement? confirmation) : ClaimsPrincipal(claims)
{
    /// <summary>The caller.</summary>
    public Caller Caller => caller;

    /// <summary>First second it may be used in, since 1970.</summary>
    public double NotBefore => notBefore;

    /// <summary>The second it ends with, since 1970.</summary>
    public double Expires => expires;

    /// <summary><c>cnf</c>; null for a token that whoever holds it may use.</summary>
    public JsonElement? Confirmation => confirmation;
}

/// <summary>Takes the token from the Authorization header.</summary>
internal sealed class PresentedToken : IOpenIddictValidationHandler<ProcessAuthenticationContext>
{
    /// <summary>Longest token read, in characters.</summary>
    public const int MostCharacters = 16 * 1024;

    private static readonly System.Buffers.SearchValues<char> Token68 = System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=");

    /// <inheritdoc/>
    public ValueTask HandleAsync(ProcessAuthenticationContext context)
    {
        var header = context.Transaction.GetHttpRequest()!.Headers.Authorization;
        if (header.Count == 0)
        {
            return default;
        }

        // RFC 9110 11.4: one header; the scheme's name in any case, then spaces, then the token.
        var value = header.Count == 1 ? header[0] ?? "" : "";
        var space = value.IndexOf(' ', StringComparison.Ordinal);
        var scheme = space < 0 ? value : value[..space];
        var token = space < 0 ? "" : value[space..].TrimStart(' ');
        var byDpop = Is(scheme, "DPoP");
        if (!(byDpop || Is(scheme, "Bearer")) || token.Length is 0 or > MostCharacters || token.AsSpan().ContainsAnyExcept(Token68))
        {
            context.Reject(OpenIddictConstants.Errors.InvalidToken);
            return default;
        }

        context.AccessToken = token;
        context.Transaction.Properties[ByDpop] = byDpop;
        return default;
    }

    /// <summary>Property of a transaction: whether its token came by the scheme <c>DPoP</c>.</summary>
    internal const string ByDpop = "trust.by-dpop";

#pragma warning disable RS0030 // Names of schemes have no case (RFC 9110 11.1).
    internal static bool Is(string scheme, string name) => scheme.Equals(name, StringComparison.OrdinalIgnoreCase);
#pragma warning restore RS0030
}

/// <summary>Finds the issuer's keys for the token before it is verified, and waits for a key that was published since they were read.</summary>
internal sealed class TokenKeys(IssuerKeys keys, KnownTokens known) : IOpenIddictValidationHandler<ProcessAuthenticationContext>
{
    /// <inheritdoc/>
    public async ValueTask HandleAsync(ProcessAuthenticationContext context)
    {
        if (!TryKid(context.AccessToken!, out var kid))
        {
            context.Reject(OpenIddictConstants.Errors.InvalidToken);
            return;
        }

        // OpenIddict hands the configuration it finds here to every later handler.
        if (await keys.For(kid, context.CancellationToken) is { } configuration)
        {
            context.Configuration = configuration;
        }
        else
        {
            context.Reject(OpenIddictConstants.Errors.TemporarilyUnavailable);
        }
    }

    private bool TryKid(string token, out string? kid)
    {
        if (known.Find(token) is { } entry)
        {
            kid = entry.Kid;
            return true;
        }

        kid = null;
        // Three parts: an encrypted token (five) is nothing this service was given a key for.
        if (token.Count(c => c == '.') != 2)
        {
            return false;
        }

        try
        {
            kid = new JsonWebToken(token).Kid;
            return true;
        }
        // The reader throws on what is no base64url, no JSON, no object.
        catch (Exception e) when (e is ArgumentException or FormatException or JsonException or SecurityTokenException or InvalidOperationException)
        {
            return false;
        }
    }
}

/// <summary>Tokens whose signature was verified, by their hash, so that a memory image is no store of tokens.</summary>
internal sealed class KnownTokens
{
    private const int Most = 10_000;
    private readonly ConcurrentDictionary<Hash, Entry> _entries = new();

    /// <summary>The entry of a token; null when it was not seen yet.</summary>
    public Entry? Find(string token) => _entries.GetValueOrDefault(Hash.Of(token));

    /// <summary>Keeps a token.</summary>
    public void Keep(string token, Entry entry)
    {
        if (_entries.Count >= Most)
        {
            _entries.Clear();
        }

        _entries[Hash.Of(token)] = entry;
    }

    /// <summary>One verified token.</summary>
    /// <param name="Principal">What it says.</param>
    /// <param name="Kid">Its key's name.</param>
    /// <param name="Keys">The set of keys it was verified under: under another it is verified again.</param>
    public sealed record Entry(CallerPrincipal Principal, string? Kid, OpenIddictConfiguration Keys);

    private readonly record struct Hash(UInt128 High, UInt128 Low)
    {
        public static Hash Of(string token)
        {
            Span<byte> bytes = stackalloc byte[SHA256.HashSizeInBytes];
            SHA256.HashData(Encoding.ASCII.GetBytes(token), bytes);
            return new Hash(System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes), System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes[16..]));
        }
    }
}

/// <summary>Spares a known token the signature check; time and binding are judged all the same.</summary>
internal sealed class RecallToken(KnownTokens known) : IOpenIddictValidationHandler<ValidateTokenContext>
{
    /// <inheritdoc/>
    public ValueTask HandleAsync(ValidateTokenContext context)
    {
        if (known.Find(context.Token!) is { } entry && ReferenceEquals(entry.Keys, context.Configuration))
        {
            context.Principal = entry.Principal;
        }

        return default;
    }
}

/// <summary>Holds a verified token to RFC 9068 2.2 and to our bounds of time, and makes the caller of it.</summary>
internal sealed class RequiredClaims(AccessTokenOptions options, KnownTokens known, TimeProvider clock) : IOpenIddictValidationHandler<ValidateTokenContext>
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    /// <summary>Longest life that a token may have left: what cannot be recalled is short-lived.</summary>
    public static readonly TimeSpan LongestLife = TimeSpan.FromMinutes(5);

    /// <summary>How far the issuer's clock may be ahead.</summary>
    public static readonly TimeSpan Skew = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public ValueTask HandleAsync(ValidateTokenContext context)
    {
        if (context.Principal is not CallerPrincipal principal)
        {
            if (Read(context.Principal!, context.Token!) is not { } read)
            {
                context.Reject(OpenIddictConstants.Errors.InvalidToken);
                return default;
            }

            principal = read;
            context.Principal = read;
            known.Keep(context.Token!, new KnownTokens.Entry(read, new JsonWebToken(context.Token!).Kid, context.Configuration));
        }

        var now = clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;
        if (now >= principal.Expires || principal.NotBefore > now + Skew.TotalSeconds || principal.Expires - now > (LongestLife + Skew).TotalSeconds)
        {
            context.Reject(OpenIddictConstants.Errors.InvalidToken);
        }

        return default;
    }

    // Read from the token's own bytes: as the library's claims, a list of one, a number and a string look alike, and an empty list is not there.
    private CallerPrincipal? Read(ClaimsPrincipal principal, string token)
    {
        try
        {
            var parts = token.Split('.');
            using var header = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[0]), Strict);
            using var payload = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[1]), Strict);
            // RFC 7515 4.1.11: an extension that must be understood, and is not.
            return header.RootElement.TryGetProperty("crit", out _) ? null : Read(principal, payload.RootElement);
        }
        // A name that stands twice is read differently by different readers; a half of a surrogate pair is no text.
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException)
        {
            return null;
        }
    }

    private CallerPrincipal? Read(ClaimsPrincipal principal, JsonElement claims)
    {
        if (Text(claims, "iss") != options.Issuer || !IsForUs(claims)
            || Text(claims, "sub") is not { Length: > 0 } subject || Text(claims, "client_id") is not { Length: > 0 } client || Text(claims, "jti") is not { Length: > 0 } id
            || Time(claims, "exp") is not { } expires || Time(claims, "iat") is not { } issued || (claims.TryGetProperty("nbf", out _) && Time(claims, "nbf") is null))
        {
            return null;
        }

        var caller = new Caller(
            subject, client, (Text(claims, "scope") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries).ToHashSet(StringComparer.Ordinal),
            Text(claims, "role"), Text(claims, "acting_institution"), Text(claims, "region"), Text(claims, "login_certificate"), Text(claims, "sid"), id);
        return new CallerPrincipal(principal, caller, Math.Max(issued, Time(claims, "nbf") ?? 0), expires, claims.TryGetProperty("cnf", out var cnf) ? cnf.Clone() : null);
    }

    private bool IsForUs(JsonElement claims) => claims.TryGetProperty("aud", out var audience) && audience.ValueKind switch
    {
        JsonValueKind.String => audience.ValueEquals(options.Audience),
        JsonValueKind.Array => audience.EnumerateArray().Any(a => a.ValueKind is JsonValueKind.String && a.ValueEquals(options.Audience)),
        _ => false,
    };

    private static string? Text(JsonElement claims, string name) =>
        claims.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;

    // RFC 7519 2: NumericDate, which may have a fraction.
    private static double? Time(JsonElement claims, string name) =>
        claims.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.Number && value.TryGetDouble(out var seconds) && seconds is >= 0 and < 253_402_300_800
            ? seconds : null;
}

/// <summary>Holds a bound token to its sender (<see cref="SenderConstraints"/>).</summary>
internal sealed class SenderConstraint(SenderConstraints senders, AccessTokenOptions options) : IOpenIddictValidationHandler<ValidateTokenContext>
{
    private readonly string[] _bases = [options.Audience.TrimEnd('/')];

    /// <inheritdoc/>
    public async ValueTask HandleAsync(ValidateTokenContext context)
    {
        var byDpop = context.Transaction.Properties.TryGetValue(PresentedToken.ByDpop, out var by) && by is true;
        if (context.Principal is not CallerPrincipal principal
            || !await senders.IsMet(principal.Confirmation, context.Token!, byDpop, context.Transaction.GetHttpRequest()!.HttpContext, _bases, context.CancellationToken))
        {
            context.Reject(OpenIddictConstants.Errors.InvalidToken);
        }
    }
}
