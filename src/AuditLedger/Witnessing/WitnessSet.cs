using System.ComponentModel.DataAnnotations;
using Trust.AuditLedger.Entries;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.AuditLedger.Witnessing;

/// <summary>The configured witnesses. Their keys are read when the first is needed: a witness may be set up after the ledger.</summary>
internal sealed class WitnessSet(AuditLedgerOptions options, Outbound outbound, ILogger<WitnessSet> log)
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(3);

    private readonly Lazy<IReadOnlyList<WitnessClient>> _clients = new(() => All(options, outbound));

    /// <summary>One client a witness.</summary>
    /// <exception cref="ValidationException">A key file is missing or holds no witness key, or two witnesses have one key.</exception>
    public IReadOnlyList<WitnessClient> Clients => _clients.Value;

    /// <summary>Asks each witness that answers whether it knows more than the checkpoint this process is about to build on.</summary>
    /// <param name="head">The signed checkpoint.</param>
    /// <param name="note">Its note.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="SetBackException">A witness has cosigned a larger log, or another one of this size.</exception>
    public async Task CheckNotBehind(Checkpoint head, string note, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(StartLimit);
        await Task.WhenAll(Clients.Select(client => CheckNotBehind(client, head, note, limit.Token, ct)));
    }

    private async Task CheckNotBehind(WitnessClient client, Checkpoint head, string note, CancellationToken limit, CancellationToken ct)
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

        switch (answer)
        {
            case WitnessAnswer.Elsewhere(var size) when size > head.Size:
                throw new SetBackException(
                    $"the lock store and the database hold a checkpoint of {head.Size}, the witness {client.Name} has cosigned one of {size}: both were restored from older copies");
            case WitnessAnswer.Elsewhere(var size):
                client.At = size;
                break;
            case WitnessAnswer.Cosigned:
                client.At = head.Size;
                break;
            case WitnessAnswer.Refused(422, var why):
                throw new SetBackException($"the witness {client.Name} has cosigned another log of size {head.Size}: {why}");
            case WitnessAnswer.Refused(var status, var why):
                LedgerLog.WitnessRefused(log, client.Name, status, why);
                break;
            case WitnessAnswer.Away(var why):
                LedgerLog.WitnessNotAsked(log, client.Name, why);
                break;
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
