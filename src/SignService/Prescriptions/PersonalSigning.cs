using Npgsql;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.LiveStatus;
using Trust.LogFormat;
using Trust.SignService.Keys;
using Trust.SignService.Signatures;

namespace Trust.SignService.Prescriptions;

/// <summary>Whether a person may sign now.</summary>
public abstract record SignerOutcome
{
    private SignerOutcome()
    {
    }

    /// <summary>Certificate and registry permit it.</summary>
    /// <param name="Permit">The registry's permit.</param>
    /// <param name="Certificates">Leaf first, root excluded.</param>
    public sealed record Entitled(Entitlement.Permit Permit, IReadOnlyList<Certificate> Certificates) : SignerOutcome;

    /// <summary>Not now.</summary>
    /// <param name="Why">The rule.</param>
    public sealed record Refused(Refusal Why) : SignerOutcome;
}

/// <summary>What a signature value that the signer sent meets.</summary>
public abstract record PreparedOutcome
{
    private PreparedOutcome()
    {
    }

    /// <summary>It fits the prepared signature that waits for it.</summary>
    /// <param name="Row">The prepared signature.</param>
    public sealed record Fits(SignatureRow Row) : PreparedOutcome;

    /// <summary>An earlier completion with this key was answered so.</summary>
    /// <param name="Value">The released signature.</param>
    public sealed record Complete(SignedValue Value) : PreparedOutcome;

    /// <summary>It is not accepted.</summary>
    /// <param name="Why">The rule.</param>
    public sealed record Refused(Refusal Why) : PreparedOutcome;
}

/// <summary>A released signature's value.</summary>
/// <param name="Protected">base64url header.</param>
/// <param name="Signature">base64url r‖s.</param>
/// <param name="TimeStamp">RFC 3161 token.</param>
public sealed record SignedValue(string Protected, string Signature, byte[] TimeStamp);

/// <summary>What is common to the doctor's and the pharmacist's signature: certificate and live entitlement, at prepare and again at complete.</summary>
public sealed class PersonalSigning(
    NpgsqlDataSource db,
    Outbox outbox,
    EntitlementClient entitlements,
    TrustAnchors anchors,
    SignatureStore signatures,
    FinishSignature finish,
    ClinicalText texts,
    SignOptions options,
    TimeProvider clock)
{
    /// <summary>Judges certificate and entitlement now.</summary>
    /// <param name="caller">The person logged in.</param>
    /// <param name="act"><c>prescribe</c> or <c>review</c>.</param>
    /// <param name="roles">Roles that may.</param>
    /// <param name="certificate">The signature certificate, DER.</param>
    /// <param name="ct">Cancels the question.</param>
    public async Task<SignerOutcome> Judge(Caller caller, string act, IReadOnlyList<string> roles, ReadOnlyMemory<byte> certificate, CancellationToken ct)
    {
        // A service account has no person behind it: no one, and no program, stands in for a practitioner.
        if (caller.Person is not { } person || caller.ActsFor is not { } institution)
        {
            return new SignerOutcome.Refused(SignRefusals.NotAPractitioner);
        }

        switch (SigningCertificate.Judge(certificate, person, anchors, clock.GetUtcNow()))
        {
            case SigningCertificateOutcome.Unfit unfit:
                return new SignerOutcome.Refused(unfit.Why);
            case SigningCertificateOutcome.Fit fit:
                var question = new EntitlementQuestion(person.Value, institution.Value, act, fit.Certificates[0].Sha256Hex);
                return await entitlements.Check(question, ct) switch
                {
                    Entitlement.Permit permit when roles.Contains(permit.Role, StringComparer.Ordinal) => new SignerOutcome.Entitled(permit, fit.Certificates),
                    Entitlement.Permit => new SignerOutcome.Refused(RegistryRefusals.NotInRole),
                    Entitlement.Deny deny => new SignerOutcome.Refused(RegistryRefusals.From(deny)),
                    _ => throw new InvalidOperationException("A closed set."),
                };
            default:
                throw new InvalidOperationException("A closed set.");
        }
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
    public async Task<PreparedOutcome> FindPrepared(
        PrescriptionRow prescription, SignatureKind kind, Caller caller, string signature, string key, CancellationToken ct)
    {
        if (await signatures.Latest(prescription.Id, kind, caller.Subject, ct) is not { } row)
        {
            return new PreparedOutcome.Refused(SignRefusals.NotPrepared);
        }

        var isSameValue = string.Equals(row.Signature, signature, StringComparison.Ordinal);
        if (row.Status == "done")
        {
            return isSameValue && string.Equals(row.CompletionKey, key, StringComparison.Ordinal)
                ? new PreparedOutcome.Complete(new SignedValue(row.Protected, row.Signature!, row.TimeStamp!))
                : new PreparedOutcome.Refused(SignRefusals.AlreadySigned);
        }

        if (row.Status == "intended" && !isSameValue)
        {
            return new PreparedOutcome.Refused(SignRefusals.AlreadySigned);
        }

        if ((row.Payload ?? await texts.Payload(prescription, ct)) is not { } signed)
        {
            return new PreparedOutcome.Refused(SignRefusals.Shredded);
        }

        if (JadesVerification.Verify(row.Protected, signature, signed) is not JadesOutcome.Intact)
        {
            await RecordDenial(prescription, caller.AsActor(row.Leaf.Sha256Hex), SignRefusals.SignatureMismatch, ct);
            return new PreparedOutcome.Refused(SignRefusals.SignatureMismatch);
        }

        return new PreparedOutcome.Fits(row);
    }

    /// <summary>Finishes a person's signature: state, SIGN.done and the transition's event in one transaction.</summary>
    /// <param name="row">The prepared signature.</param>
    /// <param name="prescription">What it belongs to.</param>
    /// <param name="signature">The value, verified.</param>
    /// <param name="key">Idempotency key of the completion.</param>
    /// <param name="actor">The signer.</param>
    /// <param name="step">How the prescription advances.</param>
    /// <param name="still">Asked once more after the ledger's receipt.</param>
    /// <param name="ct">Cancels waiting; what was signed is stored all the same.</param>
    public async Task<FinishOutcome> Finish(
        SignatureRow row, PrescriptionRow prescription, string signature, string key, Actor actor, SignedStep step,
        Func<CancellationToken, Task<Refusal?>> still, CancellationToken ct) =>
        await finish.Release(row, new SignatureSource.Given(signature), key, PrescriptionEvents.Of("SIGN.request", prescription, actor), async cancel =>
        {
            var why = await still(cancel);
            if (why is not null)
            {
                await RecordDenial(prescription, actor, why, CancellationToken.None);
            }

            return why;
        }, async tx =>
        {
            try
            {
                if (!await PrescriptionStore.Change(tx, prescription.Id, step.From, step.To, clock.GetUtcNow()))
                {
                    return SignRefusals.WrongState.With("state", prescription.Status);
                }
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
            {
                return SignRefusals.NumberInUse;
            }

            return await outbox.Record(tx, PrescriptionEvents.Of("SIGN.done", prescription, actor))
                ?? await outbox.Record(tx, PrescriptionEvents.Of(step.Action, prescription, actor));
        }, ct);

    /// <summary>Whether the signer is entitled still, after the wait for the ledger: from the change feed, which the registry's suspension reaches first.</summary>
    public async Task<Refusal?> StillEntitled(Caller caller, string act, SignatureRow row, CancellationToken ct) =>
        await entitlements.Check(new EntitlementQuestion(caller.Subject, caller.Institution, act, row.Leaf.Sha256Hex), ct) is Entitlement.Deny deny
            ? RegistryRefusals.From(deny) : null;

    /// <summary>Records that signing was denied.</summary>
    public Task RecordDenial(PrescriptionRow prescription, Actor actor, Refusal why, CancellationToken ct) =>
        outbox.RecordDenial(db, PrescriptionEvents.Of("SIGN.deny", prescription, actor, why.Name, refused: true), ct);
}

/// <summary>How a prescription advances when a person's signature is released.</summary>
/// <param name="From">State before.</param>
/// <param name="To">State after.</param>
/// <param name="Action">The event that tells of it.</param>
public sealed record SignedStep(string From, string To, string Action);
