using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace Trust.Conformance.Tests.Suite;

/// <summary>What an endpoint answered to the relying party itself.</summary>
internal sealed record Answer(int Status, string Body, HttpResponseHeaders Headers, string? MediaType)
{
    public JsonObject Json => MediaType == "application/json" && JsonNode.Parse(Body) is JsonObject json ? json : throw new Xunit.Sdk.XunitException($"{Status} {MediaType}, no JSON object: {Body}");

    public string? Text(string member) => Json[member]?.GetValue<string>();

    public string? Error => MediaType == "application/json" && JsonNode.Parse(Body) is JsonObject json ? json["error"]?.GetValue<string>() : null;

    /// <summary>Holds the answer to be a success.</summary>
    public Answer Succeeded(int status = 200)
    {
        Assert.True(Status == status, $"{Status} instead of {status}: {Body}");
        return this;
    }

    /// <summary>Holds the answer to be one of the errors, by JSON and without a token.</summary>
    public Answer Refused(params IReadOnlyList<string> errors)
    {
        Assert.True(Status is >= 400 and < 500, $"{Status} instead of a refusal: {Body}");
        Assert.True(errors.Count == 0 || errors.Contains(Error, StringComparer.Ordinal), $"error {Error} instead of {string.Join(" or ", errors)}: {Body}");
        Assert.DoesNotContain("access_token", Body, StringComparison.Ordinal);
        return this;
    }

    public static async Task<Answer> Of(HttpResponseMessage response) =>
        new((int)response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers, response.Content.Headers.ContentType?.MediaType);
}
