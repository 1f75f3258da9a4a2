using System.Text.Json.Serialization;
using Npgsql;
using Trust.Idp.Clients;
using Trust.Idp.Token;
using Trust.Kernel.Audit;

namespace Trust.Idp.Decoupled;

/// <summary>The device authorization endpoint (RFC 8628 3.1): a device without a browser asks, and shows what the person types elsewhere.</summary>
public sealed class BeginDevice(ClientAuthentication authentication, DecoupledRequests requests, IdpOptions options, RefusalCounter strangers, TimeProvider clock)
{
    /// <summary>Grant that redeems it.</summary>
    public const string Grant = "urn:ietf:params:oauth:grant-type:device_code";

    /// <summary>How a device code's hash is kept apart from others.</summary>
    public const string Purpose = "device-code";
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(10);

    /// <summary>Answers; the client authenticates in the body or by its certificate, a public one names itself.</summary>
    public async Task<IResult> Handle(HttpContext context, CancellationToken ct)
    {
        if (await FormFields.OfBody(context.Request, ct) is not { } form)
        {
            return OAuthError.Of(context, "invalid_request", "Send each parameter once, as application/x-www-form-urlencoded.");
        }

        switch (await authentication.Authenticate(form, context.Request, ct))
        {
            case ClientOutcome.Proved(var client):
                return AskedScope.Broken(client, Grant, form) is var (error, detail) ? OAuthError.Of(context, error, detail) : await Keep(context, client, form, ct);
            case ClientOutcome.Refused(var rule):
                strangers.Count("invalid-client");
                return OAuthError.OfClient(context, rule);
            default:
                throw new InvalidOperationException("A closed set.");
        }
    }

    private async Task<IResult> Keep(HttpContext context, Client client, FormFields form, CancellationToken ct)
    {
        var (device, user, now) = (Secret.New(), UserCode.New(), clock.GetUtcNow());
        var request = new DecoupledRequest(
            Guid.CreateVersion7(now), "device", client.Id, form.Text("scope")!, form.Text("resource") ?? client.Resources[0], context.Connection.RemoteIpAddress?.ToString() ?? "", now, now + Life,
            DecoupledRequests.Interval, null, "pending", null, null, null, null);
        try
        {
            await requests.Keep(request, Secret.Hash(Purpose, device), UserCode.Hash(user)!, ct);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UniqueViolation)
        {
            // Of 25,600,000,000 codes one that is in use; the device asks again.
            return OAuthError.Of(context, "temporarily_unavailable", "Try again.", StatusCodes.Status503ServiceUnavailable);
        }

        context.Response.Headers.CacheControl = "no-store";
        return Results.Json(new DeviceBody(device, user, options.Issuer + "/device", (int)Life.TotalSeconds, DecoupledRequests.Interval), IdpJson.Default.DeviceBody);
    }
}

/// <summary>RFC 8628 3.2 answer.</summary>
public sealed record DeviceBody(
    [property: JsonPropertyName("device_code")] string DeviceCode,
    [property: JsonPropertyName("user_code")] string UserCode,
    [property: JsonPropertyName("verification_uri")] string VerificationUri,
    [property: JsonPropertyName("expires_in")] int ExpiresIn,
    [property: JsonPropertyName("interval")] int Interval);
