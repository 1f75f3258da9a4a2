using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.Idp.Clients;

namespace Trust.Idp.Registration;

/// <summary>What became of a registration request.</summary>
internal abstract record RegistrationOutcome
{
    private RegistrationOutcome()
    {
    }

    /// <summary>The client as it is registered.</summary>
    /// <param name="Client">Kept by every rule.</param>
    /// <param name="Secret">Its new secret; null when it has none, or keeps the one it has.</param>
    public sealed record Accepted(Client Client, string? Secret) : RegistrationOutcome;

    /// <summary>Refused (RFC 7591 section 3.2.2).</summary>
    public sealed record Refused(string Error, string Description) : RegistrationOutcome;
}

/// <summary>Reads client metadata of a request under a grant. The rules are those of the operator's file, and every update is read as the first request was.</summary>
internal static class RegistrationRequest
{
    /// <summary>Largest request, in bytes.</summary>
    public const int LargestBody = 64 * 1024;

    private const string InvalidMetadata = "invalid_client_metadata";
    private const string InvalidRedirect = "invalid_redirect_uri";

    // Of the members that we know. A secret's hash is ours alone to make.
    private static readonly HashSet<string> Known =
        [.. ClientJson.Default.ClientMetadata.Properties.Select(p => p.Name).Except(["client_secret_sha256"], StringComparer.Ordinal)];

    /// <summary>Parses the JSON of a body; null when it is no object, nested deeply or names a member twice.</summary>
    public static JsonObject? Parse(ReadOnlySpan<byte> body)
    {
        try
        {
            return JsonNode.Parse(body, documentOptions: new JsonDocumentOptions { MaxDepth = 16, AllowDuplicateProperties = false }) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>The client that the request describes.</summary>
    /// <param name="request">The members.</param>
    /// <param name="grant">What may be registered.</param>
    /// <param name="clientId">Its identifier.</param>
    /// <param name="secretSha256">Hash of the secret that it has already; null for a new client.</param>
    public static RegistrationOutcome Read(JsonObject request, RegistrationGrant grant, string clientId, string? secretSha256)
    {
        try
        {
            return Judge(Build(request, grant, clientId, secretSha256), request, grant, secretSha256);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            return new RegistrationOutcome.Refused(InvalidMetadata, "A member has another form than its document says.");
        }
    }

    private static RegistrationOutcome Judge((Client Client, string? Secret) built, JsonObject request, RegistrationGrant grant, string? secretSha256)
    {
        _ = secretSha256;
        var client = built.Client;
        if (client.RedirectUris.FirstOrDefault(u => !ClientRules.IsAllowedRedirect(u) || !grant.Covers(u)) is { } redirect)
        {
            return new RegistrationOutcome.Refused(InvalidRedirect, $"{Shown(redirect)} is not absolute https (or http on 127.0.0.1), carries a fragment, or names a host outside this registration.");
        }

        if (Texts(request, "response_types").Any(t => t is not "code"))
        {
            return new RegistrationOutcome.Refused(InvalidMetadata, "Only response_type code is offered.");
        }

        if (client.GrantTypes.FirstOrDefault(g => !grant.GrantTypes.Contains(g, StringComparer.Ordinal)) is { } foreign)
        {
            return new RegistrationOutcome.Refused(InvalidMetadata, $"The grant type {Shown(foreign)} is not part of this registration.");
        }

        if (new[] { client.NameZh, client.NameEn }.Any(n => n.Length > 100 || n.Any(char.IsControl)))
        {
            return new RegistrationOutcome.Refused(InvalidMetadata, "client_name has at most 100 characters and no control characters.");
        }

        if (ClientRules.Broken(client) is { } rule)
        {
            return new RegistrationOutcome.Refused(InvalidMetadata, "The client breaks a rule: " + rule);
        }

        return Addresses(client).FirstOrDefault(a => !grant.Covers(a)) is { } outside
            ? new RegistrationOutcome.Refused(InvalidMetadata, $"{Shown(outside)} names a host outside this registration.")
            : new RegistrationOutcome.Accepted(client, built.Secret);
    }

    private static (Client Client, string? Secret) Build(JsonObject request, RegistrationGrant grant, string clientId, string? secretSha256)
    {
        // RFC 7591 2: members that we do not understand are ignored.
        var members = new JsonObject(request.Where(m => Known.Contains(m.Key) && m.Value is not null).Select(m => KeyValuePair.Create(m.Key, m.Value?.DeepClone())));
        Default(members, grant.Profile);
        var metadata = ClientMetadata.Read(members);
        string? secret = null;
        if (metadata.TokenEndpointAuthMethod is "client_secret_basic" or "client_secret_post")
        {
            secret = secretSha256 is null ? Secret.New() : null;
            metadata = metadata with { ClientSecretSha256 = secretSha256 ?? Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(secret!))) };
        }

        var grants = Texts(request, "grant_types");
        var name = Text(request, "client_name") ?? clientId;
        return (new Client(
            clientId, Text(request, "client_name#zh-CN") ?? Text(request, "client_name#zh") ?? name, Text(request, "client_name#en") ?? name, metadata.TokenEndpointAuthMethod is "none",
            grant.Profile, Texts(request, "redirect_uris"), Texts(request, "post_logout_redirect_uris"), grants.Count == 0 ? ["authorization_code"] : grants, grant.Scopes,
            grant.Resources, request["jwks"] is JsonObject jwks ? jwks.ToJsonString() : request["jwks"] is null ? null : throw new JsonException("jwks is no key set."),
            grant.Role, grant.Institution, grant.Region)
        {
            Metadata = metadata,
        }, secret);
    }

    // RFC 7591 and OpenID Connect Registration have defaults (client_secret_basic, RS256) that only the profile for older libraries allows.
    private static void Default(JsonObject members, string profile)
    {
        void Unless(string name, JsonNode value) => members[name] = members[name] ?? value;
        Unless("token_endpoint_auth_method", profile is "oidc-compat" ? "client_secret_basic" : "private_key_jwt");
        Unless("id_token_signed_response_alg", profile is "oidc-compat" ? "RS256" : "ES256");
        if (profile is "fapi2" && members["tls_client_certificate_bound_access_tokens"] is not JsonValue)
        {
            Unless("dpop_bound_access_tokens", true);
        }
    }

    private static IEnumerable<string> Addresses(Client client)
    {
        var m = client.Metadata;
        string?[] named =
        [
            m.JwksUri, m.SectorIdentifierUri, m.BackchannelLogoutUri, m.FrontchannelLogoutUri, m.BackchannelClientNotificationEndpoint, m.InitiateLoginUri, m.ClientUri, m.LogoUri,
            m.PolicyUri, m.TosUri, .. client.PostLogoutRedirectUris,
        ];
        return named.OfType<string>();
    }

    private static string? Text(JsonObject node, string name) => node[name]?.GetValue<string>() is { Length: > 0 } text ? text : null;

    private static IReadOnlyList<string> Texts(JsonObject node, string name) => node[name] is { } value ? [.. value.AsArray().Select(v => v?.GetValue<string>() ?? throw new JsonException("A list has an empty place."))] : [];

    private static string Shown(string value) => value.Length <= 200 && !value.Any(char.IsControl) ? value : "An address";
}
