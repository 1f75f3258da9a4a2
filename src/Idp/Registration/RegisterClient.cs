using System.Text.Json;
using System.Text.Json.Nodes;
using Npgsql;
using Trust.Idp.Clients;
using Trust.Idp.Token;
using Trust.Kernel.Audit;
using Trust.LogFormat;

namespace Trust.Idp.Registration;

/// <summary><c>POST /register</c> (RFC 7591, OpenID Connect Registration), and what a client may then do with its own registration (RFC 7592).</summary>
internal sealed class RegisterClient
{
    private static readonly string[] ServerOnly = ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"];
    private readonly NpgsqlDataSource _db;
    private readonly RegistrationStore _registrations;
    private readonly ClientStore _clients;
    private readonly RegisteredAddresses _addresses;
    private readonly Outbox _outbox;
    private readonly RefusalCounter _strangers;
    private readonly IdpOptions _options;
    private readonly TimeProvider _clock;

    /// <summary>Made by the route table.</summary>
    public RegisterClient(
        NpgsqlDataSource db, RegistrationStore registrations, ClientStore clients, RegisteredAddresses addresses, Outbox outbox, RefusalCounter strangers, IdpOptions options, TimeProvider clock) =>
        (_db, _registrations, _clients, _addresses, _outbox, _strangers, _options, _clock) = (db, registrations, clients, addresses, outbox, strangers, options, clock);

    /// <summary>Registers a client for the bearer of an initial access token.</summary>
    public async Task<IResult> Handle(HttpContext context, CancellationToken ct)
    {
        if (await _registrations.Find(BearerOf(context), ct) is not { } grant)
        {
            return Unauthorized(context);
        }

        var id = "dcr-" + Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(12));
        switch (await Read(context, grant, id, null, ct))
        {
            case RegistrationOutcome.Accepted(var client, var secret):
                var token = Secret.New();
                return await Commit(client, grant, "registered", tx => _registrations.Keep(tx, client, grant, token, ct), ct) is { } refused
                    ? refused(context) : Answer(context, client, secret, token, StatusCodes.Status201Created);
            case RegistrationOutcome.Refused(var error, var why):
                return OAuthError.Of(context, error, why);
            default:
                throw new InvalidOperationException("A closed set.");
        }
    }

    /// <summary><c>GET</c>: shows a client its registration.</summary>
    public async Task<IResult> Show(HttpContext context, string clientId, CancellationToken ct) =>
        await _registrations.Find(clientId, BearerOf(context), ct) is not null && await _clients.FindNow(clientId, ct) is { } client
            ? Answer(context, client, null, BearerOf(context)!, StatusCodes.Status200OK) : Unauthorized(context);

    /// <summary><c>PUT</c>: replaces a registration, judged as a new one would be: no update may reach what no registration could (CVE-2026-16102).</summary>
    public async Task<IResult> Replace(HttpContext context, string clientId, CancellationToken ct)
    {
        if (BearerOf(context) is not { } token || await _registrations.Find(clientId, token, ct) is not { } grant || await _clients.FindNow(clientId, ct) is not { } before)
        {
            return Unauthorized(context);
        }

        switch (await Read(context, grant, clientId, before, ct))
        {
            case RegistrationOutcome.Accepted(var client, var secret):
                var gone = false;
                var refused = await Commit(client, grant, "updated", async tx => gone = !await RegistrationStore.Lock(tx, clientId, token, ct), ct, () => gone);
                return refused is not null ? refused(context) : Answer(context, client, secret, token, StatusCodes.Status200OK);
            case RegistrationOutcome.Refused(var error, var why):
                return OAuthError.Of(context, error, why);
            default:
                throw new InvalidOperationException("A closed set.");
        }
    }

    /// <summary><c>DELETE</c>: ends a registration; the client's tokens die with it.</summary>
    public async Task<IResult> Remove(HttpContext context, string clientId, CancellationToken ct)
    {
        if (BearerOf(context) is not { } token || await _registrations.Find(clientId, token, ct) is not { } grant)
        {
            return Unauthorized(context);
        }

        await using var connection = await _db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (!await RegistrationStore.Remove(tx, clientId, token, ct))
        {
            return Unauthorized(context);
        }

        if (await _outbox.Append(tx, EventOf(grant, clientId, "deregistered", null), ct) is AppendOutcome.Refused)
        {
            return LedgerAway(context);
        }

        await tx.CommitAsync(ct);
        return Results.NoContent();
    }

    private async Task<RegistrationOutcome> Read(HttpContext context, RegistrationGrant grant, string clientId, Client? before, CancellationToken ct)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, ct);
        if (RegistrationRequest.Parse(body.ToArray()) is not { } request)
        {
            return new RegistrationOutcome.Refused("invalid_client_metadata", "The body is one JSON object with each member once.");
        }

        if (before is not null && Misfit(request, before) is { } misfit)
        {
            return new RegistrationOutcome.Refused("invalid_client_metadata", misfit);
        }

        var outcome = RegistrationRequest.Read(request, grant, clientId, before?.Metadata.ClientSecretSha256);
        return outcome is RegistrationOutcome.Accepted(var client, _) && await _addresses.Broken(client, ct) is { } rule
            ? new RegistrationOutcome.Refused("invalid_client_metadata", rule) : outcome;
    }

    // RFC 7592 2.2: the client names itself, and what only the server says may not stand there.
    private static string? Misfit(JsonObject request, Client before)
    {
        string? Text(string name) => request[name] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
        return Text("client_id") != before.Id ? "client_id must be this client's."
            : ServerOnly.FirstOrDefault(request.ContainsKey) is { } foreign
                ? foreign + " is the server's to say."
            : request.ContainsKey("client_secret") && (Text("client_secret") is not { } secret
                || Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(secret))) != before.Metadata.ClientSecretSha256)
                ? "client_secret is not this client's; it cannot be chosen." : null;
    }

    private async Task<Func<HttpContext, IResult>?> Commit(
        Client client, RegistrationGrant grant, string reason, Func<NpgsqlTransaction, Task> with, CancellationToken ct, Func<bool>? gone = null)
    {
        await using var connection = await _db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (gone is not null)
        {
            await with(tx);
            if (gone())
            {
                return Unauthorized;
            }

            await ClientStore.Put(tx, client, ct);
        }
        else
        {
            await ClientStore.Put(tx, client, ct);
            await with(tx);
        }

        if (await _outbox.Append(tx, EventOf(grant, client.Id, reason, ImportClients.Basis(client)), ct) is AppendOutcome.Refused)
        {
            return LedgerAway;
        }

        await tx.CommitAsync(ct);
        return null;
    }

    private static AuditEvent EventOf(RegistrationGrant grant, string clientId, string reason, string? basis) => new()
    {
        Action = "ADMIN.config", Actor = new Actor("registration:" + grant.Id.ToString("D"), null, null, grant.Institution), Outcome = EventOutcome.Success, Reason = reason, Basis = basis,
        Subjects = [SubjectKey.Of("client", clientId)],
    };

    private IResult Answer(HttpContext context, Client client, string? secret, string token, int status)
    {
        context.Response.Headers.CacheControl = "no-store";
        var json = JsonSerializer.SerializeToNode(client.Metadata, ClientJson.Default.ClientMetadata)!.AsObject();
        json.Remove("client_secret_sha256");
        json["client_id"] = client.Id;
        json["client_name"] = client.NameEn;
        json["client_name#zh-CN"] = client.NameZh;
        json["redirect_uris"] = Texts(client.RedirectUris);
        json["post_logout_redirect_uris"] = Texts(client.PostLogoutRedirectUris);
        json["grant_types"] = Texts(client.GrantTypes);
        json["response_types"] = new JsonArray("code");
        json["scope"] = string.Join(' ', client.Scopes);
        json["registration_client_uri"] = $"{_options.Issuer}/register/{client.Id}";
        json["registration_access_token"] = token;
        if (client.Jwks is { } jwks)
        {
            json["jwks"] = JsonNode.Parse(jwks);
        }

        if (status == StatusCodes.Status201Created)
        {
            json["client_id_issued_at"] = _clock.GetUtcNow().ToUnixTimeSeconds();
        }

        if (secret is not null)
        {
            (json["client_secret"], json["client_secret_expires_at"]) = (secret, 0);
        }

        return Results.Text(json.ToJsonString(), "application/json", statusCode: status);
    }

    private static JsonArray Texts(IEnumerable<string> values) => [.. values.Select(v => (JsonNode)v)];

    private static string? BearerOf(HttpContext context) =>
        context.Request.Headers.Authorization is [{ } header] && header.StartsWith("bearer ", StringComparison.InvariantCultureIgnoreCase) ? header["bearer ".Length..].Trim() : null;

    private IResult Unauthorized(HttpContext context)
    {
        _strangers.Count("registration-token");
        context.Response.Headers.WWWAuthenticate = BearerOf(context) is null ? "Bearer" : "Bearer error=\"invalid_token\"";
        return OAuthError.Of(context, "invalid_token", "The registration token is not known, over, or another client's.", StatusCodes.Status401Unauthorized);
    }

    private static IResult LedgerAway(HttpContext context) =>
        OAuthError.Of(context, "temporarily_unavailable", "The audit ledger is away and its budget is spent.", StatusCodes.Status503ServiceUnavailable);
}
