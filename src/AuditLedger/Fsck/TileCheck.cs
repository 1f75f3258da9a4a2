using Npgsql;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Fsck;

/// <summary>
/// Holds full tiles against what is stored of them while they fill, on a connection of its own, and keeps those alone that differ: all of them would be
/// 32 bytes an entry.
/// </summary>
internal sealed class TileCheck : IDisposable
{
    // Level 0 over 16,384 entries: half a megabyte, and one statement.
    private const int AtOnce = 64;

    private const string SelectTiles = "SELECT n, hashes FROM tiles WHERE level = $1 AND n >= $2 AND n <= $3";

    private readonly NpgsqlConnection _connection;
    private readonly Action<string, long?, string> _report;
    private readonly List<FullTile> _wrong = [];

    private TileCheck(NpgsqlConnection connection, Action<string, long?, string> report) => (_connection, _report) = (connection, report);

    /// <summary>Makes one, on a new connection that ends with it.</summary>
    public static TileCheck Open(NpgsqlDataSource db, Action<string, long?, string> report) => new(db.OpenConnection(), report);

    /// <summary>Full tiles that were not compared yet; the tree adds to them.</summary>
    public List<FullTile> Full { get; } = [];

    /// <summary>Tiles as the entries give them whose stored copy is missing or another; no more than there are faults listed.</summary>
    public IReadOnlyList<FullTile> Wrong => _wrong;

    /// <summary>Compares and drops them once they are worth a statement.</summary>
    public void CompareSome()
    {
        if (Full.Count >= AtOnce)
        {
            Compare();
        }
    }

    /// <summary>Compares and drops them.</summary>
    public void Compare()
    {
        foreach (var level in Full.GroupBy(t => t.Level))
        {
            var stored = Stored(level.Key, level.First().Number, level.Last().Number);
            foreach (var tile in level)
            {
                if (!stored.TryGetValue(tile.Number, out var hashes))
                {
                    Report("tile-missing", tile);
                }
                else if (!hashes.AsSpan().SequenceEqual(tile.Hashes))
                {
                    Report("tile-differs", tile);
                }
            }
        }

        Full.Clear();
    }

    /// <inheritdoc/>
    public void Dispose() => _connection.Dispose();

    private void Report(string code, FullTile tile)
    {
        _report(code, tile.Number, $"level {tile.Level}");
        if (_wrong.Count < LogCheck.MaxFaults)
        {
            _wrong.Add(tile);
        }
    }

    // Without an await: it is called on a thread that hashes.
    private Dictionary<long, byte[]> Stored(int level, long from, long to)
    {
        using var command = _connection.Sql(SelectTiles).With((short)level).With(from).With(to);
        using var reader = command.ExecuteReader();
        var tiles = new Dictionary<long, byte[]>();
        while (reader.Read())
        {
            tiles[reader.GetInt64(0)] = reader.GetFieldValue<byte[]>(1);
        }

        return tiles;
    }
}
