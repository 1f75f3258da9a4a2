using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Trust.Kernel.Audit;

namespace Trust.Idp.Clients;

/// <summary>How a client proved itself.</summary>
public abstract record ClientOutcome
{
    private ClientOutcome()
    {
    }

    /// <summary>Proved by the one method it registered, or a public client naming itself.</summary>
    public sealed record Proved(Client Client) : ClientOutcome;

    /// <summary>Refused; the rule is for the log and for RFC 6749 <c>error_description</c>.</summary>
    public sealed record Refused(string Rule) : ClientOutcome;
}

/// <summary>
/// Client authentication, by the one method that the client registered (RFC 6749 2.3: not more than one a request): <c>private_key_jwt</c>, its certificate (RFC 8705 2),
/// a secret where the profile oidc-compat allows it, or its name alone for a public client.
/// </summary>
public sealed class ClientAuthentication(ClientStore clients, ClientAssertions assertions, ClientCertificates certificates)
{
    private static readonly ClientOutcome.Refused Unproved = new("client authentication is required");

    /// <summary>Judges the credentials of a request.</summary>
    public async Task<ClientOutcome> Authenticate(FormFields form, HttpRequest request, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(form);
        ArgumentNullException.ThrowIfNull(request);
        var basic = request.Headers.Authorization.Count > 0;
        if ((basic ? 1 : 0) + (form.Has("client_secret") ? 1 : 0) + (form.Has("client_assertion") || form.Has("client_assertion_type") ? 1 : 0) > 1)
        {
            return new ClientOutcome.Refused("more than one way of client authentication");
        }

        return form.Has("client_assertion") || form.Has("client_assertion_type") ? await assertions.Judge(form, ct)
            : basic ? await ByHeader(form, request, ct)
            : form.Text("client_secret") is { } secret ? await BySecret(form.Text("client_id"), secret, "client_secret_post", ct)
            : await ByCertificateOrName(form.Text("client_id"), request.HttpContext, ct);
    }

    private async Task<ClientOutcome> ByHeader(FormFields form, HttpRequest request, CancellationToken ct) =>
        BasicCredentials(request.Headers.Authorization) is var (id, secret) && (form.Text("client_id") ?? id) == id
            ? await BySecret(id, secret, "client_secret_basic", ct) : new ClientOutcome.Refused("malformed Basic credentials");

    // RFC 6749 2.3.1: each half form-encoded, then as RFC 7617.
    private static (string Id, string Secret)? BasicCredentials(Microsoft.Extensions.Primitives.StringValues header)
    {
        const string Scheme = "Basic ";
        if (header.Count != 1 || header[0] is not { Length: <= 2048 } value || !value.StartsWith(Scheme, StringComparison.Ordinal))
        {
            return null;
        }

        var bytes = new byte[value.Length];
        return Convert.TryFromBase64String(value[Scheme.Length..].Trim(), bytes, out var length)
            && Encoding.UTF8.GetString(bytes.AsSpan(0, length)).Split(':', 2) is [var id, var secret]
            ? (System.Net.WebUtility.UrlDecode(id), System.Net.WebUtility.UrlDecode(secret)) : null;
    }

    private async Task<ClientOutcome> BySecret(string? id, string secret, string method, CancellationToken ct)
    {
        var client = await clients.Find(id, ct);
        // Compared whether the client is there or not, so that the time tells nothing.
        var stated = SHA256.HashData(Encoding.UTF8.GetBytes(secret));
        var kept = client?.Metadata.ClientSecretSha256 is { } hash ? Convert.FromHexString(hash) : new byte[32];
        return CryptographicOperations.FixedTimeEquals(stated, kept) && client is { IsCompat: true } && client.Metadata.TokenEndpointAuthMethod == method
            ? new ClientOutcome.Proved(client) : new ClientOutcome.Refused("unknown client, wrong secret, or not the method it registered");
    }

    private async Task<ClientOutcome> ByCertificateOrName(string? id, HttpContext context, CancellationToken ct) => await clients.Find(id, ct) switch
    {
        null => Unproved,
        { IsPublic: true } named => new ClientOutcome.Proved(named),
        { Metadata.TokenEndpointAuthMethod: "tls_client_auth" or "self_signed_tls_client_auth" } client =>
            await certificates.Proves(context, client, ct) ? new ClientOutcome.Proved(client) : new ClientOutcome.Refused("the connection shows no certificate of this client"),
        _ => Unproved,
    };
}
