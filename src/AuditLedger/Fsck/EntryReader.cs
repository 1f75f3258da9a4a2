using System.Collections.Concurrent;
using System.Globalization;
using Npgsql;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Fsck;

/// <summary>
/// Reads a log in blocks and has each entry judged by its own bytes, on a thread and a connection of its own that wait for the server: an await
/// for each few kilobytes would cost more than the bytes.
/// </summary>
internal sealed class EntryReader : IDisposable
{
    // One read, one judged, one indexed, and some between each two: the index takes a commit's events all at once, and others should not wait for it.
    private const int Blocks = 12;

    // Entries whose tiles and batches are read at once.
    private const int LookAhead = 16 * EntryBlock.Capacity;

    private const string SelectTiles = "SELECT n, hashes FROM tiles WHERE level = 0 AND n >= $1 AND n < $2";

    private const string SelectBatches = """
        SELECT s.name, b.epoch, b.first_seq, b.last_seq, b.first_idx, b.signature FROM batches b JOIN sources s ON s.id = b.source
        WHERE b.first_idx >= (SELECT COALESCE(max(first_idx), 0) FROM batches WHERE first_idx <= $1) AND b.first_idx < $2 ORDER BY b.first_idx
        """;

    private readonly NpgsqlConnection _connection;
    private readonly BlockingCollection<EntryBlock> _free = new(new ConcurrentQueue<EntryBlock>(Enumerable.Range(0, Blocks).Select(_ => new EntryBlock())));
    private readonly BlockingCollection<EntryBlock> _read = [];
    private readonly LeafCheck _check = new();

    private EntryReader(NpgsqlConnection connection) => _connection = connection;

    /// <summary>Makes one, on a new connection that ends with it.</summary>
    public static EntryReader Open(NpgsqlDataSource db) => new(db.OpenConnection());

    /// <summary>Reads until all is read.</summary>
    /// <param name="first">Entry to begin with.</param>
    /// <param name="end">Index after the last one.</param>
    /// <param name="minimum">Entries below it are pruned.</param>
    /// <param name="ct">Cancels.</param>
    public void Read(long first, long end, long minimum, CancellationToken ct)
    {
        for (long at = first, next; at < end; at = next)
        {
            next = Math.Min(at - (at % EntryBlock.Capacity) + EntryBlock.Capacity, end);
            var block = _free.Take(ct);
            var surroundings = at == first || at % LookAhead == 0 ? Around(at, Math.Min(at - (at % LookAhead) + LookAhead, end)) : null;
            block.Begin(at, next, minimum, surroundings);
            if (block.Pruned < block.Count)
            {
                // COPY takes no parameters; the two numbers are our own. Each row knows its place: an order would have the server sort a kilobyte a row.
                using var copy = _connection.BeginRawBinaryCopy(string.Create(
                    CultureInfo.InvariantCulture,
                    $"COPY (SELECT idx, leaf_hash, leaf FROM entries WHERE idx >= {block.First + block.Pruned} AND idx < {block.End}) TO STDOUT (FORMAT BINARY)"));
                block.Read(copy, _check);
            }

            _read.Add(block, ct);
        }

        _read.CompleteAdding();
    }

    /// <summary>The blocks, in order; each has to be given back.</summary>
    public IEnumerable<EntryBlock> All(CancellationToken ct) => _read.GetConsumingEnumerable(ct);

    /// <summary>Gives a block back, to be used again.</summary>
    public void Return(EntryBlock block) => _free.Add(block, CancellationToken.None);

    /// <inheritdoc/>
    public void Dispose()
    {
        _connection.Dispose();
        _free.Dispose();
        _read.Dispose();
    }

    private Surroundings Around(long from, long to) => new(
        Rows(_connection.Sql(SelectTiles).With(from / LogTree.Width).With((to + LogTree.Width - 1) / LogTree.Width), r => (N: r.GetInt64(0), Hashes: r.GetFieldValue<byte[]>(1)))
            .ToDictionary(t => t.N, t => t.Hashes),
        Rows(_connection.Sql(SelectBatches).With(from).With(to), r =>
            new StoredBatch(r.GetString(0), r.GetInt64(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), r.GetFieldValue<byte[]>(5))));

    private static List<T> Rows<T>(NpgsqlCommand command, Func<NpgsqlDataReader, T> read)
    {
        using (command)
        {
            using var reader = command.ExecuteReader();
            var rows = new List<T>();
            while (reader.Read())
            {
                rows.Add(read(reader));
            }

            return rows;
        }
    }
}
