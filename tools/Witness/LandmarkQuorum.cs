using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Net;
using System.Text;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.Witness;

/// <summary>
/// Where a witness begins whose next entries the log has pruned: at a landmark that enough of the configured witnesses have cosigned, and that the log's
/// own hash tiles give. What lies before it is those witnesses' word; everything after it this one recomputes itself.
/// </summary>
internal sealed class LandmarkQuorum
{
    private const int MaxBytes = 4 * 1024 * 1024;
    private const string NotThisLog = "shows none of this log, or another than its note names";

    private readonly string _origin;
    private readonly JoinOptions? _options;
    private readonly WholeAnswers _answers;
    private readonly HashTiles _tiles;
    private readonly IReadOnlyList<NoteVerifier> _keys;
    private readonly ILogger _log;

    /// <param name="options">Which log, and whom to believe.</param>
    /// <param name="answers">Of the log and of the witnesses.</param>
    /// <param name="log">Told where a log is begun.</param>
    /// <exception cref="ValidationException">The witnesses' keys cannot be read, or are fewer than the quorum.</exception>
    public LandmarkQuorum(WatchedLogOptions options, WholeAnswers answers, ILogger log)
    {
        _log = log;
        (_origin, _options, _answers, _tiles) = (options.Origin, options.Join, answers, new HashTiles(answers, options.Peer));
        _keys = _options is null ? [] : ReadKeys(_options);
    }

    /// <summary>Whether enough of the configured witnesses have cosigned a landmark.</summary>
    public bool Believes(Landmark landmark) =>
        _options is not null && landmark.Note is { } note
        && string.Equals(SignedNote.TryOpen(note, _keys, _options.Quorum), landmark.Text(_origin), StringComparison.Ordinal);

    /// <summary>The largest landmark of a quorum.</summary>
    /// <param name="beyond">Entries that are pruned at least: it must cover more.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>Or what is missing.</returns>
    /// <exception cref="EntriesUnreadableException">The log's tiles cannot be read.</exception>
    public async Task<(Landmark? Landmark, string Why)> Find(long beyond, CancellationToken ct)
    {
        if (_options is null)
        {
            return (null, "to begin behind it Join has to name witnesses whose landmark is believed");
        }

        var (offers, missing) = (new Dictionary<string, Offer>(StringComparer.Ordinal), new List<string>());
        foreach (var peer in _options.Peers)
        {
            if (await Ask(peer, beyond, offers, ct) is { } why)
            {
                missing.Add($"{peer} {why}");
            }
        }

        var best = offers.Values.OrderByDescending(o => o.Signers.Count >= _options.Quorum).ThenByDescending(o => o.State.Size).FirstOrDefault();
        return best is { } found && found.Signers.Count >= _options.Quorum ? await Held(found, ct) : (null, Missing(beyond, best, missing));
    }

    private string Missing(long beyond, Offer? best, List<string> missing)
    {
        var had = best is null ? "there is none"
            : string.Create(CultureInfo.InvariantCulture, $"of {best.State.Size} entries there is that of {string.Join(" and ", best.Signers.Keys.Select(k => k.Name))}");
        return string.Create(CultureInfo.InvariantCulture,
            $"to begin behind it a landmark of more than {beyond} entries needs the cosignatures of {_options!.Quorum} of {_keys.Count} witnesses, {had}{string.Concat(missing.Select(m => "; " + m))}");
    }

    // The cosigned root has to be that of the log's tiles, with the commit entry as its last leaf: appending it to the tiles' edge shows both at once.
    private async Task<(Landmark?, string)> Held(Offer offer, CancellationToken ct)
    {
        var size = offer.State.Size;
        var tree = await _tiles.Edge(size - 1, ct);
        tree.Append(MerkleProof.LeafHash(offer.State.Commit), null);
        var by = string.Join(" and ", offer.Signers.Keys.Select(k => k.Name));
        if (!tree.Root().AsSpan().SequenceEqual(offer.Root))
        {
            return (null, string.Create(CultureInfo.InvariantCulture, $"the log's tiles do not give the root of the landmark of {size} entries that {by} cosigned"));
        }

        var landmark = offer.State with { Edge = tree.Edge(), Note = SignedNote.Write(offer.Text, offer.Signers.Values) };
        if (!landmark.IsWhole)
        {
            return (null, $"the landmark that {by} cosigned contradicts itself");
        }

        WitnessLog.Begun(_log, _origin, size, by);
        return (landmark, "");
    }

    // Null when its landmark was put with the others.
    private async Task<string?> Ask(string peer, long beyond, Dictionary<string, Offer> offers, CancellationToken ct)
    {
        try
        {
            var (status, body) = await _answers.Get(peer, WatchedLog.Id(_origin) + "/landmark", MaxBytes, ct);
            return status == HttpStatusCode.OK ? Collect(body, beyond, offers) : $"gives none (HTTP {(int)status})";
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UndeclaredPeerException)
        {
            return "does not answer: " + e.Message;
        }
    }

    private string? Collect(byte[] answer, long beyond, Dictionary<string, Offer> offers)
    {
        if (SignedLandmark.TryRead(answer) is not { } shown || SignedNote.TryRead(shown.Note) is not var (text, lines) || Checkpoint.TryParse(text) is not { } checkpoint
            || !string.Equals(text, Landmark.Text(_origin, checkpoint.Size, checkpoint.Root, shown.State), StringComparison.Ordinal))
        {
            return NotThisLog;
        }

        var signed = lines.Select(line => (Line: line, Key: _keys.FirstOrDefault(line.IsOf))).Where(l => l.Key is not null).ToList();
        if (signed.FirstOrDefault(l => !l.Key!.Verify(Encoding.UTF8.GetBytes(text), l.Line.Signature.Span)) is { Key: { } forged })
        {
            return $"shows a line that is not {forged.Name}'s";
        }

        if (signed.Count == 0)
        {
            return "shows one that none of the configured witnesses cosigned";
        }

        // Read only now: these are bytes that a configured witness answers for. That it cosigned them does not make them good.
        if (LandmarkState.TryRead(shown.State) is not { } state || SizeOf(state) != checkpoint.Size)
        {
            return NotThisLog;
        }

        if (checkpoint.Size <= beyond)
        {
            return string.Create(CultureInfo.InvariantCulture, $"stands at {checkpoint.Size} entries");
        }

        var offer = offers.TryGetValue(text, out var known) ? known : offers[text] = new Offer(text, state, checkpoint.Root, []);
        signed.ForEach(l => offer.Signers[l.Key!] = l.Line);
        return null;
    }

    private static long? SizeOf(Landmark state) => CommitEntry.TryRead(state.Commit) is { } commit ? commit.Covered + 1 : null;

    private static List<NoteVerifier> ReadKeys(JoinOptions options)
    {
        var lines = File.Exists(options.VKeysFile) ? File.ReadAllLines(options.VKeysFile).Where(l => l.Length > 0).Distinct(StringComparer.Ordinal).ToList() : [];
        List<NoteVerifier> keys = [.. lines.Select(l => NoteVerifier.TryParse(l) is { IsCosigner: true } key
            ? key : throw new ValidationException($"{options.VKeysFile}: '{l}' is no witness's key."))];
        // A cosignature does not bind its name: one key under two names is one witness.
        return keys.Select(k => k.VKey.Split('+', 3)[2]).Distinct(StringComparer.Ordinal).Count() is var distinct && distinct == keys.Count && options.Quorum >= 1 && options.Quorum <= distinct
            ? keys : throw new ValidationException($"{options.VKeysFile} holds {distinct} different witness keys in {keys.Count} lines; {options.Quorum} have to cosign a landmark.");
    }

    /// <summary>A landmark as cosigned, its edge not read yet, and by whom.</summary>
    private sealed record Offer(string Text, Landmark State, byte[] Root, Dictionary<NoteVerifier, NoteLine> Signers);
}
