using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Trust.Cli.Local;
using Trust.Crypto;
using Trust.Kernel.Audit;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Tests.Witness;

/// <summary>A log whose owner can write, leave out, sign and serve whatever it likes.</summary>
internal sealed class ForgeableLog : IAsyncDisposable
{
    private readonly byte[] _seed = RandomNumberGenerator.GetBytes(32);
    private readonly WebApplication _app;
    private readonly SubjectIndex _index = new();
    private readonly Dictionary<string, (long Epoch, long Seq, byte[] Head)> _chains = new(StringComparer.Ordinal);

    private ForgeableLog(string origin, Uri address)
    {
        Origin = origin;
        Address = address;
        Key = NoteVerifier.Ed25519(origin, Ed25519.PublicKeyOf(_seed));
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(address.ToString());
        _app = builder.Build();
        _app.Use((context, next) => StallsAt is { } path && context.Request.Path.StartsWithSegments(path, StringComparison.Ordinal) ? Stall(context) : next(context));
        _app.MapGet("/tile/entries/{**path}", Bundle);
        _app.MapGet("/tile/{level:int}/{**path}", Tile);
    }

    public string Origin { get; }

    public Uri Address { get; }

    public NoteVerifier Key { get; }

    /// <summary>What is served and signed.</summary>
    public List<byte[]> Leaves { get; } = [];

    /// <summary>Ledger time of the next event.</summary>
    public long Time { get; set; } = 1_700_000_000_000_000;

    /// <summary>Serves nothing.</summary>
    public bool Away { get; set; }

    /// <summary>Below this path it sends headers, and nothing after them.</summary>
    public string? StallsAt { get; set; }

    /// <summary>Bundles before this one are pruned.</summary>
    public int FirstTile { get; set; }

    /// <summary>Alters hash tiles on their way out.</summary>
    public Func<byte[], byte[]>? Tiles { get; set; }

    /// <summary>Alters whole bundles on their way out.</summary>
    public Func<byte[], byte[]>? Bundles { get; set; }

    /// <summary>Alters entries on their way out; what is signed stays.</summary>
    public Func<int, byte[], byte[]>? OnTheWay { get; set; }

    public static async Task<ForgeableLog> Start(string origin = "log.example/510000")
    {
        var log = new ForgeableLog(origin, new Uri($"http://127.0.0.1:{PostgresCluster.FreePort()}"));
        await log._app.StartAsync();
        return log;
    }

    /// <summary>An event of a source, in the place that follows, as an honest sequencer writes it.</summary>
    public byte[] Event(string source = "ca", byte[]? body = null, Func<EntryPlace, EntryPlace>? place = null, Func<byte[], byte[]>? keys = null, bool byActor = false)
    {
        body ??= Body();
        var (epoch, seq, head) = _chains.GetValueOrDefault(source, (1, 0, new byte[32]));
        var honest = new EntryPlace(source, epoch, seq + 1, head, SHA256.HashData(body));
        var chosen = place?.Invoke(honest) ?? honest;
        var next = new byte[32];
        Envelope.Hash(source, chosen.Epoch, chosen.Seq, chosen.Prev.Span, chosen.BodyHash.Span, next);
        _chains[source] = (chosen.Epoch, chosen.Seq, next);
        var collected = new System.Buffers.ArrayBufferWriter<byte>();
        EventBodyReader.Check(body, collected, out _, byActor);
        var sorted = collected.WrittenSpan.ToArray().Chunk(32).OrderBy(k => Convert.ToHexString(k), StringComparer.Ordinal).SelectMany(k => k).ToArray();
        var written = keys?.Invoke(sorted) ?? sorted;
        var leaf = new byte[EventLeaf.Length(source, written.Length, body.Length)];
        EventLeaf.Write(leaf, chosen, written, Time++, body, byActor);
        return leaf;
    }

    public static byte[] Body(params SubjectKey[] subjects) => EventBody.TryBuild(
        new AuditEvent
        {
            Action = "RX.review",
            Actor = new Actor("urn:mdid:p:1"),
            Subjects = subjects.Length > 0 ? subjects : [SubjectKey.Prescription("rx-" + RandomNumberGenerator.GetHexString(4)), SubjectKey.Institution("urn:mdid:o:1")],
            Outcome = EventOutcome.Success,
        },
        new EventPlace("510000", "node-1"), TimeProvider.System.GetUtcNow(), out _)!.Bytes;

    /// <summary>Appends an entry as it is; the index takes events in.</summary>
    public void Append(byte[] leaf, bool intoIndex = true)
    {
        if (EventLeaf.TryRead(leaf, out var e))
        {
            _index.Append(_index.Size, MerkleProof.LeafHash(leaf), intoIndex ? e.Keys : [], e.ByActor);
        }

        Leaves.Add(leaf);
    }

    /// <summary>Appends the commit entry that belongs here, altered as asked.</summary>
    public void Commit(Func<CommitEntry, CommitEntry>? alter = null, long volumeSize = long.MaxValue)
    {
        var commit = _index.Commit(_index.Size, volumeSize);
        Leaves.Add((alter?.Invoke(commit) ?? commit).Write());
    }

    /// <summary>Honest events and a commit entry.</summary>
    public void Grow(int events, string source = "ca")
    {
        for (var i = 0; i < events; i++)
        {
            Append(Event(source));
        }

        Commit();
    }

    public Checkpoint Head(int? size = null)
    {
        var tree = new LogTree();
        foreach (var leaf in Leaves.Take(size ?? Leaves.Count))
        {
            tree.Append(MerkleProof.LeafHash(leaf), null);
        }

        return new Checkpoint(Origin, tree.Size, tree.Root());
    }

    public string Sign(Checkpoint head) => SignedNote.Write(head.Text, [(Key, Ed25519.Sign(_seed, Encoding.UTF8.GetBytes(head.Text)))]);

    /// <summary>The body of add-checkpoint.</summary>
    public string Request(long old, Checkpoint? head = null)
    {
        head ??= Head();
        var proof = old == 0 || old >= head.Size ? [] : Consistency(old, [.. Leaves.Take((int)head.Size).Select(l => MerkleProof.LeafHash(l))], whole: true);
        return string.Create(CultureInfo.InvariantCulture, $"old {old}\n{string.Concat(proof.Select(p => Convert.ToBase64String(p) + "\n"))}\n{Sign(head)}");
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    /// <summary>Sends headers and nothing after them.</summary>
    public static async Task Stall(HttpContext context)
    {
        await context.Response.Body.FlushAsync();
        await Task.Delay(Timeout.Infinite, context.RequestAborted);
    }

    private IResult Bundle(string path)
    {
        var (number, width) = Place(path);
        if (Away || number < FirstTile)
        {
            return Results.StatusCode(Away ? 503 : 404);
        }

        using var bundle = new MemoryStream();
        foreach (var (index, leaf) in Leaves.Index().Skip(number * 256).Take(width))
        {
            var served = OnTheWay?.Invoke(index, leaf) ?? leaf;
            var length = new byte[2];
            BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)served.Length);
            bundle.Write(length);
            bundle.Write(served);
        }

        return Results.Bytes(Bundles?.Invoke(bundle.ToArray()) ?? bundle.ToArray());
    }

    private IResult Tile(int level, string path)
    {
        var (number, width) = Place(path);
        var hashes = Leaves.Select(l => MerkleProof.LeafHash(l)).ToList();
        for (; level > 0; level--)
        {
            hashes = [.. hashes.Chunk(256).Where(c => c.Length == 256).Select(Root)];
        }

        var tile = hashes.Skip(number * 256).Take(width).SelectMany(h => h).ToArray();
        return Results.Bytes(Tiles?.Invoke(tile) ?? tile);
    }

    private static (int Number, int Width) Place(string path)
    {
        var parts = path.Split(".p/");
        return (int.Parse(parts[0].Replace("x", "", StringComparison.Ordinal).Replace("/", "", StringComparison.Ordinal), CultureInfo.InvariantCulture),
            parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 256);
    }

    // RFC 6962 §2.1.2, by definition.
    private static List<byte[]> Consistency(long m, byte[][] leaves, bool whole)
    {
        if (m == leaves.Length)
        {
            return whole ? [] : [Root(leaves)];
        }

        var k = 1 << BitOperations.Log2((uint)(leaves.Length - 1));
        return m <= k
            ? [.. Consistency(m, leaves[..k], whole), Root(leaves[k..])]
            : [.. Consistency(m - k, leaves[k..], whole: false), Root(leaves[..k])];
    }

    private static byte[] Root(byte[][] leaves)
    {
        if (leaves.Length == 1)
        {
            return leaves[0];
        }

        var k = 1 << BitOperations.Log2((uint)(leaves.Length - 1));
        return MerkleProof.NodeHash(Root(leaves[..k]), Root(leaves[k..]));
    }
}
