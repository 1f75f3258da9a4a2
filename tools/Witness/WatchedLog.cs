using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using System.Text;
using Trust.Kernel.LockStore;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.Witness;

/// <summary>
/// One log as the witness knows it: the newest checkpoint it cosigned, stored durably before it is given out, and the log's entries recomputed.
/// Requests are judged one at a time, so that check and store are one step.
/// </summary>
internal sealed class WatchedLog : IDisposable
{
    // A log found wrong asks again every second; each look costs a whole replay.
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly EntryBundles _bundles;
    private readonly LandmarkQuorum _quorum;
    private readonly FileLockStore _store;
    private readonly IDisposable _held;
    private readonly IReadOnlyList<NoteVerifier> _keys;
    private readonly WitnessKey _key;
    private readonly TimeProvider _clock;
    private readonly string _landmark;
    private LogAudit _audit;
    private string _stored;
    private (string Why, DateTimeOffset Until)? _condemned;
    private Landmark? _written;
    private string? _wrong;
    private string? _waits;
    private SignedLandmark? _shown;

    /// <param name="options">Which log.</param>
    /// <param name="directory">Folder of its state, this witness's alone.</param>
    /// <param name="bundles">Its entries.</param>
    /// <param name="quorum">Where it begins when they are pruned.</param>
    /// <param name="key">The witness's key.</param>
    /// <param name="clock">Time of cosignatures.</param>
    /// <exception cref="ValidationException">The log's keys cannot be read.</exception>
    /// <exception cref="LockStoreException">The state is held by another process, or damaged.</exception>
    public WatchedLog(WatchedLogOptions options, string directory, EntryBundles bundles, LandmarkQuorum quorum, WitnessKey key, TimeProvider clock)
    {
        Origin = options.Origin;
        _keys = ReadKeys(options.VKeysFile);
        (_bundles, _quorum, _key, _clock) = (bundles, quorum, key, clock);
        _store = new FileLockStore(directory);
        _held = _store.TryAcquire() ?? throw new LockStoreException($"{directory} is held by another process");
        _stored = _store.Read();
        _landmark = Path.Combine(directory, "landmark.json");
        _shown = Landmark.TryRead(_landmark) is { } kept ? Show(kept) : null;
        _audit = Begin();
    }

    /// <summary>First line of its checkpoints.</summary>
    public string Origin { get; }

    /// <summary>Hex SHA-256 of the origin, which names the log in addresses and folders.</summary>
    public static string Id(string origin) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(origin)));

    /// <summary>What was found wrong with the log; null while nothing is.</summary>
    public string? Wrong => Volatile.Read(ref _wrong);

    /// <summary>Why the log cannot be followed although it answers; null while it can.</summary>
    public string? Waits => Volatile.Read(ref _waits);

    /// <summary>The newest landmark, cosigned; null before the first.</summary>
    public SignedLandmark? Shown => Volatile.Read(ref _shown);

    /// <summary>The newest cosigned note; empty before the first.</summary>
    public string Note => Volatile.Read(ref _stored);

    /// <summary>Judges a checkpoint and cosigns it.</summary>
    /// <param name="request">Its origin is this log's.</param>
    /// <param name="wait">How long to wait for requests before it.</param>
    /// <param name="ct">The process ends. A caller who hangs up does not end a replay.</param>
    public async Task<AddOutcome> Add(AddCheckpointRequest request, TimeSpan wait, CancellationToken ct)
    {
        if (SignedNote.TryOpen(request.Note, _keys, 1) is not { } text)
        {
            return new AddOutcome.NotSigned();
        }

        if (request.Old > request.Checkpoint.Size)
        {
            return new AddOutcome.OldTooLarge();
        }

        if (!await _gate.WaitAsync(wait, ct))
        {
            return new AddOutcome.NotNow("an earlier checkpoint is still being recomputed");
        }

        try
        {
            return await Judge(request, text, ct);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _held.Dispose();
        _gate.Dispose();
    }

    private async Task<AddOutcome> Judge(AddCheckpointRequest request, string text, CancellationToken ct)
    {
        var known = Known();
        var asked = request.Checkpoint;
        if (request.Old != known.Size)
        {
            return new AddOutcome.Elsewhere(known.Size);
        }

        // From 0 any root would follow; the empty tree has one root, as every size has.
        var follows = asked.Size == 0 ? asked.Root.AsSpan().SequenceEqual(MerkleProof.EmptyRoot) && request.Proof.Count == 0
            : MerkleProof.VerifyConsistency(known.Size, known.Root, asked.Size, asked.Root, request.Proof);
        if (!follows)
        {
            return new AddOutcome.Wrong($"the checkpoint of {asked.Size} does not follow the cosigned one of {known.Size}");
        }

        try
        {
            // The very checkpoint that was cosigned claims nothing new; a ledger that starts asks for it before it can serve entries.
            if (asked.Size == known.Size && await Kept(text, ct) is { } kept)
            {
                // Anyone may repeat it: neither the token nor the disk works for that.
                return new AddOutcome.Cosigned(kept);
            }

            var again = asked.Size == known.Size && _stored.Length > 0;
            if (!again && await Recompute(known, asked, ct) is { } why)
            {
                return new AddOutcome.Wrong(why);
            }
        }
        catch (EntriesUnreadableException e)
        {
            return new AddOutcome.NotNow("the entries cannot be read: " + e.Message);
        }

        return await Store(request.Note, text, ct);
    }

    // Our line over the checkpoint that was cosigned last; null when it was another, or none.
    private async Task<NoteLine?> Kept(string text, CancellationToken ct)
    {
        if (_stored.Length == 0 || SignedNote.TryRead(_stored) is not { } note || !string.Equals(note.Text, text, StringComparison.Ordinal))
        {
            return null;
        }

        var own = await _key.Verifier(ct);
        return note.Lines.FirstOrDefault(line => line.IsOf(own));
    }

    // The root as sent is only a claim; it counts when the entries themselves give it.
    private async Task<string?> Recompute(Checkpoint known, Checkpoint asked, CancellationToken ct)
    {
        if (_condemned is var (found, until) && _clock.GetUtcNow() < until)
        {
            return found;
        }

        var why = await Differs(known, asked, mayJoin: true, ct);
        if (why is not null && _audit.BeganAt > 0)
        {
            why = await DiffersFromTheFirst(known, asked, why, ct);
        }

        if (why is not null)
        {
            _condemned = (why, _clock.GetUtcNow() + LookAgain);
            Volatile.Write(ref _wrong, why);
            _audit = Begin();
        }

        return why;
    }

    // Our own landmark may be what is wrong: the log is judged by its entries alone. It is put aside only when they acquit the log. Entries that are damaged
    // may be repaired, and those from before it pruned: then there is no other place to begin.
    private async Task<string?> DiffersFromTheFirst(Checkpoint known, Checkpoint asked, string found, CancellationToken ct)
    {
        _audit = new LogAudit();
        try
        {
            var why = await Differs(known, asked, mayJoin: false, ct);
            if (why is null && File.Exists(_landmark))
            {
                File.Move(_landmark, _landmark + ".spoiled", overwrite: true);
            }

            return why;
        }
        catch (EntriesUnreadableException e) when (_audit.Size == 0)
        {
            _audit = Begin();
            Volatile.Write(ref _waits, $"from the landmark on, {found}");
            throw new EntriesUnreadableException($"from the landmark on, {found}; whether the log or the landmark is wrong only its first entries say: {e.Message}");
        }
    }

    private async Task<string?> Differs(Checkpoint known, Checkpoint asked, bool mayJoin, CancellationToken ct)
    {
        if (await Replay(asked.Size, mayJoin, ct) is { } why)
        {
            return why;
        }

        if (asked.Size < _audit.BeganAt)
        {
            throw new EntriesUnreadableException($"the landmark from which on they are followed covers {_audit.BeganAt} entries, the checkpoint {asked.Size}");
        }

        // Of what was cosigned before the landmark the checkpoint's own proof says that it goes on from there.
        return (known.Size < _audit.BeganAt || Same(known) ? null : $"the entries no longer give the root of {known.Size} that was cosigned")
            ?? (_audit.RootAt(asked.Size) is null ? $"a checkpoint of {asked.Size} does not end in a commit entry" : null)
            ?? (Same(asked) ? null : $"the entries give another root than the checkpoint of {asked.Size}");
    }

    // What was not cosigned yet must be replayed as well: it is compared with the cosigned root on the way. A landmark beyond it is a quorum's, or none.
    private LogAudit Begin() =>
        Landmark.TryRead(_landmark) is { } from && (from.Size <= Known().Size || _quorum.Believes(from)) ? new LogAudit(from) : new LogAudit();

    private bool Same(Checkpoint checkpoint) => _audit.RootAt(checkpoint.Size) is { } root && root.AsSpan().SequenceEqual(checkpoint.Root);

    private async Task<string?> Replay(long size, bool mayJoin, CancellationToken ct)
    {
        while (_audit.Size < size)
        {
            List<ReadOnlyMemory<byte>> leaves;
            try
            {
                leaves = await _bundles.Read(_audit.Size, size, ct);
            }
            catch (EntriesUnreadableException e) when (e.ArePruned && mayJoin)
            {
                await Join(e.Message, ct);
                continue;
            }

            foreach (var leaf in leaves)
            {
                if (_audit.FollowEntry(leaf.Span) is { } why)
                {
                    return why;
                }
            }
        }

        return null;
    }

    // Stored before a single entry behind it is read: a restart goes on from there, whether or not the other witnesses answer then.
    private async Task Join(string pruned, CancellationToken ct)
    {
        var (landmark, why) = await _quorum.Find(_audit.Size, ct);
        if (landmark is null)
        {
            var waits = $"{pruned}: the log has pruned them; {why}";
            Volatile.Write(ref _waits, waits);
            throw new EntriesUnreadableException(waits);
        }

        landmark.Write(_landmark);
        Volatile.Write(ref _shown, Show(landmark));
        Volatile.Write(ref _waits, null);
        _audit = new LogAudit(landmark);
    }

    private SignedLandmark? Show(Landmark landmark) =>
        landmark.Note is { } note && SignedNote.TryRead(note) is { Text: var text } && string.Equals(text, landmark.Text(Origin), StringComparison.Ordinal)
            ? new SignedLandmark(note, LandmarkState.Write(landmark)) : null;

    private async Task<AddOutcome> Store(string note, string text, CancellationToken ct)
    {
        var line = await _key.Cosign(text, _clock.GetUtcNow(), ct);
        var own = SignedNote.TryRead(note)!.Value.Lines.Where(l => _keys.Any(l.IsOf));
        var next = SignedNote.Write(text, [.. own, line]);
        var ended = _audit.Newest is { } newest && !ReferenceEquals(newest, _written) ? newest : null;
        // From memory, where the entries put it: what was read back from a disk would be cosigned unseen.
        var landmark = ended is null ? null : ended with { Note = await CosignLandmark(ended, ct) };
        try
        {
            _store.Swap(_stored, next);
        }
        catch
        {
            // Whether it took effect is unknown; what is stored decides where this witness stands.
            Volatile.Write(ref _stored, _store.Read());
            throw;
        }

        Volatile.Write(ref _stored, next);
        Volatile.Write(ref _wrong, null);
        _audit.DropRootsBelow(Known().Size);
        Volatile.Write(ref _waits, null);
        if (landmark is not null)
        {
            landmark.Write(_landmark);
            _written = ended;
            Volatile.Write(ref _shown, Show(landmark));
        }

        return new AddOutcome.Cosigned(line);
    }

    private async Task<string> CosignLandmark(Landmark landmark, CancellationToken ct)
    {
        var text = landmark.Text(Origin);
        return SignedNote.Write(text, [await _key.Cosign(text, _clock.GetUtcNow(), ct)]);
    }

    private Checkpoint Known() => _stored.Length == 0
        ? new Checkpoint(Origin, 0, MerkleProof.EmptyRoot)
        : Checkpoint.TryParse(SignedNote.TryRead(_stored)!.Value.Text)!;

    private static List<NoteVerifier> ReadKeys(string file)
    {
        var lines = File.Exists(file) ? File.ReadAllLines(file).Where(l => l.Length > 0).ToList() : [];
        return lines.Count == 0
            ? throw new ValidationException($"{file} holds no vkey line.")
            : [.. lines.Select(l => NoteVerifier.TryParse(l) ?? throw new ValidationException($"{file}: '{l}' is no verifier key."))];
    }
}
