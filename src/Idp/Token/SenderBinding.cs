using Trust.Idp.Clients;
using Trust.Kernel.Hosting.Senders;

namespace Trust.Idp.Token;

/// <summary>What a token is bound to; both null for one that whoever holds it may use.</summary>
/// <param name="Jkt">Thumbprint of the sender's DPoP key (RFC 9449 6).</param>
/// <param name="X5t">Thumbprint of the sender's certificate (RFC 8705 3).</param>
public readonly record struct SenderBinding(string? Jkt, string? X5t)
{
    /// <summary>Bound to nothing.</summary>
    public static readonly SenderBinding None;

    /// <summary><c>token_type</c> of the answer.</summary>
    public string TokenType => Jkt is null ? "Bearer" : "DPoP";

    /// <summary>Whether a request shows what this binding demands.</summary>
    public bool IsMetBy(SenderBinding shown) => (Jkt is null || Jkt == shown.Jkt) && (X5t is null || X5t == shown.X5t);
}

/// <summary>What a request to the token endpoint shows of its sender, or the error it is answered with.</summary>
internal abstract record ShownSender
{
    private ShownSender()
    {
    }

    /// <summary>What tokens issued by this request are bound to.</summary>
    public sealed record Shown(SenderBinding Binding) : ShownSender;

    /// <summary>Refused.</summary>
    public sealed record Refused(string Error, string Description) : ShownSender;
}

/// <summary>Finds what tokens of a request are bound to: by what the client registered, and for others by the proof that they send of their own accord.</summary>
public sealed class Senders(SenderConstraints constraints, IdpOptions options)
{
    private readonly string[] _bases = options.MtlsUrl is { } own ? [options.Issuer, own] : [options.Issuer];

    /// <summary>Judges a request of a client that has proved itself.</summary>
    internal async ValueTask<ShownSender> Of(HttpContext context, Client client, CancellationToken ct)
    {
        var proof = await constraints.Prove(context, _bases, ct);
        return proof switch
        {
            DpopOutcome.Refused => new ShownSender.Refused("invalid_dpop_proof", "The DPoP proof does not hold for this request (RFC 9449 4.3)."),
            DpopOutcome.Absent when !Check.Holds("token.proof", !client.Metadata.DpopBoundAccessTokens) => new ShownSender.Refused("invalid_dpop_proof", "This client's tokens are bound: send a DPoP proof."),
            DpopOutcome.Proved(var shown) when !client.Metadata.TlsClientCertificateBoundAccessTokens => new ShownSender.Shown(new SenderBinding(shown.Thumbprint, null)),
            _ when !client.Metadata.TlsClientCertificateBoundAccessTokens => new ShownSender.Shown(SenderBinding.None),
            _ => SenderConstraints.CertificateThumbprint(context) is { } certificate
                ? new ShownSender.Shown(new SenderBinding(null, certificate))
                : new ShownSender.Refused("invalid_request", "This client's tokens are bound to its certificate: use the mtls_endpoint_aliases of the metadata."),
        };
    }

    /// <summary>A proof at an endpoint that issues no token (PAR): null in <c>Jkt</c> when none was sent.</summary>
    internal async ValueTask<(bool Holds, string? Jkt)> ProofAt(HttpContext context, CancellationToken ct) => await constraints.Prove(context, _bases, ct) switch
    {
        DpopOutcome.Absent => (true, null),
        DpopOutcome.Proved(var proof) => (true, proof.Thumbprint),
        _ => (false, null),
    };

    /// <summary>Whether whoever presents one of our own access tokens is whom it was given to.</summary>
    internal ValueTask<bool> IsMet(System.Text.Json.JsonElement? confirmation, string token, bool byDpop, HttpContext context, CancellationToken ct) =>
        constraints.IsMet(confirmation, token, byDpop, context, _bases, ct);
}
