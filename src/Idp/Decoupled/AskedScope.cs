using Trust.Idp.Clients;

namespace Trust.Idp.Decoupled;

/// <summary>What a client may ask for where no browser comes: its grant, its scopes, its resources.</summary>
internal static class AskedScope
{
    /// <summary>The first rule that is broken; null when all hold.</summary>
    public static (string Error, string Detail)? Broken(Client client, string grant, FormFields fields)
    {
        var scopes = (fields.Text("scope") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return !client.GrantTypes.Contains(grant, StringComparer.Ordinal) ? ("unauthorized_client", "This grant is not registered for the client.")
            : !scopes.Contains("openid", StringComparer.Ordinal) ? ("invalid_scope", "The scope openid is required.")
            : scopes.Any(s => !client.Scopes.Contains(s, StringComparer.Ordinal)) ? ("invalid_scope", "A scope is not registered for this client.")
            : fields.Text("resource") is { } resource && !client.Resources.Contains(resource, StringComparer.Ordinal) ? ("invalid_target", "The resource is not registered for this client.")
            : null;
    }
}
