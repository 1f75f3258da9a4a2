using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Trust.Kernel.Hosting;

namespace Trust.CA.Feed;

/// <summary><c>GET /feed?after=N</c>: the change feed as NDJSON with a heartbeat a second; without <c>after</c> it starts now.</summary>
public static class StreamFeed
{
    /// <summary>Maps the endpoint.</summary>
    public static void Map(IEndpointRouteBuilder app) =>
        app.MapGet("/feed", Handle).RequirePeer("idp", "sign");

    private static async Task Handle(HttpContext context, FeedHub hub, string? after)
    {
        var seq = await hub.LastSeq(context.RequestAborted);
        if (after is not null && (!long.TryParse(after, NumberStyles.None, CultureInfo.InvariantCulture, out seq) || seq < 0))
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }

        context.Response.ContentType = "application/x-ndjson";
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        var channel = hub.Follow();
        try
        {
            // Followed first, then caught up: a line may come twice and is dropped by its number, but none is missed.
            seq = await CatchUp(context, hub, seq);
            await foreach (var line in channel.Reader.ReadAllAsync(context.RequestAborted))
            {
                if (line.Kind is null || line.Seq > seq)
                {
                    // A beat of before the catch-up would claim less than was sent.
                    await Write(context, line.Kind is null ? line with { Seq = Math.Max(line.Seq, seq) } : line);
                    seq = Math.Max(seq, line.Seq);
                }
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The follower left.
            return;
        }
        finally
        {
            hub.Leave(channel);
        }
    }

    private static async Task<long> CatchUp(HttpContext context, FeedHub hub, long seq)
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
