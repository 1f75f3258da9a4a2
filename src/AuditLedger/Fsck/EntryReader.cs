using System.Collections.Concurrent;
using System.Globalization;
using System.Threading.Channels;
using Npgsql;

namespace Trust.AuditLedger.Fsck;

/// <summary>
/// Reads a log in blocks, on a thread of its own that waits for the server as the operating system does: an await for each few kilobytes would
/// cost more than the bytes.
/// </summary>
/// <param name="db">The ledger's database.</param>
/// <param name="minimum">Entries below it are pruned.</param>
/// <param name="size">Entries of the log.</param>
internal sealed class EntryReader(NpgsqlDataSource db, long minimum, long size) : IDisposable
{
    // One read, one judged, one indexed, and one between each two.
    private const int Blocks = 5;

    private readonly BlockingCollection<EntryBlock> _free = new(new ConcurrentQueue<EntryBlock>(Enumerable.Range(0, Blocks).Select(_ => new EntryBlock())));
    private readonly Channel<EntryBlock> _read = Channel.CreateUnbounded<EntryBlock>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });

    /// <summary>Entries of the log.</summary>
    public long Size => size;

    /// <summary>Reads until all is read.</summary>
    public Task Start(CancellationToken ct) => Task.Factory.StartNew(() => ReadAll(ct), ct, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>The blocks, in order; each has to be given back.</summary>
    public IAsyncEnumerable<EntryBlock> All(CancellationToken ct) => _read.Reader.ReadAllAsync(ct);

    /// <summary>Gives a block back, to be used again.</summary>
    public void Return(EntryBlock block) => _free.Add(block, CancellationToken.None);

    /// <inheritdoc/>
    public void Dispose() => _free.Dispose();

    private void ReadAll(CancellationToken ct)
    {
        using var connection = db.OpenConnection();
        for (var at = 0L; at < size; at += EntryBlock.Capacity)
        {
            var block = _free.Take(ct);
            block.Begin(at, Math.Min(at + EntryBlock.Capacity, size), at < minimum);
            if (!block.IsPruned)
            {
                // COPY takes no parameters; the two numbers are our own.
                using var copy = connection.BeginRawBinaryCopy(string.Create(
                    CultureInfo.InvariantCulture,
                    $"COPY (SELECT idx, leaf_hash, leaf FROM entries WHERE idx >= {block.First} AND idx < {block.End} ORDER BY idx) TO STDOUT (FORMAT BINARY)"));
                block.Read(copy);
            }

            _read.Writer.TryWrite(block);
        }

        _read.Writer.Complete();
    }
}
