using Trust.AuditLedger.Checkpoints;
using Trust.AuditLedger.Witnessing;
using Trust.Kernel.Audit;
using Trust.Kernel.LockStore;
using Trust.LogFormat;

namespace Trust.AuditLedger.Entries;

/// <summary>What a start came to.</summary>
internal abstract record RecoveryOutcome
{
    private RecoveryOutcome() { }

    /// <summary>The log stands there, and this process writes it.</summary>
    public sealed record Loaded(LogPosition Position, Checkpoint Head) : RecoveryOutcome;

    /// <summary>Too few witnesses have said where they stand; nothing was signed or changed.</summary>
    public sealed record Unheard(string Why) : RecoveryOutcome;
}

/// <summary>
/// Decides from database, lock store and witnesses where the log stands. The lock store may lag by the group that was being sequenced when the process
/// died; it may never lead.
/// </summary>
internal sealed class Recovery(SequencerStore store, ILockStore lockStore, CheckpointSigner signer, WitnessSet witnesses, Sources declared, ILogger log)
{
    /// <summary>Loads and becomes the writer, once the witnesses have said where they stand.</summary>
    /// <exception cref="SetBackException">The database is older than the last signed checkpoint, or holds another history.</exception>
    public async Task<RecoveryOutcome> Load(CancellationToken ct)
    {
        var note = lockStore.Read();
        var signed = await Signed(note, ct);
        var head = await store.ReadHead(ct);
        if (signed is not null && head.Size < signed.Size)
        {
            throw new SetBackException(
                $"the database holds {head.Size} entries, the lock store knows a signed checkpoint of {signed.Size}: an older database was restored");
        }

        if (signed is null && head.Size > 0)
        {
            throw new SetBackException($"the database holds {head.Size} entries, the lock store is empty: it is another store, or was lost");
        }

        var tree = await store.LoadTree(head.Size, ct);
        if (!tree.Root().AsSpan().SequenceEqual(head.Root))
        {
            throw new SetBackException($"the stored tiles do not give the stored root of size {head.Size}");
        }

        await CheckSigned(signed, head, ct);
        // Before anything is signed: database and lock store may have been set back together, and only others then know it.
        var empty = new Checkpoint(signer.Origin, 0, MerkleProof.EmptyRoot);
        // A witness takes no checkpoint that is not signed; that of the empty tree is the same in every history.
        if (await witnesses.FindUnheard(signed ?? empty, signed is null ? await signer.Sign(empty, ct) : note, ct) is { } missing)
        {
            return new RecoveryOutcome.Unheard(missing);
        }

        if (!await store.BecomeWriter(head, ct))
        {
            throw new InvalidDataException("Another sequencer moved the head while this one loaded.");
        }

        var sources = await store.ReadSources(declared.Names, ct);
        var position = new LogPosition(tree, head.Root, head.Time, head.Writer + 1, note, sources);
        return new RecoveryOutcome.Loaded(position, await Catchup(position, signed, ct));
    }

    private async Task<Checkpoint?> Signed(string note, CancellationToken ct)
    {
        if (note.Length == 0)
        {
            return null;
        }

        return SignedNote.TryOpen(note, await signer.Verifiers(ct), 1) is { } text && Checkpoint.TryParse(text) is { } checkpoint
            ? checkpoint
            : throw new SetBackException("the lock store's checkpoint is not signed by this ledger's keys");
    }

    private async Task CheckSigned(Checkpoint? signed, StoredHead head, CancellationToken ct)
    {
        if (signed is null)
        {
            return;
        }

        var prefix = signed.Size == head.Size ? head.Root : (await store.LoadTree(signed.Size, ct)).Root();
        if (!prefix.AsSpan().SequenceEqual(signed.Root))
        {
            throw new SetBackException($"the database of {head.Size} entries holds another history than the signed checkpoint of {signed.Size}");
        }
    }

    // Committed but not yet signed when the process died: nobody was answered, yet the entries stand, so they are signed for now.
    // The first start signs the empty tree, so that an empty lock store beside a filled database can only mean loss.
    private async Task<Checkpoint> Catchup(LogPosition position, Checkpoint? signed, CancellationToken ct)
    {
        var from = signed?.Size ?? 0;
        if (signed is not null && position.Size == from)
        {
            return signed;
        }

        var tree = await store.LoadTree(from, ct);
        for (var at = from; at < position.Size; at += LogTree.Width)
        {
            (await store.RehashLeaves(at, Math.Min(at + LogTree.Width, position.Size), ct)).ForEach(hash => tree.Append(hash, null));
        }

        if (!tree.Root().AsSpan().SequenceEqual(position.Root))
        {
            throw new SetBackException($"the entries from {from} to {position.Size} do not give the stored root");
        }

        var checkpoint = new Checkpoint(signer.Origin, position.Size, position.Root);
        var note = await signer.Sign(checkpoint, ct);
        lockStore.Swap(position.Note, note);
        position.Note = note;
        if (position.Size > from)
        {
            LedgerLog.CaughtUp(log, from, position.Size);
        }

        return checkpoint;
    }
}
