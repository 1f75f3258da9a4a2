using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Trust.Kernel.Residency;

namespace Trust.Idp.Login;

/// <summary>Who holds a card, as the registry answers for the certificate's hash: never read from the certificate's own name.</summary>
public sealed record CardHolder(
    [property: JsonPropertyName("person")] string Person,
    [property: JsonPropertyName("name")] string Name,
    [property: JsonPropertyName("usage")] string Usage,
    [property: JsonPropertyName("status")] string Status,
    [property: JsonPropertyName("affiliations")] IReadOnlyList<CardAffiliation> Affiliations);

/// <summary>One institution the holder may act for.</summary>
public sealed record CardAffiliation(
    [property: JsonPropertyName("institution")] string Institution,
    [property: JsonPropertyName("institutionName")] string InstitutionName,
    [property: JsonPropertyName("kind")] string Kind,
    [property: JsonPropertyName("role")] string Role,
    [property: JsonPropertyName("filing")] bool Filing);

/// <summary>Asks the registry who holds a certificate.</summary>
public sealed class CardHolders(Outbound outbound)
{
    /// <summary>The holder, or null when the registry knows no such certificate.</summary>
    /// <exception cref="HttpRequestException">The registry does not answer; no login then.</exception>
    public async Task<CardHolder?> Find(string certificate, CancellationToken ct)
    {
        using var response = await outbound.Client("ca").GetAsync("holders/" + certificate, ct);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }

        response.EnsureSuccessStatusCode();
        return JsonSerializer.Deserialize(await response.Content.ReadAsByteArrayAsync(ct), IdpJson.Default.CardHolder);
    }
}
