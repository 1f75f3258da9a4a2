using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Trust.Crypto.Json;
using Trust.LogFormat;
using Trust.Pkcs11;
using Trust.SignService.Keys;
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
    PersonalSigning events,
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
    public async Task<Refusal?> TryRun(Guid id)
    {
        var run = running.GetOrAdd(id, static (key, self) => new Lazy<Task<Refusal?>>(() => self.Attempt(key)), this);
        try
        {
            return await run.Value;
        }
        finally
        {
            running.TryRemove(new KeyValuePair<Guid, Lazy<Task<Refusal?>>>(id, run));
        }
    }

    private async Task<Refusal?> Attempt(Guid id)
    {
        try
        {
            var refusal = await Run(id, CancellationToken.None);
            if (refusal is not null)
            {
                SignLog.SealPending(log, id, refusal.Rule);
            }

            return refusal;
        }
        catch (TokenException e)
        {
            SignLog.SealPending(log, id, e.Message);
            return Refusal.Unavailable("token-away", "The seal's token does not answer.");
        }
    }

    private async Task<Refusal?> Run(Guid id, CancellationToken ct)
    {
        var found = await store.Find(id, ct);
        if (found is not { Status: PrescriptionStatus.Approved } prescription)
        {
            return found?.Status == PrescriptionStatus.Released ? null : Refusal.Conflict("wrong-state", "Only an approved prescription is sealed.");
        }

        var (seal, why) = await seals.Find(prescription.Institution, ct);
        if (seal is null)
        {
            return why;
        }

        var row = await Row(prescription, seal, ct);
        var actor = new Actor(prescription.Institution, seal.Certificates[0].Sha256Hex, "institution", prescription.Institution);
        var outcome = await finish.Run(
            row, given: null, cancel => seals.Sign(seal, Jades.SigningInput(row.Protected, row.Payload), cancel), "seal", PrescriptionEvents.Of("SIGN.request", prescription, actor), async tx =>
                !await PrescriptionStore.Change(tx, id, PrescriptionStatus.Approved, PrescriptionStatus.Released, clock.GetUtcNow())
                    ? Refusal.Conflict("wrong-state", "The prescription has moved on meanwhile.")
                    : await events.Append(tx, PrescriptionEvents.Of("SIGN.done", prescription, actor))
                        ?? await events.Append(tx, PrescriptionEvents.Of("RX.seal", prescription, actor)),
            ct);
        return (outcome as FinishOutcome.Refused)?.Why;
    }

    private async Task<SignatureRow> Row(PrescriptionRow prescription, ReadySeal seal, CancellationToken ct)
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
        var row = new SignatureRow(
            Guid.CreateVersion7(now), prescription.Id, prescription.Region, SignatureKind.Seal, prescription.Institution, prescription.Institution,
            seal.Row.Certificates, Jades.Protect(seal.Certificates, now, options.SignaturePolicy, SignatureKind.Seal, prescription.ObjectUri + "#seal"),
            statement, now + options.PrepareLifetime);
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await SignatureStore.Insert(tx, row, now, ct);
        await tx.CommitAsync(ct);
        return row;
    }
}

/// <summary>Seals what was approved while something was away: looks every second, and tries each one again after 1, 2, 4 … 64 seconds.</summary>
public sealed class SealingPass(SealPrescription seal, PrescriptionStore store, TimeProvider clock, ILogger<SealingPass> log) : BackgroundService
{
    private const int MostDoublings = 6;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private readonly Dictionary<Guid, (int Tries, DateTimeOffset Next)> waiting = [];

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Pause, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                foreach (var prescription in await store.Unsealed(stoppingToken))
                {
                    await Try(prescription.Id);
                }
            }
            catch (Exception e) when (e is NpgsqlException or IOException)
            {
                // The database is away: the next pass finds the same work.
                SignLog.SealPassFailed(log, e);
            }
        }
    }

    private async Task Try(Guid id)
    {
        var now = clock.GetUtcNow();
        var (tries, next) = waiting.GetValueOrDefault(id);
        if (now < next)
        {
            return;
        }

        if (await seal.TryRun(id) is null)
        {
            waiting.Remove(id);
            return;
        }

        waiting[id] = (Math.Min(tries + 1, MostDoublings), now + (Pause * (1 << Math.Min(tries, MostDoublings))));
    }
}
