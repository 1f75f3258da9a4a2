using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Trust.LogFormat;

namespace Trust.TestKit;

/// <summary>
/// The ledger as one source sees it, in its real formats: head, epochs, entries. It forgets nothing, answers the same index for the same place, and refuses
/// what does not follow its head, so that a database that was set back is told so as by the real one.
/// </summary>
/// <param name="source">The source, for example <c>ca</c>.</param>
public sealed class LedgerStandIn(string source)
{
    private readonly List<JsonElement> _events = [];
    private readonly Dictionary<(long Epoch, long Seq), Receipt> _taken = [];
    private readonly Lock _gate = new();
    private (long Epoch, long Seq, string Hash, long Open) _head = (0, 0, new string('0', 64), 0);

    /// <summary>While true its paths break off.</summary>
    public bool Away { get; set; }

    /// <summary>Keys of subjects on which a hold is open, lower-case hexadecimal.</summary>
    public System.Collections.Concurrent.ConcurrentDictionary<string, bool> Held { get; } = new(StringComparer.Ordinal);

    /// <summary>Called with each action before it is taken (false) and after it has been (true), while the answer is held back.</summary>
    public Action<string, bool>? OnEvent { get; set; }

    /// <summary>Bodies accepted, in order.</summary>
    public IReadOnlyList<JsonElement> Events
    {
        get
        {
            lock (_gate)
            {
                return [.. _events];
            }
        }
    }

    /// <summary>Adds its paths; another listener's own may follow.</summary>
    public void Map(WebApplication app)
    {
        app.Use(async (context, next) =>
        {
            var path = context.Request.Path.Value!;
            if (Away && (path.StartsWith("/sources", StringComparison.Ordinal) || path is "/entries" or "/checkpoint" or "/holds/held"))
            {
                context.Abort();
                return;
            }

            await next(context);
        });
        app.MapGet($"/sources/{source}/head", () => Results.Text(Head(), "application/json"));
        app.MapPost($"/sources/{source}/epochs", (Delegate)OpenEpoch);
        app.MapPost("/entries", (Delegate)Entries);
        app.MapPost("/holds/held", (Delegate)AmongHeld);
        app.MapGet("/checkpoint", () => Results.Text("unsigned: this service is given no verifier key here"));
    }

    private string Head()
    {
        lock (_gate)
        {
            return new JsonObject { ["epoch"] = _head.Epoch, ["seq"] = _head.Seq, ["hash"] = _head.Hash, ["openEpoch"] = _head.Open }.ToJsonString();
        }
    }

    private async Task<IResult> AmongHeld(HttpContext context)
    {
        var asked = (await JsonNode.ParseAsync(context.Request.Body))!["subjects"]!.AsArray().Select(s => s!.GetValue<string>());
        return Results.Text(new JsonObject { ["held"] = new JsonArray([.. asked.Where(Held.ContainsKey).Select(s => (JsonNode)s)]) }.ToJsonString(), "application/json");
    }

    private async Task<IResult> OpenEpoch(HttpContext context)
    {
        var asked = (await JsonNode.ParseAsync(context.Request.Body))!["hash"]!.GetValue<string>();
        lock (_gate)
        {
            if (asked != _head.Hash)
            {
                return Refusal("head-moved");
            }

            _head = _head with { Open = Math.Max(_head.Open, _head.Epoch) + 1 };
        }

        return Results.Text(Head(), "application/json");
    }

    private async Task<IResult> Entries(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var frame = BatchFrame.TryRead(body.ToArray())!;
        var actions = frame.Events.Select(e => JsonElement.Parse(e.Body.Span).GetProperty("action").GetString()!).ToList();
        actions.ForEach(action => OnEvent?.Invoke(action, false));
        if (Take(frame) is not { } answer)
        {
            return Refusal("epoch-stale");
        }

        actions.ForEach(action => OnEvent?.Invoke(action, true));
        return Results.Bytes(answer.Write());
    }

    private static IResult Refusal(string rule) => Results.Text(
        new JsonObject { ["type"] = "urn:trust:problem:ledger:" + rule }.ToJsonString(), "application/problem+json", statusCode: StatusCodes.Status409Conflict);

    private ReceiptFrame? Take(BatchFrame frame)
    {
        lock (_gate)
        {
            var known = _taken.ContainsKey((frame.Epoch, frame.FirstSeq));
            if (!known && frame.Epoch != _head.Open)
            {
                return null;
            }

            var receipts = new List<Receipt>();
            var hash = frame.Prev.ToArray();
            for (var i = 0; i < frame.Events.Count; i++)
            {
                var bytes = frame.Events[i].Body.ToArray();
                var next = new byte[32];
                Envelope.Hash(source, frame.Epoch, frame.FirstSeq + i, hash, SHA256.HashData(bytes), next);
                hash = next;
                // The same event sent again gets the same index.
                if (!_taken.TryGetValue((frame.Epoch, frame.FirstSeq + i), out var receipt))
                {
                    _events.Add(JsonElement.Parse(bytes));
                    receipt = _taken[(frame.Epoch, frame.FirstSeq + i)] = new Receipt(_events.Count, DateTimeOffset.UtcNow, next, 1_000_000);
                }

                receipts.Add(receipt);
            }

            var end = (frame.Epoch, frame.FirstSeq + frame.Events.Count - 1);
            if (end.CompareTo((_head.Epoch, _head.Seq)) > 0)
            {
                _head = _head with { Epoch = end.Epoch, Seq = end.Item2, Hash = Convert.ToHexStringLower(hash) };
            }

            return new ReceiptFrame(receipts, "");
        }
    }
}
