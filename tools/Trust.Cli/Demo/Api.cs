using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Trust.Cli.Demo;

/// <summary>JSON calls as an outside system makes them.</summary>
/// <param name="client">Connection.</param>
/// <param name="baseUrl">Service address.</param>
/// <param name="token">Access token, or null.</param>
public sealed class Api(HttpClient client, string baseUrl, string? token = null)
{
    /// <summary>GET, expecting success.</summary>
    /// <exception cref="DemoException">Another status came back.</exception>
    public async Task<JsonNode> Get(string path, CancellationToken ct) => (await Send(HttpMethod.Get, path, null, null, ct)).Expect(path);

    /// <summary>GET of raw bytes, expecting success; asks again where an answer of 503 says when, as a checkpoint that waits for its first witness does.</summary>
    public async Task<byte[]> Bytes(string path, CancellationToken ct)
    {
        const int most = 10;
        for (var attempt = 1; ; attempt++)
        {
            using var request = Request(HttpMethod.Get, path, null);
            using var response = await client.SendAsync(request, ct);
            var bytes = await response.Content.ReadAsByteArrayAsync(ct);
            if (response.IsSuccessStatusCode)
            {
                return bytes;
            }

            if (attempt == most || response.StatusCode is not System.Net.HttpStatusCode.ServiceUnavailable || response.Headers.RetryAfter?.Delta is not { } delay)
            {
                throw new DemoException($"GET {path} answered {(int)response.StatusCode}: {Encoding.UTF8.GetString(bytes)}");
            }

            await Task.Delay(delay, ct);
        }
    }

    /// <summary>POST, expecting success; a fresh Idempotency-Key unless one is given.</summary>
    /// <exception cref="DemoException">Another status came back.</exception>
    public async Task<JsonNode> Post(string path, JsonNode body, CancellationToken ct, string? key = null) => (await Send(HttpMethod.Post, path, body, key, ct)).Expect(path);

    /// <summary>A call whose status the caller judges.</summary>
    public async Task<Answer> Send(HttpMethod method, string path, JsonNode? body, string? key, CancellationToken ct)
    {
        using var request = Request(method, path, key);
        if (body is not null)
        {
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        }

        using var response = await client.SendAsync(request, ct);
        var text = await response.Content.ReadAsStringAsync(ct);
        return new Answer((int)response.StatusCode, text, response.Content.Headers.ContentType?.MediaType?.EndsWith("json", StringComparison.Ordinal) == true && text.Length > 0 ? JsonNode.Parse(text) : null);
    }

    private HttpRequestMessage Request(HttpMethod method, string path, string? key)
    {
        var request = new HttpRequestMessage(method, baseUrl + path);
        if (method != HttpMethod.Get)
        {
            request.Headers.Add("Idempotency-Key", key ?? Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));
        }

        if (token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        return request;
    }
}

/// <summary>What came back.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Text">Body.</param>
/// <param name="Json">Body as JSON, if it is.</param>
public sealed record Answer(int Status, string Text, JsonNode? Json)
{
    /// <summary>Last part of the problem type, for example <c>weak-key</c>; null when it is no problem.</summary>
    public string? Problem => Json?["type"]?.GetValue<string>().Split(':')[^1];

    /// <summary>The JSON of a success.</summary>
    /// <exception cref="DemoException">It was none.</exception>
    public JsonNode Expect(string path) => Status is >= 200 and < 300
        ? Json ?? new JsonObject()
        : throw new DemoException($"{path} answered {Status}: {Text}");
}

/// <summary>Something differed from what must be true; the demonstration fails.</summary>
public sealed class DemoException(string message) : Exception(message);
