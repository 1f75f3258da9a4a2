using Npgsql;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.LiveStatus;
using Trust.LogFormat;
using Trust.SignService.Keys;
using Trust.SignService.Signatures;

namespace Trust.SignService.Prescriptions;

/// <summary>What is common to the doctor's and the pharmacist's signature: certificate and live entitlement, at prepare and again at complete.</summary>
public sealed class PersonalSigning(
    NpgsqlDataSource db,
    Outbox outbox,
    EntitlementClient entitlements,
    TrustAnchors anchors,
    SignatureStore signatures,
    FinishSignature finish,
    SignOptions options,
    TimeProvider clock)
{
    /// <summary>Judges certificate and entitlement now.</summary>
    /// <param name="caller">The person logged in.</param>
    /// <param name="act"><c>prescribe</c> or <c>review</c>.</param>
    /// <param name="roles">Roles that may.</param>
    /// <param name="certificate">The signature certificate, DER.</param>
    /// <param name="ct">Cancels the question.</param>
    /// <returns>The permit with the certificates (leaf first, root excluded), or the refusal.</returns>
    public async Task<(Entitlement.Permit? Permit, IReadOnlyList<Certificate> Certificates, Refusal? Why)> Entitled(
        Caller caller, string act, IReadOnlyList<string> roles, ReadOnlyMemory<byte> certificate, CancellationToken ct)
    {
        // A service account has no person behind it: no one, and no program, stands in for a practitioner.
        if (!caller.Subject.StartsWith("urn:mdid:p:", StringComparison.Ordinal) || caller.Institution is null)
        {
            return (null, [], Refusal.Forbidden("not-a-practitioner", "Only a practitioner logged in for an institution signs."));
        }

        if (SigningCertificate.Judge(certificate, caller.Subject, anchors, clock.GetUtcNow(), out var certificates) is { } unfit)
        {
            return (null, [], unfit);
        }

        var question = new EntitlementQuestion(caller.Subject, caller.Institution, act, certificates[0].Sha256Hex);
        return await entitlements.Check(question, ct) switch
        {
            Entitlement.Permit permit when roles.Contains(permit.Role, StringComparer.Ordinal) => (permit, certificates, null),
            Entitlement.Permit => (null, [], Refusal.Forbidden("not-in-role", "The registry knows you in another role.")),
            Entitlement.Deny { Reason: "status-unknown" } =>
                (null, [], Refusal.Unavailable("status-unknown", "The registry does not answer, and nothing is signed on old knowledge. Try again shortly.")),
            Entitlement.Deny deny => (null, [], Refusal.Forbidden(deny.Reason, "The registry does not permit this now.")),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    /// <summary>A row for a signature to be prepared.</summary>
    public SignatureRow NewRow(
        PrescriptionRow prescription, SignatureKind kind, Caller caller, IReadOnlyList<Certificate> certificates, byte[]? statement, string objectUri)
    {
        var now = clock.GetUtcNow();
        return new SignatureRow(
            Guid.CreateVersion7(now), prescription.Id, prescription.Region, kind, caller.Subject, caller.Institution!,
            [.. certificates.Select(c => c.Der.ToArray())],
            Jades.Protect(certificates, now, options.SignaturePolicy, kind, objectUri), statement, now + options.PrepareLifetime);
    }

    /// <summary>Finds the caller's prepared signature and checks the value given for it.</summary>
    /// <returns>The row, or the answer of an earlier completion with this key, or the refusal.</returns>
    public async Task<(SignatureRow? Row, SignedValue? Already, Refusal? Why)> Find(
        PrescriptionRow prescription, SignatureKind kind, Caller caller, string signature, string key, CancellationToken ct)
    {
        if (await signatures.Latest(prescription.Id, kind, caller.Subject, ct) is not { } row)
        {
            return (null, null, Refusal.Conflict("not-prepared", "Prepare the signature first."));
        }

        if (row.Status == "done")
        {
            return string.Equals(row.CompletionKey, key, StringComparison.Ordinal) && string.Equals(row.Signature, signature, StringComparison.Ordinal)
                ? (null, new SignedValue(row.Protected, row.Signature!, row.TimeStamp!), null)
                : (null, null, Refusal.Conflict("already-signed", "This signature is complete; it is not accepted twice."));
        }

        if (row.Status == "intended" && !string.Equals(row.Signature, signature, StringComparison.Ordinal))
        {
            return (null, null, Refusal.Conflict("already-signed", "Another value for this signature is on its way."));
        }

        if (JadesVerification.Verify(row.Protected, signature, row.Payload ?? prescription.Payload) is not JadesOutcome.Intact)
        {
            await Deny(prescription, new Actor(caller.Subject, row.Leaf.Sha256Hex, caller.Role, caller.Institution), "signature-mismatch", ct);
            return (null, null, Refusal.Conflict("signature-mismatch", "The signature is not over the prepared bytes by the prepared key; nothing is signed."));
        }

        return (row, null, null);
    }

    /// <summary>Finishes a person's signature: state, SIGN.done and the transition's event in one transaction.</summary>
    public Task<FinishOutcome> Finish(
        SignatureRow row, PrescriptionRow prescription, string signature, string key, Actor actor, string from, string to, string action, CancellationToken ct) =>
        finish.Run(row, signature, sign: null, key, PrescriptionEvents.Of("SIGN.request", prescription, actor), async tx =>
        {
            try
            {
                if (!await PrescriptionStore.Change(tx, prescription.Id, from, to, clock.GetUtcNow()))
                {
                    return Refusal.Conflict("wrong-state", "The prescription has moved on meanwhile.");
                }
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
            {
                return Refusal.Conflict("number-in-use", "Another prescription of this number is in force.");
            }

            return await Append(tx, PrescriptionEvents.Of("SIGN.done", prescription, actor))
                ?? await Append(tx, PrescriptionEvents.Of(action, prescription, actor));
        }, ct);

    /// <summary>Appends an event in a transaction; a refusal means roll back.</summary>
    public async Task<Refusal?> Append(NpgsqlTransaction tx, AuditEvent e) =>
        await outbox.Append(tx, e, CancellationToken.None) is AppendOutcome.Refused refused ? Refusal.From(refused.Reason) : null;

    /// <summary>Records that signing was denied. Never waits for the ledger.</summary>
    public async Task Deny(PrescriptionRow prescription, Actor actor, string reason, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await Append(tx, PrescriptionEvents.Of("SIGN.deny", prescription, actor, reason, refused: true));
        await tx.CommitAsync(ct);
    }
}

/// <summary>A released signature's value.</summary>
/// <param name="Protected">base64url header.</param>
/// <param name="Signature">base64url r‖s.</param>
/// <param name="TimeStamp">RFC 3161 token.</param>
public sealed record SignedValue(string Protected, string Signature, byte[] TimeStamp);
