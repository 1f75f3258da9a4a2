using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.IdentityModel.Tokens;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.Idp.Clients;

/// <summary>
/// <c>import-clients --file FILE</c>: registers the clients of a reviewed file. Whoever can run it can already change the
/// database, so there is no endpoint to attack; every import is an <c>ADMIN.config</c> event.
/// </summary>
internal static class ImportClients
{
    private static readonly string[] KnownGrants = ["authorization_code", "client_credentials"];
    private static readonly string[] Profiles = ["standard", "oidc-compat", "fapi2"];

    public static async Task<int> Run(WebApplication app, string[] args, CancellationToken ct)
    {
        var file = ServiceHost.Argument(args, "--file") ?? throw new ValidationException("Name the file: --file FILE.");
        var clients = Parse(await File.ReadAllBytesAsync(file, ct));
        await using var connection = await app.Services.GetRequiredService<NpgsqlDataSource>().OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var outbox = app.Services.GetRequiredService<Outbox>();
        foreach (var client in clients)
        {
            await ClientStore.Put(tx, client, ct);
            var traced = await outbox.Append(tx, new AuditEvent
            {
                Action = "ADMIN.config", Actor = new Actor("operator"), Outcome = EventOutcome.Success, Subjects = [SubjectKey.Of("client", client.Id)], Basis = "client-registration",
            }, ct);
            if (traced is AppendOutcome.Refused refused)
            {
                await Console.Error.WriteLineAsync($"Nothing was registered: {refused.Reason.Detail}");
                return 1;
            }
        }

        await tx.CommitAsync(ct);
        Console.WriteLine($"{clients.Count} clients registered.");
        return 0;
    }

    /// <summary>Reads and checks a client file.</summary>
    /// <exception cref="ValidationException">A rule is broken; the message names client and rule.</exception>
    internal static IReadOnlyList<Client> Parse(byte[] json)
    {
        var root = JsonNode.Parse(json, documentOptions: new JsonDocumentOptions { MaxDepth = 16, AllowDuplicateProperties = false }) as JsonArray
            ?? throw new ValidationException("The file is a JSON array of clients.");
        return [.. root.Select(node => Check(Read(node as JsonObject ?? throw new ValidationException("Each client is a JSON object."))))];
    }

    private static Client Read(JsonObject node)
    {
        string? Text(string name) => node[name]?.GetValue<string>();
        string Needed(string name) => Text(name) ?? throw new ValidationException($"A client lacks {name}.");
        IReadOnlyList<string> Texts(string name) => [.. (node[name] as JsonArray ?? []).Select(v => v!.GetValue<string>())];
        return new Client(
            Needed("client_id"), Needed("name_zh"), Needed("name_en"), Text("kind") == "public", Text("profile") ?? "standard", Texts("redirect_uris"),
            Texts("post_logout_redirect_uris"), Texts("grant_types"), Texts("scopes"), Texts("resources"), node["jwks"]?.ToJsonString(), Text("role"), Text("institution"), Needed("region"));
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

        Rule(Profiles.Contains(client.Profile, StringComparer.Ordinal), "the profile is unknown.");
        Rule(client.GrantTypes.All(g => KnownGrants.Contains(g, StringComparer.Ordinal)), "a grant type is not offered.");
        Rule(client.Resources.Count > 0, "it names no resource.");
        Rule(client.IsPublic || client.Jwks is not null, "a confidential client registers its public keys (private_key_jwt).");
        Rule(!client.IsPublic || !client.GrantTypes.Contains("client_credentials"), "a public client cannot authenticate itself.");
        // RFC 9700 2.6 and RFC 8252 7.3: plain http only to the loopback interface.
        Rule(client.RedirectUris.Concat(client.PostLogoutRedirectUris).All(IsAllowedRedirect), "a redirect URI is not absolute https (or http on 127.0.0.1), or carries a fragment.");
        Rule(client.Jwks is null || new JsonWebKeySet(client.Jwks).Keys.All(k => k.Kid is { Length: > 0 } && !k.HasPrivateKey), "each key has a kid and no private part.");
        return client;
    }

    private static bool IsAllowedRedirect(string value) =>
        Uri.TryCreate(value, UriKind.Absolute, out var uri) && uri.Fragment.Length == 0 && !value.Contains('#', StringComparison.Ordinal) && uri.UserInfo.Length == 0
        && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && uri.Host is "127.0.0.1" or "[::1]" or "localhost"));
}
