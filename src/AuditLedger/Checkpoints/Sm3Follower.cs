using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.Crypto;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Checkpoints;

/// <summary>
/// The same leaves under SM3: <c>SM3(0x00 ‖ leaf)</c>, <c>SM3(0x01 ‖ left ‖ right)</c>, RFC 6962 shape; signed as a checkpoint of origin
/// <c>&lt;origin&gt;/sm3</c>. Follows the published heads from the stored leaves, so it costs sequencing nothing and lags by an interval. Each root is
/// signed only after the leaves it was made from gave the published SHA-256 root of the same size too: the two trees hold the same leaves.
/// </summary>
internal sealed class Sm3Follower(
    NpgsqlDataSource db, Sequencer sequencer, CheckpointSigner signer, ILogger<Sm3Follower> log)
{
    /// <summary>What is appended to the log's name.</summary>
    public const string Suffix = "/sm3";

    private const int Chunk = 2048;
    private const string SelectState = "SELECT size, sm3, sha256, note FROM sm3_head";
    private const string SelectLeaves = "SELECT leaf FROM entries WHERE idx >= $1 AND idx < $2 ORDER BY idx";
    private const string MoveState = "UPDATE sm3_head SET size = $1, sm3 = $2, sha256 = $3, note = $4 WHERE size = $5";

    /// <summary>From one look at the head to the next.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private volatile string? _note;
    private State? _state;

    /// <summary>The newest SM3 note; null before the first.</summary>
    public string? Note => _note;

    /// <summary>Follows to the published head.</summary>
    public async Task Round(CancellationToken ct)
    {
        // Taken up again only when the round has ended well: after any failure the row says where the tree stands.
        var state = _state;
        _state = null;
        if (sequencer.Published is not { } head)
        {
            _note = null; // Another process leads and may move the row.
            return;
        }

        state ??= await Load(ct);
        if (state is not null && (head.Checkpoint.Size > state.Sm3.Size || _note is null))
        {
            await Follow(state, head, ct);
        }

        _state = state;
    }

    private static byte[] LeafHash(byte[] leaf) => Sm3.HashData([0, .. leaf]);

    private static byte[] NodeHash(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        Span<byte> message = stackalloc byte[1 + (2 * Sm3.HashSizeInBytes)];
        message[0] = 1;
        left.CopyTo(message[1..]);
        right.CopyTo(message[(1 + Sm3.HashSizeInBytes)..]);
        return Sm3.HashData(message);
    }

    private async Task<State?> Load(CancellationToken ct)
    {
        if (!await signer.HasSm2(ct))
        {
            return null;
        }

        var row = await db.Sql(SelectState).One(
            r => new StateRow(r.GetInt64(0), r.GetFieldValue<byte[]>(1), r.GetFieldValue<byte[]>(2), r.GetString(3)), ct)
            ?? throw new InvalidDataException("The row of the SM3 tree is missing.");
        var state = new State(new Frontier(NodeHash, row.Size, row.Sm3), new Frontier(MerkleProof.NodeHash, row.Size, row.Sha256), row.Size);
        if (row.Size == 0)
        {
            return state;
        }

        // What is taken up again must be what was signed; anything else is rebuilt from the leaves.
        var signed = SignedNote.TryOpen(row.Note, await signer.Verifiers(ct), 1) is { } text ? Checkpoint.TryParse(text) : null;
        if (signed is null || signed.Size != row.Size || !signed.Root.AsSpan().SequenceEqual(state.Sm3.Root()))
        {
            LedgerLog.Sm3Rebuilt(log, row.Size);
            return new State(new Frontier(NodeHash), new Frontier(MerkleProof.NodeHash), row.Size);
        }

        _note = row.Note;
        return state;
    }

    private async Task Follow(State state, PublishedHead head, CancellationToken ct)
    {
        var size = head.Checkpoint.Size;
        while (state.Sm3.Size < size)
        {
            var (from, to) = (state.Sm3.Size, Math.Min(state.Sm3.Size + Chunk, size));
            var leaves = await db.Sql(SelectLeaves).With(from).With(to).All(r => r.GetFieldValue<byte[]>(0), ct);
            if (leaves.Count != to - from)
            {
                throw new InvalidDataException($"Entries {from} to {to} are not all there.");
            }

            foreach (var leaf in leaves)
            {
                state.Sm3.Append(LeafHash(leaf));
                state.Sha256.Append(MerkleProof.LeafHash(leaf));
            }
        }

        if (!(state.Sha256.Root() ?? MerkleProof.EmptyRoot).AsSpan().SequenceEqual(head.Checkpoint.Root))
        {
            throw new InvalidDataException($"The stored leaves do not give the published root of size {size}.");
        }

        var note = await signer.Sign(new Checkpoint(signer.Origin + Suffix, size, state.Sm3.Root() ?? Sm3.HashData([])), ct);
        if (await db.Sql(MoveState).With(size).With(state.Sm3.ToBytes()).With(state.Sha256.ToBytes()).With(note).With(state.Stored).Execute(ct) != 1)
        {
            throw new InvalidDataException("Another process moved the SM3 tree.");
        }

        (state.Stored, _note) = (size, note);
    }

    private sealed class State(Frontier sm3, Frontier sha256, long stored)
    {
        public Frontier Sm3 { get; } = sm3;

        public Frontier Sha256 { get; } = sha256;

        /// <summary>Size in the row.</summary>
        public long Stored { get; set; } = stored;
    }

    private sealed record StateRow(long Size, byte[] Sm3, byte[] Sha256, string Note);
}
