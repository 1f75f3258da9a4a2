using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.Idp.Admin;

/// <summary>An officer's card, as the registry answers for its certificate.</summary>
/// <param name="Person">The officer, whatever card is used.</param>
/// <param name="Usage"><c>authentication</c> or <c>signature</c>.</param>
public sealed record OfficerCard([property: JsonPropertyName("person")] string Person, [property: JsonPropertyName("usage")] string Usage);

/// <summary>An officer at the provider's door.</summary>
/// <param name="Person">The person.</param>
/// <param name="CertificateSha256">The card's authentication certificate.</param>
public sealed record Officer(string Person, string CertificateSha256)
{
    /// <summary>The officer as an event's actor.</summary>
    public Actor Actor => new(Person, CertificateSha256, "officer");
}

/// <summary>Knows officers by asking the registry at each request: a card that is held there opens nothing here.</summary>
public sealed class OfficerCards(Outbound outbound)
{
    private static readonly object Item = new();

    /// <summary>The officer behind a good certificate; null when it is no officer's.</summary>
    /// <exception cref="HttpRequestException">The registry does not answer; nobody is let in then.</exception>
    public async Task<OfficerCard?> Find(string certificateSha256, CancellationToken ct)
    {
        using var response = await outbound.Client("ca").GetAsync("officers/" + certificateSha256, ct);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }

        response.EnsureSuccessStatusCode();
        return JsonSerializer.Deserialize(await response.Content.ReadAsByteArrayAsync(ct), IdpJson.Default.OfficerCard);
    }

    /// <summary>The officer that a request was admitted for.</summary>
    internal static Officer Of(HttpContext context) => context.Items[Item] as Officer ?? throw new InvalidOperationException("The endpoint is not for officers.");

    /// <summary>Lets only officers through, and only at their own listener: the card was asked for there.</summary>
    internal static async ValueTask<Refusal?> Admit(HttpContext context)
    {
        var sha = Convert.ToHexStringLower(SHA256.HashData(context.Card().RawDataMemory.Span));
        try
        {
            if (context.ListenerName is not Listener
                || await context.RequestServices.GetRequiredService<OfficerCards>().Find(sha, context.RequestAborted) is not { Usage: "authentication" } card)
            {
                return IdpRefusals.NotAnOfficer;
            }

            context.Items[Item] = new Officer(card.Person, sha);
            return null;
        }
        catch (HttpRequestException)
        {
            return IdpRefusals.RegistryAway;
        }
    }

    /// <summary>The listener at which officers show their cards.</summary>
    public const string Listener = "Officers";
}
