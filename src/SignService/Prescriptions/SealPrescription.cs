using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Npgsql;
using Trust.Crypto.Json;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;
using Trust.Pkcs11;
using Trust.SignService.Seals;
using Trust.SignService.Signatures;

namespace Trust.SignService.Prescriptions;

/// <summary>
/// Puts the institution's seal on an approved prescription and releases it. The key lives in the service's token. The pharmacist's request
/// and the background pass can come to the same prescription at once: the later joins the run under way, so that neither takes the
/// other's work for a refusal.
/// </summary>
public sealed class SealPrescription(
    PrescriptionStore store,
    SignatureStore signatures,
    SealDirectory seals,
    FinishSignature finish,
    Transition transition,
    Outbox outbox,
    NpgsqlDataSource db,
    SignOptions options,
    TimeProvider clock,
    ILogger<SealPrescription> log)
{
    private readonly ConcurrentDictionary<Guid, Lazy<Task<Refusal?>>> running = [];

    /// <summary>
    /// Seals now if everything needed is there; otherwise the background pass tries again. Not cancelled by the one who asks: others may
    /// have joined.
    /// </summary>
    /// <returns>Null when sealed and released, by this run or before it.</returns>
    public async Task<Refusal?> TrySeal(Guid id)
    {
        var run = running.GetOrAdd(id, static (key, self) => new Lazy<Task<Refusal?>>(() => self.SealOrSayWhy(key)), this);
        try
        {
            return await run.Value;
        }
        finally
        {
            running.TryRemove(new KeyValuePair<Guid, Lazy<Task<Refusal?>>>(id, run));
        }
    }

    private async Task<Refusal?> SealOrSayWhy(Guid id)
    {
        try
        {
            var refusal = await SealApproved(id, CancellationToken.None);
            if (refusal is not null)
            {
                SignLog.SealPending(log, id, refusal.Name);
            }

            return refusal;
        }
        catch (TokenException e)
        {
            SignLog.SealPending(log, id, e.Message);
            return SignRefusals.TokenAway;
        }
    }

    private async Task<Refusal?> SealApproved(Guid id, CancellationToken ct)
    {
        switch (await store.Find(id, ct))
        {
            case null:
                return SignRefusals.NotFound;
            case { Status: PrescriptionStatus.Released }:
                return null;
            case { Status: not PrescriptionStatus.Approved and var state }:
                return SignRefusals.WrongState.With("state", state);
            // An expired prescription is not sealed, and so never comes into force.
            case var over when over.ValidUntil <= clock.GetUtcNow():
                await transition.Expire(over, ct);
                return SignRefusals.Expired;
            case var prescription:
                return await seals.Find(prescription.Institution, ct) switch
                {
                    SealOutcome.Ready seal => await PutSeal(prescription, seal, ct),
                    SealOutcome.Refused refused => refused.Why,
                    _ => throw new InvalidOperationException("A closed set."),
                };
        }
    }

    private async Task<Refusal?> PutSeal(PrescriptionRow prescription, SealOutcome.Ready seal, CancellationToken ct)
    {
        var row = await StartedOrNewRow(prescription, seal, ct);
        var institution = prescription.Institution.Value;
        var actor = new Actor(institution, seal.Certificates[0].Sha256Hex, "institution", institution);
        var source = new SignatureSource.OwnKey(cancel => seals.Sign(seal, Jades.SigningInput(row.Protected, row.Payload), cancel));
        var outcome = await finish.Release(
            row, source, "seal", PrescriptionEvents.Of("SIGN.request", prescription, actor),
            async cancel => (await seals.Find(prescription.Institution, cancel) as SealOutcome.Refused)?.Why, async tx =>
                !await PrescriptionStore.Change(tx, prescription.Id, PrescriptionStatus.Approved, PrescriptionStatus.Released, clock.GetUtcNow())
                    ? SignRefusals.WrongState.With("state", prescription.Status)
                    : await outbox.Record(tx, PrescriptionEvents.Of("SIGN.done", prescription, actor))
                        ?? await outbox.Record(tx, PrescriptionEvents.Of("RX.seal", prescription, actor)),
            ct);
        return (outcome as FinishOutcome.Refused)?.Why;
    }

    private async Task<SignatureRow> StartedOrNewRow(PrescriptionRow prescription, SealOutcome.Ready seal, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (await signatures.Started(prescription.Id, SignatureKind.Seal, ct) is { } started)
        {
            return started;
        }

        var given = (await signatures.Done(prescription.Id, ct)).Select(s => s.Signature!).ToList();
        var statement = CanonicalJson.Encode(new JsonObject
        {
            ["number"] = prescription.Number,
            ["payloadSha256"] = Convert.ToHexStringLower(prescription.PayloadSha256),
            ["prescription"] = prescription.ObjectUri,
            ["signatures"] = new JsonArray([.. given.Select(s => (JsonNode)s)]),
        });
        var institution = prescription.Institution.Value;
        var row = new SignatureRow(
            Guid.CreateVersion7(now), prescription.Id, prescription.Region, SignatureKind.Seal, institution, institution,
            seal.Row.Certificates, Jades.Protect(seal.Certificates, now, options.SignaturePolicy, SignatureKind.Seal, prescription.ObjectUri + "#seal"),
            statement, now + options.PrepareLifetime);
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await SignatureStore.Insert(tx, row, now, ct);
        await tx.CommitAsync(ct);
        return row;
    }
}
