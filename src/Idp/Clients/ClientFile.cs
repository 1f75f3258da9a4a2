using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.IdentityModel.Tokens;

namespace Trust.Idp.Clients;

/// <summary>A file of clients, read strictly: a misspelt member would leave a client without the limit that its author meant.</summary>
internal static class ClientFile
{
    private static readonly string[] KnownGrants = ["authorization_code", "client_credentials"];
    private static readonly string[] Members =
    [
        "client_id", "name_zh", "name_en", "kind", "profile", "redirect_uris", "post_logout_redirect_uris", "grant_types", "scopes", "resources", "jwks", "role",
        "institution", "region", "enabled",
    ];

    /// <summary>Reads and checks a client file.</summary>
    /// <exception cref="ValidationException">A rule is broken; the message names client and rule.</exception>
    internal static IReadOnlyList<Client> Parse(byte[] json)
    {
        JsonArray? root;
        try
        {
            root = JsonNode.Parse(json, documentOptions: new JsonDocumentOptions { MaxDepth = 16, AllowDuplicateProperties = false }) as JsonArray;
        }
        catch (JsonException e)
        {
            throw new ValidationException("The file is no JSON: " + e.Message, e);
        }

        var clients = (root ?? throw new ValidationException("The file is a JSON array of clients."))
            .Select(node => Check(Read(node as JsonObject ?? throw new ValidationException("Each client is a JSON object.")))).ToList();
        return clients.GroupBy(c => c.Id, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice
            ? throw new ValidationException($"Client {twice.Key} stands there twice.") : clients;
    }

    private static Client Read(JsonObject node)
    {
        var named = node["client_id"] is JsonValue id && id.TryGetValue<string>(out var text) ? text : "?";
        ValidationException Broken(string rule) => new($"Client {named}: {rule}");
        string OfText(string name, JsonNode? value) =>
            value is JsonValue v && v.TryGetValue<string>(out var found) && found.Length > 0 ? found : throw Broken($"{name} is no text.");
        string? Text(string name) => node.TryGetPropertyValue(name, out var value) ? OfText(name, value) : null;
        string Needed(string name) => Text(name) ?? throw Broken($"{name} is missing.");
        IReadOnlyList<string> Texts(string name) => !node.TryGetPropertyValue(name, out var value) ? []
            : value is JsonArray array ? [.. array.Select(v => OfText(name, v))] : throw Broken($"{name} is no list.");
        if (node.FirstOrDefault(m => !Members.Contains(m.Key, StringComparer.Ordinal)) is { Key: { } unknown })
        {
            throw Broken($"the member {unknown} is unknown.");
        }

        return new Client(
            Needed("client_id"), Needed("name_zh"), Needed("name_en"),
            Text("kind") switch { null or "confidential" => false, "public" => true, _ => throw Broken("kind is confidential or public.") },
            Text("profile") ?? "standard", Texts("redirect_uris"), Texts("post_logout_redirect_uris"), Texts("grant_types"), Texts("scopes"), Texts("resources"),
            !node.TryGetPropertyValue("jwks", out var jwks) ? null : jwks is JsonObject ? jwks.ToJsonString() : throw Broken("jwks is no key set."),
            Text("role"), Text("institution"), Needed("region"),
            !node.TryGetPropertyValue("enabled", out var enabled)
            || (enabled is JsonValue flag && flag.TryGetValue<bool>(out var on) ? on : throw Broken("enabled is true or false.")));
    }

    private static Client Check(Client client)
    {
        void Rule(bool holds, string rule)
        {
            if (!holds)
            {
                throw new ValidationException($"Client {client.Id}: {rule}");
            }
        }

        // A profile that promises more than is kept would deceive whoever chose it.
        Rule(client.Profile is "standard", "the profile is not offered; the one there is, is standard (RFC 9700).");
        Rule(client.GrantTypes.All(g => KnownGrants.Contains(g, StringComparer.Ordinal)), "a grant type is not offered.");
        Rule(client.Resources.Count > 0, "it names no resource.");
        Rule(client.IsPublic || client.Jwks is not null, "a confidential client registers its public keys (private_key_jwt).");
        Rule(!client.IsPublic || !client.GrantTypes.Contains("client_credentials"), "a public client cannot authenticate itself.");
        // RFC 9700 2.6 and RFC 8252 7.3: plain http only to the loopback interface.
        Rule(client.RedirectUris.Concat(client.PostLogoutRedirectUris).All(IsAllowedRedirect), "a redirect URI is not absolute https (or http on 127.0.0.1), or carries a fragment.");
        Rule(client.Jwks is null || HasPublicKeysOnly(client.Jwks), "each key has a kid and no private part.");
        return client;
    }

    private static bool HasPublicKeysOnly(string jwks)
    {
        try
        {
            return new JsonWebKeySet(jwks).Keys.All(k => k.Kid is { Length: > 0 } && !k.HasPrivateKey);
        }
        catch (Exception e) when (e is ArgumentException or JsonException or FormatException)
        {
            return false;
        }
    }

    private static bool IsAllowedRedirect(string value) =>
        Uri.TryCreate(value, UriKind.Absolute, out var uri) && uri.Fragment.Length == 0 && !value.Contains('#', StringComparison.Ordinal) && uri.UserInfo.Length == 0
        && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && uri.Host is "127.0.0.1" or "[::1]" or "localhost"));
}
