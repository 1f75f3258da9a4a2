using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Trust.AuditLedger.Entries;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.AuditLedger.Witnessing;

/// <summary>The configured witnesses. Their keys are read when the first is needed: a witness may be set up after the ledger.</summary>
internal sealed class WitnessSet(AuditLedgerOptions options, Outbound outbound, ILogger<WitnessSet> log)
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(3);

    private readonly WitnessingOptions _options = options.Witnessing;
    private readonly Lazy<IReadOnlyList<WitnessClient>> _clients = new(() => All(options, outbound));

    /// <summary>One client a witness.</summary>
    /// <exception cref="ValidationException">A key file is missing or holds no witness key, or two witnesses have one key.</exception>
    public IReadOnlyList<WitnessClient> Clients => _clients.Value;

    /// <summary>
    /// How many witnesses must have said where they stand before anything is signed: the quorum, and one at least of every quorum that may have cosigned
    /// what this process no longer knows. 0 where no quorum is asked for: then whoever does not answer is not waited for.
    /// </summary>
    public int MustAnswer => _options.Quorum == 0 ? 0 : Math.Max(_options.Quorum, Clients.Count - _options.Quorum + 1);

    /// <summary>Asks each witness whether it knows more than the checkpoint this process is about to build on.</summary>
    /// <param name="head">The signed checkpoint.</param>
    /// <param name="note">Its note.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>Null when enough have answered; else who is missing. No answer in time is none.</returns>
    /// <exception cref="SetBackException">A witness has cosigned a larger log, or another one of this size.</exception>
    public async Task<string?> FindUnheard(Checkpoint head, string note, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(StartLimit);
        var missing = (await Task.WhenAll(Clients.Select(client => FindUnheard(client, head, note, limit.Token, ct)))).OfType<string>().ToList();
        var heard = Clients.Count - missing.Count;
        if (heard < MustAnswer)
        {
            return string.Create(CultureInfo.InvariantCulture, $"nothing is signed before {MustAnswer} witnesses have said where they stand, {heard} have ({string.Join("; ", missing)})");
        }

        foreach (var why in missing)
        {
            LedgerLog.WitnessNotAsked(log, why);
        }

        return null;
    }

    private static async Task<string?> FindUnheard(WitnessClient client, Checkpoint head, string note, CancellationToken limit, CancellationToken ct)
    {
        WitnessAnswer answer;
        try
        {
            answer = await client.Add(head.Size, [], note, limit);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            answer = new WitnessAnswer.Away("no answer in time");
        }

        if (SetBackException.By(client.Name, answer, head.Size) is { } setBack)
        {
            throw setBack;
        }

        switch (answer)
        {
            case WitnessAnswer.Elsewhere(var size):
                client.At = size;
                return null;
            case WitnessAnswer.Cosigned:
                client.At = head.Size;
                return null;
            case WitnessAnswer.Refused(var status, var why):
                return string.Create(CultureInfo.InvariantCulture, $"{client.Name}: {status} {why}");
            case WitnessAnswer.Away(var why):
                return $"{client.Name}: {why}";
            default:
                throw new InvalidOperationException($"A witness answered {answer}.");
        }
    }

    // A cosignature does not say whose name it was made under: one key under two names would be a quorum of one.
    private static List<WitnessClient> All(AuditLedgerOptions options, Outbound outbound)
    {
        var clients = options.Witnessing.Witnesses.Select(w => Client(w, outbound)).ToList();
        return clients.DistinctBy(c => c.Key.VKey.Split('+', 3)[2], StringComparer.Ordinal).Count() == clients.Count
            ? clients
            : throw new ValidationException("Two witnesses have the same key.");
    }

    private static WitnessClient Client(WitnessOptions witness, Outbound outbound)
    {
        var vkey = File.Exists(witness.VKeyFile) ? File.ReadAllText(witness.VKeyFile).Trim() : "";
        return NoteVerifier.TryParse(vkey) is { IsCosigner: true } key
            ? new WitnessClient(witness.Peer, key, outbound.Client(witness.Peer))
            : throw new ValidationException($"{witness.VKeyFile} holds no vkey line of type 04 for the witness {witness.Peer}.");
    }
}
