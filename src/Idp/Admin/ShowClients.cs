using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Idp.Clients;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.Idp.Admin;

/// <summary>A client in a list.</summary>
public sealed record ClientSummary(string ClientId, string NameZh, string NameEn, string Profile, string? Institution, string Region, bool Enabled, string Method, string Binding);

/// <summary><c>GET /admin/clients</c>, <c>/admin/clients/{id}</c>: who may ask for tokens.</summary>
public sealed class ShowClients(NpgsqlDataSource db)
{
    private const string ListSql = """
        SELECT client_id, name_zh, name_en, profile, institution, region, enabled, metadata FROM clients WHERE client_id > $1 ORDER BY client_id LIMIT $2
        """;
    private const string OneSql = """
        SELECT row_to_json(c)::text FROM (SELECT client_id, name_zh, name_en, kind, profile, redirect_uris, post_logout_redirect_uris, grant_types, scopes, resources, jwks, role,
            institution, region, enabled, metadata FROM clients WHERE client_id = $1) c
        """;

    /// <summary>Those behind an identifier, in its order.</summary>
    public async Task<Results<Ok<IReadOnlyList<ClientSummary>>, Refusal>> List(string? after, int? limit, CancellationToken ct) =>
        limit is < 1 or > Page.Most || after?.Contains('\0', StringComparison.Ordinal) is true ? CommonRefusals.MalformedPage
            : TypedResults.Ok<IReadOnlyList<ClientSummary>>(await db.Sql(ListSql).With(after ?? "").With(limit ?? Page.Usual).All(Row, ct));

    /// <summary>One, whole, as its file would say it; no secret, only its hash.</summary>
    public async Task<IResult> Show(string id, CancellationToken ct)
    {
        if (id.Contains('\0', StringComparison.Ordinal) || await db.Sql(OneSql).With(id).Scalar<string>(ct) is not { } json)
        {
            return IdpRefusals.ClientUnknown;
        }

        var client = JsonNode.Parse(json)!.AsObject();
        foreach (var (name, value) in JsonNode.Parse(client["metadata"]!.GetValue<string>())!.AsObject().ToList())
        {
            client[name] = value?.DeepClone();
        }

        client.Remove("metadata");
        if (client["jwks"]?.GetValue<string>() is { } jwks)
        {
            client["jwks"] = JsonNode.Parse(jwks);
        }

        return Results.Text(client.ToJsonString(), "application/json");
    }

    private static ClientSummary Row(NpgsqlDataReader r)
    {
        var metadata = ClientMetadata.Read(JsonNode.Parse(r.GetString(7))!.AsObject());
        return new ClientSummary(
            r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.Nullable<string>(4), r.GetString(5), r.GetBoolean(6), metadata.TokenEndpointAuthMethod,
            metadata.DpopBoundAccessTokens ? "dpop" : metadata.TlsClientCertificateBoundAccessTokens ? "mtls" : "none");
    }
}

/// <summary><c>POST /admin/clients/{id}/disable</c>: takes a client's rights at once, by one officer. Giving them back takes two (<see cref="ProposeClientChange"/>).</summary>
public sealed class DisableClient(NpgsqlDataSource db, Outbox outbox)
{
    private const string Disable = "UPDATE clients SET enabled = false WHERE client_id = $1 AND enabled";
    private const string Exists = "SELECT true FROM clients WHERE client_id = $1";

    /// <summary>Disables; a client that is disabled stays so.</summary>
    public async Task<Results<NoContent, Refusal>> Handle(HttpContext context, string id, CancellationToken ct)
    {
        if (id.Contains('\0', StringComparison.Ordinal) || !await db.Sql(Exists).With(id).Scalar<bool>(ct))
        {
            return IdpRefusals.ClientUnknown;
        }

        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await tx.Sql(Disable).With(id).Execute(ct) > 0)
        {
            // GRANT.revoke never waits for the ledger: it takes rights away.
            await outbox.Append(tx, new AuditEvent
            {
                Action = "GRANT.revoke", Actor = OfficerCards.Of(context).Actor, Outcome = EventOutcome.Success, Reason = "client-disabled", Subjects = [SubjectKey.Of("client", id)],
            }, ct);
        }

        await tx.CommitAsync(ct);
        return TypedResults.NoContent();
    }
}
