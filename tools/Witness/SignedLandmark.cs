using System.Text.Json;
using System.Text.Json.Serialization;

namespace Trust.Witness;

/// <summary>A landmark as witnesses show it to one another (docs/LEDGER-FORMAT.md §8).</summary>
/// <param name="Note">Signed note over its text.</param>
/// <param name="State">See <see cref="LandmarkState"/>.</param>
internal sealed record SignedLandmark(string Note, byte[] State)
{
    /// <summary>Reads an answer; null when it is none.</summary>
    public static SignedLandmark? TryRead(byte[] answer)
    {
        try
        {
            return JsonSerializer.Deserialize(answer, SignedLandmarkJson.Default.SignedLandmark);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>The answer.</summary>
    public string Write() => JsonSerializer.Serialize(this, SignedLandmarkJson.Default.SignedLandmark);
}

/// <summary>JSON of what is shown.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(SignedLandmark))]
internal sealed partial class SignedLandmarkJson : JsonSerializerContext;
