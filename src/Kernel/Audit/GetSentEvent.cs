using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.Kernel.Audit;

/// <summary>
/// <c>GET /audit/sent/{index}</c>, for the ledger alone: what this service sent and was given that index for, as long as the outbox keeps it. The
/// ledger repairs a damaged entry or data key from it; the entry's hash, and what is sealed, say whether it is right.
/// </summary>
public static class GetSentEvent
{
    private const string Select = "SELECT body, epoch, seq, prev, ledger_time, data_key FROM audit_outbox WHERE idx = $1";

    internal static void Map(RouteTable routes) => routes.Get(
        "/audit/sent/{index:long}", Who.Peers("ledger"), Limit.None, Handle, "What this service sent to the ledger and was given that index for.",
        Route.Uncompared);

    private static async Task<Results<JsonHttpResult<SentEvent>, NotFound>> Handle(long index, HttpContext context, NpgsqlDataSource db) =>
        await Find(db, index, context.RequestAborted) is { } sent ? TypedResults.Json(sent, SentEventJson.Default.SentEvent) : TypedResults.NotFound();

    /// <summary>The event this service was given an index for, or null.</summary>
    public static Task<SentEvent?> Find(NpgsqlDataSource db, long index, CancellationToken ct) => db.Sql(Select).With(index).One(
        r => new SentEvent(r.GetFieldValue<byte[]>(0), r.GetInt64(1), r.GetInt64(2), r.GetFieldValue<byte[]>(3), Microseconds.Since1970(r.GetFieldValue<DateTimeOffset>(4)), r.GetFieldValue<byte[]>(5)), ct);
}

/// <summary>An event as its service sent it.</summary>
/// <param name="Body">Body v1.</param>
/// <param name="Epoch">Relay takeover.</param>
/// <param name="Seq">Number in the epoch.</param>
/// <param name="Prev">Envelope hash before.</param>
/// <param name="Time">Ledger time of its receipt, microseconds since 1970.</param>
/// <param name="DataKey">What opens its sealed detail, sent to the ledger before; empty without.</param>
public sealed record SentEvent(byte[] Body, long Epoch, long Seq, byte[] Prev, long Time, byte[] DataKey)
{
    /// <summary>The leaves that the log may hold of it, made from these members alone: by actor, and as before the index knew actors. None when it could not be logged.</summary>
    /// <param name="source">Name of the service.</param>
    public IEnumerable<byte[]> Leaves(string source) => new[] { Leaf(source, byActor: true), Leaf(source, byActor: false) }.OfType<byte[]>();

    private byte[]? Leaf(string source, bool byActor)
    {
        var keys = new ArrayBufferWriter<byte>(256);
        if (Prev.Length != Envelope.HashSize || EventBodyReader.Check(Body, keys, out _, byActor) is not null)
        {
            return null;
        }

        var distinct = SubjectKeys.Distinct(keys.WrittenSpan);
        var leaf = new byte[EventLeaf.Length(source, distinct.Length, Body.Length)];
        EventLeaf.Write(leaf, new EntryPlace(source, Epoch, Seq, Prev, SHA256.HashData(Body)), distinct, Time, Body, byActor);
        return leaf;
    }
}

/// <summary>JSON of what a service sent.</summary>
[JsonSourceGenerationOptions(System.Text.Json.JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(SentEvent))]
public sealed partial class SentEventJson : JsonSerializerContext;
