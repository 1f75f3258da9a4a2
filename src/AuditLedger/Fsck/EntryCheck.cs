using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using Npgsql;
using NpgsqlTypes;
using Trust.AuditLedger.Entries;
using Trust.Kernel.Audit;
using Trust.Kernel.Log;
using Trust.Kernel.Postgres;

namespace Trust.AuditLedger.Fsck;

/// <summary>Checks entries in themselves, against their other copies, and as links of their sources' chains; fed from the first entry on.</summary>
internal sealed class EntryCheck(NpgsqlDataSource db, Sources sources, Action<string, long?, string> report)
{
    private const string SelectBatches = """
        SELECT s.name, b.epoch, b.first_seq, b.last_seq, b.first_idx, b.signature FROM batches b JOIN sources s ON s.id = b.source
        WHERE b.first_idx >= $1 AND b.first_idx < $2 ORDER BY b.first_idx
        """;

    private readonly Dictionary<string, Chain> _chains = new(StringComparer.Ordinal);
    private readonly ArrayBufferWriter<byte> _keys = new(1024);
    private readonly Queue<StoredBatch> _batches = [];
    private StoredBatch? _batch;

    /// <summary>Ledger time of the last event.</summary>
    public long Time { get; private set; }

    /// <summary>False when the last event is damaged.</summary>
    public bool TimeIsKnown { get; private set; } = true;

    /// <summary>Where each source's chain ended.</summary>
    public IReadOnlyDictionary<string, (long Epoch, long Seq, byte[] Hash)> Ends => _chains.ToDictionary(c => c.Key, c => (c.Value.Epoch, c.Value.Seq, c.Value.Hash), StringComparer.Ordinal);

    /// <summary>Whether a source's chain ended there.</summary>
    public bool EndsAt(string source, long epoch, long seq, byte[] hash)
    {
        var chain = _chains.GetValueOrDefault(source, Chain.Beginning);
        return (chain.Epoch, chain.Seq) == (epoch, seq) && (chain.Hash.Length == 0 || chain.Hash.AsSpan().SequenceEqual(hash));
    }

    /// <summary>Checks entries [from, to).</summary>
    /// <param name="from">First index.</param>
    /// <param name="to">First index after.</param>
    /// <param name="level0">Stored full tiles over them.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<IndexedEntry[]> Check(long from, long to, Dictionary<long, byte[]> level0, CancellationToken ct)
    {
        foreach (var batch in await db.Sql(SelectBatches).With(from).With(to).All(
            r => new StoredBatch(r.GetString(0), r.GetInt64(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), r.GetFieldValue<byte[]>(5)), ct))
        {
            _batches.Enqueue(batch);
        }

        var rows = await Read(from, to, ct);
        var block = new IndexedEntry[to - from];
        for (var i = 0; i < block.Length; i++)
        {
            var index = from + i;
            var tile = level0.TryGetValue(index / LogTree.Width, out var hashes) ? hashes.AsMemory((int)(index % LogTree.Width) * 32, 32) : default;
            block[i] = rows.TryGetValue(index, out var row) ? CheckRow(index, row.Hash, row.Leaf, tile) : Missing(index, tile);
        }

        return block;
    }

    private async Task<Dictionary<long, (byte[] Hash, byte[] Leaf)>> Read(long from, long to, CancellationToken ct)
    {
        var rows = new Dictionary<long, (byte[], byte[])>((int)(to - from));
        await using var connection = await db.OpenConnectionAsync(ct);
        // COPY takes no parameters; the two numbers are our own.
        await using var copy = await connection.BeginBinaryExportAsync(string.Create(
            CultureInfo.InvariantCulture, $"COPY (SELECT idx, leaf_hash, leaf FROM entries WHERE idx >= {from} AND idx < {to} ORDER BY idx) TO STDOUT (FORMAT BINARY)"), ct);
        while (await copy.StartRowAsync(ct) >= 0)
        {
            var index = await copy.ReadAsync<long>(NpgsqlDbType.Bigint, ct);
            rows[index] = (await copy.ReadAsync<byte[]>(NpgsqlDbType.Bytea, ct), await copy.ReadAsync<byte[]>(NpgsqlDbType.Bytea, ct));
        }

        return rows;
    }

    private IndexedEntry Missing(long index, ReadOnlyMemory<byte> tile)
    {
        report("entry-missing", index, "no row");
        Skip(index);
        return new IndexedEntry(index, tile.IsEmpty ? new byte[32] : tile.ToArray(), [], null, IsWhole: false);
    }

    private IndexedEntry CheckRow(long index, byte[] column, byte[] leaf, ReadOnlyMemory<byte> tile)
    {
        var computed = MerkleProof.LeafHash(leaf);
        var agreesColumn = computed.AsSpan().SequenceEqual(column);
        if (!agreesColumn && (tile.IsEmpty || !computed.AsSpan().SequenceEqual(tile.Span)))
        {
            // Both copies of the hash speak against the bytes, or the only one does.
            report("entry-leaf", index, "its bytes do not give the hash stored with them");
            Skip(index);
            return new IndexedEntry(index, column, [], null, IsWhole: false);
        }

        if (!agreesColumn)
        {
            report("entry-hash", index, "the hash stored with it is not that of its bytes and tile");
        }

        if (leaf.Length > 0 && leaf[0] == EntryType.Commit)
        {
            return CheckCommit(index, computed, leaf);
        }

        return CheckEvent(index, computed, leaf);
    }

    private IndexedEntry CheckCommit(long index, byte[] hash, byte[] leaf)
    {
        var commit = CommitEntry.TryRead(leaf);
        if (commit is null)
        {
            report("commit-malformed", index, "a commit entry that is malformed or of another map function");
        }

        return new IndexedEntry(index, hash, [], commit, commit is not null);
    }

    private IndexedEntry CheckEvent(long index, byte[] hash, byte[] leaf)
    {
        if (!EventLeaf.TryRead(leaf, out var e))
        {
            report("leaf-malformed", index, "neither an event nor a commit entry");
            Skip(index);
            return new IndexedEntry(index, hash, [], null, IsWhole: false);
        }

        if (!SHA256.HashData(e.Body).AsSpan().SequenceEqual(e.BodyHash))
        {
            report("body-hash", index, "the body is not the one its envelope names");
        }

        _keys.ResetWrittenCount();
        if (EventBodyReader.Check(e.Body, _keys, out _) is { } rule)
        {
            report("body-malformed", index, rule);
        }
        else if (!SubjectKeys.Distinct(_keys.WrittenSpan).AsSpan().SequenceEqual(e.Keys))
        {
            report("subject-keys", index, "the keys are not those of the body's subjects");
        }

        if (e.Time < Time)
        {
            report("time-falls", index, $"{e.Time} after {Time}");
        }

        (Time, TimeIsKnown) = (e.Time, true);
        Follow(index, e);
        return new IndexedEntry(index, hash, e.Keys.ToArray(), null, IsWhole: true);
    }

    private void Follow(long index, EventLeaf e)
    {
        var source = e.Source;
        var chain = _chains.GetValueOrDefault(source, Chain.Beginning);
        if (!(e.Epoch == chain.Epoch && e.Seq == chain.Seq + 1) && !(e.Epoch > chain.Epoch && e.Seq == 1))
        {
            report("source-gap", index, $"{source} goes on with ({e.Epoch}, {e.Seq}) after ({chain.Epoch}, {chain.Seq})");
        }
        else if (chain.Hash.Length > 0 && !e.Prev.SequenceEqual(chain.Hash))
        {
            report("source-chain", index, $"{source} does not name the envelope before ({e.Epoch}, {e.Seq})");
        }

        var envelope = SHA256.HashData(e.EnvelopeBytes);
        _chains[source] = new Chain(e.Epoch, e.Seq, envelope);
        CheckBatch(index, source, e.Epoch, e.Seq, envelope);
    }

    // A damaged entry is one fault: its place is known from its batch, and what follows it is not blamed for naming an envelope nobody can read.
    private void Skip(long index)
    {
        TimeIsKnown = false;
        if (BatchOf(index) is { } batch)
        {
            _chains[batch.Source] = new Chain(batch.Epoch, batch.FirstSeq + index - batch.FirstIndex, []);
        }
    }

    private StoredBatch? BatchOf(long index)
    {
        if (_batch is null || index > _batch.FirstIndex + _batch.LastSeq - _batch.FirstSeq)
        {
            _batch = _batches.TryPeek(out var next) && next.FirstIndex <= index ? _batches.Dequeue() : null;
        }

        return _batch;
    }

    private void CheckBatch(long index, string source, long epoch, long seq, byte[] envelope)
    {
        if (BatchOf(index) is not { } batch || !string.Equals(batch.Source, source, StringComparison.Ordinal) || batch.Epoch != epoch || batch.FirstSeq + index - batch.FirstIndex != seq)
        {
            report("batch-missing", index, $"no batch of {source} holds ({epoch}, {seq}) here");
            return;
        }

        if (seq == batch.LastSeq)
        {
            var digest = Envelope.BatchDigest(source, epoch, batch.FirstSeq, (int)(batch.LastSeq - batch.FirstSeq + 1), envelope);
            if (sources.Find(source)?.Verifies(digest, batch.Signature) != true)
            {
                report("batch-signature", index, $"the batch of {source} that ends here is not signed by its batch key");
            }
        }
    }

    private sealed record Chain(long Epoch, long Seq, byte[] Hash)
    {
        public static Chain Beginning { get; } = new(0, 0, Envelope.NoPredecessor.ToArray());
    }

    private sealed record StoredBatch(string Source, long Epoch, long FirstSeq, long LastSeq, long FirstIndex, byte[] Signature);
}
