using Microsoft.AspNetCore.Http;

namespace Trust.SignService;

/// <summary>Reads request bodies within a bound.</summary>
internal static class RequestBody
{
    /// <summary>The whole body, or null when it is longer than the bound.</summary>
    public static async Task<byte[]?> Read(HttpRequest request, int maxBytes, CancellationToken ct)
    {
        if (request.ContentLength > maxBytes)
        {
            return null;
        }

        using var buffer = new MemoryStream();
        var chunk = new byte[8192];
        for (var read = await request.Body.ReadAsync(chunk, ct); read > 0; read = await request.Body.ReadAsync(chunk, ct))
        {
            await buffer.WriteAsync(chunk.AsMemory(0, read), ct);
            if (buffer.Length > maxBytes)
            {
                return null;
            }
        }

        return buffer.ToArray();
    }
}
