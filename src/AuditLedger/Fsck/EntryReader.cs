using System.Collections.Concurrent;
using System.Globalization;
using System.Threading.Channels;
using Npgsql;

namespace Trust.AuditLedger.Fsck;

/// <summary>
/// Reads a log in blocks, on a thread and a connection of its own that wait for the server as the operating system does: an await for each few
/// kilobytes would cost more than the bytes.
/// </summary>
internal sealed class EntryReader : IDisposable
{
    // One read, one judged, one indexed, and one between each two.
    private const int Blocks = 5;

    private readonly NpgsqlConnection _connection;
    private readonly BlockingCollection<EntryBlock> _free = new(new ConcurrentQueue<EntryBlock>(Enumerable.Range(0, Blocks).Select(_ => new EntryBlock())));
    private readonly Channel<EntryBlock> _read = Channel.CreateUnbounded<EntryBlock>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });

    private EntryReader(NpgsqlConnection connection) => _connection = connection;

    /// <summary>Makes one. Where the pool is still empty its connection is never waited on in the other way, which would stay with it.</summary>
    public static EntryReader Open(NpgsqlDataSource db) => new(db.OpenConnection());

    /// <summary>Reads until all is read.</summary>
    /// <param name="minimum">Entries below it are pruned.</param>
    /// <param name="size">Entries of the log.</param>
    /// <param name="ct">Cancels.</param>
    public Task Start(long minimum, long size, CancellationToken ct) =>
        Task.Factory.StartNew(() => ReadAll(minimum, size, ct), ct, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>The blocks, in order; each has to be given back.</summary>
    public IAsyncEnumerable<EntryBlock> All(CancellationToken ct) => _read.Reader.ReadAllAsync(ct);

    /// <summary>Gives a block back, to be used again.</summary>
    public void Return(EntryBlock block) => _free.Add(block, CancellationToken.None);

    /// <inheritdoc/>
    public void Dispose()
    {
        _connection.Dispose();
        _free.Dispose();
    }

    private void ReadAll(long minimum, long size, CancellationToken ct)
    {
        for (var at = 0L; at < size; at += EntryBlock.Capacity)
        {
            var block = _free.Take(ct);
            block.Begin(at, Math.Min(at + EntryBlock.Capacity, size), minimum);
            if (block.Pruned < block.Count)
            {
                // COPY takes no parameters; the two numbers are our own.
                using var copy = _connection.BeginRawBinaryCopy(string.Create(
                    CultureInfo.InvariantCulture,
                    $"COPY (SELECT idx, leaf_hash, leaf FROM entries WHERE idx >= {block.First + block.Pruned} AND idx < {block.End} ORDER BY idx) TO STDOUT (FORMAT BINARY)"));
                block.Read(copy);
            }

            _read.Writer.TryWrite(block);
        }

        _read.Writer.Complete();
    }
}
