using System.Text.Json.Nodes;

namespace Trust.Cli.Demo;

/// <summary>An import of registry rows by two officers.</summary>
public static class RegistryImport
{
    /// <summary>One officer sends the rows; another confirms, over their hash, those that widen rights.</summary>
    /// <returns>What became of each row in the end.</returns>
    public static async Task<JsonArray> ByTwo(Officer first, Officer second, JsonNode rows, CancellationToken ct)
    {
        var answer = await first.Api.Post("/registry/imports", rows, ct);
        var results = answer["results"]!.AsArray();
        if (answer["proposal"] is not { } proposal)
        {
            return results;
        }

        var confirmed = await second.Api.Post($"/registry/imports/{proposal["id"]}/confirmations", new JsonObject { ["sha256"] = proposal["sha256"]!.DeepClone() }, ct);
        var final = confirmed["results"]!.AsArray().ToDictionary(Place, r => r!, StringComparer.Ordinal);
        return [.. results.Select(r => (final.GetValueOrDefault(Place(r)) ?? r!).DeepClone())];
    }

    private static string Place(JsonNode? result) => $"{result!["kind"]} {result["row"]}";
}
