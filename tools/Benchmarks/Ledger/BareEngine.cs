using System.Buffers.Binary;
using System.Security.Cryptography;
using Npgsql;
using NpgsqlTypes;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.Benchmarks.Ledger;

/// <summary>
/// What no ledger of this kind can do without: leaf hash, tree, subject index with its commit entry, COPY and compare-and-swap of the head.
/// No HTTP, no envelopes, no signatures, no reading back.
/// </summary>
internal sealed class BareEngine : IAsyncDisposable
{
    private const int Group = 2048;

    private const string Tables = """
        CREATE TABLE bare_entries (LIKE entries INCLUDING ALL);
        CREATE TABLE bare_head (size bigint NOT NULL);
        INSERT INTO bare_head VALUES (0);
        """;

    private readonly NpgsqlDataSource _owner;
    private readonly NpgsqlConnection _db;
    private readonly byte[] _leaf = RandomNumberGenerator.GetBytes(1200);
    private readonly SubjectIndex _index = new();
    private readonly LogTree _tree = new();
    private long _events;

    private BareEngine(NpgsqlDataSource owner, NpgsqlConnection db) => (_owner, _db) = (owner, db);

    /// <summary>Makes its tables beside the ledger's.</summary>
    public static async Task<BareEngine> Create(DatabaseOptions options, CancellationToken ct)
    {
        var owner = Outbound.Database(options, asOwner: true);
        var engine = new BareEngine(owner, await owner.OpenConnectionAsync(ct));
        await engine._db.Sql(Tables).Execute(ct);
        return engine;
    }

    /// <summary>Appends events with four subjects each.</summary>
    public async Task Write(int events, CancellationToken ct)
    {
        for (var left = events; left > 0; left -= Group)
        {
            await WriteGroup(Math.Min(left, Group), ct);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _db.DisposeAsync();
        await _owner.DisposeAsync();
    }

    private async Task WriteGroup(int count, CancellationToken ct)
    {
        var from = _tree.Size;
        var hashes = new List<byte[]>(count + 1);
        for (var i = 0; i < count; i++)
        {
            BinaryPrimitives.WriteInt64BigEndian(_leaf, from + i);
            hashes.Add(MerkleProof.LeafHash(_leaf));
            _tree.Append(hashes[i], null);
            _index.Append(from + i, hashes[i], Keys(_events++));
        }

        var commit = _index.Commit(from + count, 1 << 24).Write();
        hashes.Add(MerkleProof.LeafHash(commit));
        _tree.Append(hashes[count], null);
        _ = _tree.Root();
        await using var tx = await _db.BeginTransactionAsync(ct);
        await using (var copy = await _db.BeginBinaryImportAsync("COPY bare_entries (idx, leaf_hash, leaf) FROM STDIN BINARY", ct))
        {
            for (var i = 0; i <= count; i++)
            {
                await copy.StartRowAsync(ct);
                await copy.WriteAsync(from + i, NpgsqlDbType.Bigint, ct);
                await copy.WriteAsync(hashes[i], NpgsqlDbType.Bytea, ct);
                await copy.WriteAsync(i == count ? commit : _leaf, NpgsqlDbType.Bytea, ct);
            }

            await copy.CompleteAsync(ct);
        }

        await tx.Sql("UPDATE bare_head SET size = $1 WHERE size = $2").With(_tree.Size).With(from).Execute(ct);
        await tx.CommitAsync(ct);
    }

    // As BatchMaker's: a prescription and a patient of its own, one of 5,000 practitioners, one of 200 institutions.
    private static byte[] Keys(long n) => LedgerKeys.Sorted([LedgerKeys.Of(1, n), LedgerKeys.Of(2, n), LedgerKeys.Of(3, n % 5000), LedgerKeys.Of(4, n % 200)]);
}

/// <summary>Subject keys for measuring: as well spread as real ones and cheaper to make.</summary>
internal static class LedgerKeys
{
    /// <summary>The key of the n-th subject of a kind.</summary>
    public static byte[] Of(int kind, long n)
    {
        var key = new byte[SubjectKey.Size];
        var state = ((ulong)kind << 56) ^ (ulong)n;
        for (var at = 0; at < key.Length; at += sizeof(ulong))
        {
            // splitmix64 (Steele, Lea and Flood, 2014).
            state += 0x9e3779b97f4a7c15;
            var z = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
            z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
            BinaryPrimitives.WriteUInt64BigEndian(key.AsSpan(at), z ^ (z >> 31));
        }

        return key;
    }

    /// <summary>Rising, as a leaf carries them.</summary>
    public static byte[] Sorted(byte[][] keys)
    {
        Array.Sort(keys, static (a, b) => a.AsSpan().SequenceCompareTo(b));
        return [.. keys.SelectMany(k => k)];
    }
}
