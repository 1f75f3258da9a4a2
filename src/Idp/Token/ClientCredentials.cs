using Npgsql;
using Trust.Idp.Clients;
using Trust.Kernel.Audit;

namespace Trust.Idp.Token;

/// <summary>The client credentials grant (RFC 6749 §4.4), for systems proved by <c>private_key_jwt</c>.</summary>
public sealed class ClientCredentials(NpgsqlDataSource db, TokenIssuer issuer, Outbox outbox)
{
    private static readonly string[] Personal = ["openid", "profile", "rx.sign", "rx.review"];

    /// <summary>Answers the grant.</summary>
    internal async Task<IResult> Handle(HttpContext context, Client client, FormFields form, CancellationToken ct)
    {
        var asked = form.Text("scope")?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [];
        // A person's rights need the person: a system that acts alone must never look like a doctor (docs/RULES.md §3).
        if (asked.Length == 0 || asked.Any(s => !client.Scopes.Contains(s, StringComparer.Ordinal) || Personal.Contains(s, StringComparer.Ordinal)))
        {
            return OAuthError.Of(context, "invalid_scope", "A scope is missing, not registered for this client, or needs a person's login.");
        }

        var resource = form.Text("resource") ?? client.Resources[0];
        if (!client.Resources.Contains(resource, StringComparer.Ordinal))
        {
            return OAuthError.Of(context, "invalid_target", "The resource is not registered for this client.");
        }

        var scope = string.Join(' ', asked.Distinct(StringComparer.Ordinal));
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var (token, id, seconds) = await issuer.AccessToken(tx, client, null, scope, resource, null, ct);
        if (await outbox.Append(tx, TokenIssuer.Issued(client, null, id), ct) is AppendOutcome.Refused)
        {
            return OAuthError.Of(context, "temporarily_unavailable", "The audit ledger is away and its budget is spent.", StatusCodes.Status503ServiceUnavailable);
        }

        await tx.CommitAsync(ct);
        context.Response.Headers.CacheControl = "no-store";
        return Results.Json(new TokenBody(token, "Bearer", seconds, scope, null), IdpJson.Default.TokenBody);
    }
}

/// <summary>RFC 6749 §5.1 answer.</summary>
public sealed record TokenBody(
    [property: System.Text.Json.Serialization.JsonPropertyName("access_token")] string AccessToken,
    [property: System.Text.Json.Serialization.JsonPropertyName("token_type")] string TokenType,
    [property: System.Text.Json.Serialization.JsonPropertyName("expires_in")] int ExpiresIn,
    [property: System.Text.Json.Serialization.JsonPropertyName("scope")] string Scope,
    [property: System.Text.Json.Serialization.JsonPropertyName("id_token"), System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull)] string? IdToken);
