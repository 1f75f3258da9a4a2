using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;

namespace Trust.CA.Feed;

/// <summary><c>GET /feed?after=N</c>: the change feed as NDJSON with a heartbeat a second; without <c>after</c> it starts now.</summary>
internal sealed class StreamFeed(FeedHub hub)
{
    /// <summary>Streams until the follower leaves.</summary>
    public async Task<Results<FeedStream, Refusal>> Handle(string? after, CancellationToken ct)
    {
        if (after is null)
        {
            return new FeedStream(hub, await hub.LastSeq(ct));
        }

        return long.TryParse(after, NumberStyles.None, CultureInfo.InvariantCulture, out var seq) ? new FeedStream(hub, seq) : CaRefusals.MalformedPosition;
    }
}

/// <summary>The feed after a number, as the body of an answer.</summary>
internal sealed class FeedStream(FeedHub hub, long after) : IResult
{
    /// <inheritdoc/>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.ContentType = "application/x-ndjson";
        if (HttpMethods.IsHead(httpContext.Request.Method))
        {
            return;
        }

        httpContext.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        var channel = hub.Follow();
        try
        {
            // Followed first, then caught up: a line may come twice and is dropped by its number, but none is missed.
            var seq = await CatchUp(httpContext, after);
            await foreach (var line in channel.Reader.ReadAllAsync(httpContext.RequestAborted))
            {
                if (line.Kind is null || line.Seq > seq)
                {
                    // A heartbeat made before the catch-up names a lower number than was sent since.
                    await Write(httpContext, line.Kind is null ? line with { Seq = Math.Max(line.Seq, seq) } : line);
                    seq = Math.Max(seq, line.Seq);
                }
            }
        }
        catch (OperationCanceledException) when (httpContext.RequestAborted.IsCancellationRequested)
        {
            // The follower left.
            return;
        }
        finally
        {
            hub.Leave(channel);
        }
    }

    private async Task<long> CatchUp(HttpContext context, long seq)
    {
        while (await hub.After(seq, context.RequestAborted) is { Count: > 0 } lines)
        {
            foreach (var line in lines)
            {
                await Write(context, line);
                seq = line.Seq;
            }
        }

        await context.Response.Body.FlushAsync(context.RequestAborted);
        return seq;
    }

    private static async Task Write(HttpContext context, FeedLine line)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (line.Kind is null)
            {
                json.WriteNumber("heartbeat"u8, line.Seq);
            }
            else
            {
                json.WriteNumber("seq"u8, line.Seq);
                json.WriteString("kind"u8, line.Kind);
                json.WriteString("id"u8, line.Id);
                json.WriteString("person"u8, line.Person);
                json.WriteString("state"u8, line.State);
            }

            json.WriteString("at"u8, line.At);
            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
        await context.Response.Body.WriteAsync(buffer.WrittenMemory, context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
    }
}
