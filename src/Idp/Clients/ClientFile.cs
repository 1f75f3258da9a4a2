using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.IdentityModel.Tokens;

namespace Trust.Idp.Clients;

/// <summary>A file of clients, read strictly: a misspelt member would leave a client without the limit that its author meant.</summary>
internal static class ClientFile
{
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
        var isPublic = Text("kind") switch { null or "confidential" => false, "public" => true, _ => throw Broken("kind is confidential or public.") };
        return new Client(
            Needed("client_id"), Needed("name_zh"), Needed("name_en"),
            isPublic,
            // A fresh installation is strict (docs/decisions/0124-three-client-profiles.md): who wants less says so.
            Text("profile") ?? "fapi2", Texts("redirect_uris"), Texts("post_logout_redirect_uris"), Texts("grant_types"), Texts("scopes"), Texts("resources"),
            !node.TryGetPropertyValue("jwks", out var jwks) ? null : jwks is JsonObject ? jwks.ToJsonString() : throw Broken("jwks is no key set."),
            Text("role"), Text("institution"), Needed("region"),
            !node.TryGetPropertyValue("enabled", out var enabled)
            || (enabled is JsonValue flag && flag.TryGetValue<bool>(out var on) ? on : throw Broken("enabled is true or false.")))
        {
            Metadata = Metadata(node, isPublic, Broken),
        };
    }

    // Everything else is named by RFC 7591 and the documents that add to it.
    private static ClientMetadata Metadata(JsonObject node, bool isPublic, Func<string, Exception> broken)
    {
        var rest = new JsonObject(node.Where(m => !Members.Contains(m.Key, StringComparer.Ordinal)).Select(m => KeyValuePair.Create(m.Key, m.Value?.DeepClone())));
        try
        {
            var metadata = ClientMetadata.Read(rest);
            return isPublic && !rest.ContainsKey("token_endpoint_auth_method") ? metadata with { TokenEndpointAuthMethod = "none" } : metadata;
        }
        catch (JsonException e)
        {
            throw broken("a member is unknown or has another form: " + e.Message);
        }
    }

    private static Client Check(Client client) => ClientRules.Broken(client) is { } rule ? throw new ValidationException($"Client {client.Id}: {rule}") : client;
}
