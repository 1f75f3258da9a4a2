using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Trust.Kernel.Hosting.Senders;

/// <summary>
/// Holds tokens to their senders: by the certificate of the connection (RFC 8705 3.1) or by a DPoP proof (RFC 9449 7.1). A confirmation of any other
/// form is refused, because what it demands cannot be checked here. A service without a database knows no proof again, and takes none.
/// </summary>
public sealed class SenderConstraints(TimeProvider clock, DpopReplays? replays = null)
{
    /// <summary>Algorithms of proofs, for metadata and challenges.</summary>
    public static readonly IReadOnlyList<string> Algorithms = ["ES256", "PS256"];

    /// <summary>The proof that came with a request, checked for this request; each counts once.</summary>
    /// <param name="context">The request.</param>
    /// <param name="bases">The service's own addresses at which it may have come in, without a slash at the end.</param>
    /// <param name="ct">Cancels the look for a replay.</param>
    public async ValueTask<DpopOutcome> Prove(HttpContext context, IReadOnlyList<string> bases, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(bases);
        var header = context.Request.Headers["DPoP"];
        if (header.Count == 0)
        {
            return new DpopOutcome.Absent();
        }

        // RFC 9449 4.3 item 1: not more than one, neither as lines nor as a list.
        if (header.Count != 1 || !DpopProof.TryRead(header[0] ?? "", out var proof))
        {
            return new DpopOutcome.Refused();
        }

        var now = clock.GetUtcNow();
        var path = context.Request.PathBase + context.Request.Path;
        return bases.Any(address => Uri.TryCreate(address + path, UriKind.Absolute, out var target) && proof.IsFor(context.Request.Method, target, now)) && replays is not null && await replays.IsFirst(proof, ct)
            ? new DpopOutcome.Proved(proof) : new DpopOutcome.Refused();
    }

    /// <summary>Whether whoever presents a token is whom it was given to.</summary>
    /// <param name="confirmation">The token's <c>cnf</c>; null for a token that whoever holds it may use.</param>
    /// <param name="token">The token as presented.</param>
    /// <param name="byDpop">Whether it was presented by the scheme <c>DPoP</c>, and not <c>Bearer</c>.</param>
    /// <param name="context">The request.</param>
    /// <param name="bases">As for <see cref="Prove"/>.</param>
    /// <param name="ct">Cancels the look for a replay.</param>
    public async ValueTask<bool> IsMet(JsonElement? confirmation, string token, bool byDpop, HttpContext context, IReadOnlyList<string> bases, CancellationToken ct)
    {
        if (confirmation is not { } cnf)
        {
            // A proof for a token that is bound to no key proves nothing, and its sender believes otherwise.
            return !byDpop;
        }

        if (cnf.ValueKind is not JsonValueKind.Object || cnf.EnumerateObject().ToList() is not [{ Value: { ValueKind: JsonValueKind.String } stated } method])
        {
            return false;
        }

        return method.Name switch
        {
            "x5t#S256" => !byDpop && Equal(stated.GetString()!, CertificateThumbprint(context)),
            // RFC 9449 7.1: bound to a key, the token is no bearer token, whoever presents it as one.
            "jkt" => byDpop && await Prove(context, bases, ct) is DpopOutcome.Proved(var proof) && proof.IsForToken(token) && Equal(stated.GetString()!, proof.Thumbprint),
            _ => false,
        };
    }

    /// <summary>The thumbprint of the connection's certificate (RFC 8705 3.1), base64url; null without one.</summary>
    public static string? CertificateThumbprint(HttpContext context) =>
        (context ?? throw new ArgumentNullException(nameof(context))).Connection.ClientCertificate is { } certificate
            ? Base64Url.EncodeToString(SHA256.HashData(certificate.RawDataMemory.Span)) : null;

    private static bool Equal(string stated, string? shown) => shown is not null && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(stated), Encoding.UTF8.GetBytes(shown));
}

/// <summary>What became of a request's DPoP proof.</summary>
public abstract record DpopOutcome
{
    private DpopOutcome()
    {
    }

    /// <summary>None was sent.</summary>
    public sealed record Absent : DpopOutcome;

    /// <summary>It holds, for this request, for the first time.</summary>
    public sealed record Proved(DpopProof Proof) : DpopOutcome;

    /// <summary>It does not hold; answer <c>invalid_dpop_proof</c>.</summary>
    public sealed record Refused : DpopOutcome;
}
