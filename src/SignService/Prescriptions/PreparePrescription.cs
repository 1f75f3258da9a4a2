using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Npgsql;
using Trust.Crypto.Json;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Keys;
using Trust.Kernel.LiveStatus;
using Trust.LogFormat;
using Trust.SignService.Signatures;
using Trust.Kernel.Residency;

namespace Trust.SignService.Prescriptions;

/// <summary>A prepared signature: the complete bytes to be signed, which the client hashes itself.</summary>
/// <param name="Id">The prescription.</param>
/// <param name="Number">Its number.</param>
/// <param name="Status">Its state.</param>
/// <param name="Payload">base64 of the signed document.</param>
/// <param name="PayloadSha256">Lower-case hex.</param>
/// <param name="ToBeSigned">base64 of header "." payload; SHA-256 of these bytes goes to the card.</param>
/// <param name="ExpiresAt">Until when the signature is accepted.</param>
public sealed record PreparedResponse(
    Guid Id, string Number, string Status, byte[] Payload, string PayloadSha256, byte[] ToBeSigned, DateTimeOffset ExpiresAt)
{
    internal static PreparedResponse For(PrescriptionRow row, SignatureRow signature, byte[] payload) => new(
        row.Id, row.Number, row.Status, payload, Convert.ToHexStringLower(SHA256.HashData(payload)),
        Jades.SigningInput(signature.Protected, payload), signature.ExpiresAt);
}

/// <summary>Fixes a prescription's bytes, evaluates the rules, and answers with the complete bytes to be signed.</summary>
internal sealed class PreparePrescription(
    PersonalSigning signing, PatientConsents consents, PrescriptionStore store, ClinicalText texts, NpgsqlDataSource db, Outbox outbox, ResidencyGate residency,
    SignOptions options, TimeProvider clock)
{
    private static readonly string[] Roles = ["physician"];

    /// <summary>Prepares the doctor's signature. The body is {bundle, certificate}, read by strict JSON: its bytes, not a binder's reading of them, decide.</summary>
    [Consumes(typeof(Stream), "application/json")]
    public async Task<Results<Created<PreparedResponse>, Refusal>> Handle(HttpContext context)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        if (ParseBody(await RequestBody.Read(context.Request, (int)ServiceHost.MaximumBody, ct), out var bundle, out var certificate) is { } unreadable)
        {
            return unreadable;
        }

        return PrescriptionProfile.Read(bundle) switch
        {
            ProfileOutcome.Holds read when SecondReader.Compare(read) is { } differs => differs,
            ProfileOutcome.Holds read => await Prepare(read, certificate, caller, context.IdempotencyKey(), ct),
            ProfileOutcome.Broken broken => broken.Why,
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    private async Task<Results<Created<PreparedResponse>, Refusal>> Prepare(ProfileOutcome.Holds read, byte[] certificate, Caller caller, string key, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        switch (await Judge(read.Content, certificate, caller, now, ct))
        {
            case Verdict.Refused refused:
                await outbox.RecordDenial(db, Denial(caller, refused.Why), ct);
                return refused.Why;
            case Verdict.Admitted admitted:
                if (await NewRow(read, admitted, now, ct) is not { } row || await Store(row, read.Payload, admitted.Signer, caller, key, ct) is not { } stored)
                {
                    // Shredded since the provider answered: it will not find the patient again.
                    await outbox.RecordDenial(db, Denial(caller, SignRefusals.NoConsent), ct);
                    return SignRefusals.NoConsent;
                }

                return stored;
            default:
                throw new InvalidOperationException("A closed set.");
        }
    }

    // Null when the patient was shredded since it was sealed.
    private async Task<Results<Created<PreparedResponse>, Refusal>?> Store(
        PrescriptionRow row, byte[] payload, SignerOutcome.Entitled signer, Caller caller, string key, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await PersonKeys.Hold(tx, row.PatientKey, ct) is not { } held)
        {
            return null;
        }

        if (!await PrescriptionStore.Insert(held, row, key, now, ct))
        {
            // An attempt that was stopped before its answer has made the draft; this one goes on with it.
            var earlier = await PrescriptionStore.FindByKey(tx, key, ct) ?? throw new InvalidOperationException("An attempt vanished.");
            if (!earlier.PayloadSha256.AsSpan().SequenceEqual(row.PayloadSha256))
            {
                return CommonRefusals.IdempotencyMismatch;
            }

            row = earlier;
        }
        else if (await outbox.Record(tx, PrescriptionEvents.Of("RX.draft", row, caller.AsActor())) is { } refusal)
        {
            return refusal;
        }

        var signature = signing.NewRow(row, SignatureKind.Prescribe, caller, signer.Certificates, null, row.ObjectUri);
        await SignatureStore.Insert(tx, signature, now, ct);
        await tx.CommitAsync(CancellationToken.None);
        return TypedResults.Created($"/prescriptions/{row.Id}", PreparedResponse.For(row, signature, payload));
    }

    private async Task<Verdict> Judge(PrescriptionContent content, byte[] certificate, Caller caller, DateTimeOffset now, CancellationToken ct)
    {
        switch (await signing.Judge(caller, "prescribe", Roles, certificate, ct))
        {
            case SignerOutcome.Refused refused:
                return new Verdict.Refused(refused.Why);
            case SignerOutcome.Entitled signer:
                if ((IsCallers(content, caller) ?? RegisteredFacts.Compare(content, signer.Permit) ?? ServiceScope.Judge(content, options, now)) is { } why)
                {
                    return new Verdict.Refused(why);
                }

                // Before the consent is looked for: nothing of a patient of that region is to be handled here.
                if (residency.RefuseStorage(signer.Permit.Region ?? "", DataClass.Clinical) is { } rule)
                {
                    return new Verdict.Refused(SignRefusals.StoredElsewhere.With("rule", rule.Id));
                }

                return await consents.Find(content.Patient, content.Institution, ct) switch
                {
                    null => new Verdict.Refused(SignRefusals.ConsentUnknown),
                    { Granted: true, SubjectKey: { Length: 64 } key } => await store.IsNumberInForce(content.Institution, content.Number, ct)
                        ? new Verdict.Refused(SignRefusals.NumberInUse) : new Verdict.Admitted(signer, Convert.FromHexString(key)),
                    _ => new Verdict.Refused(SignRefusals.NoConsent),
                };
            default:
                throw new InvalidOperationException("A closed set.");
        }
    }

    private static Refusal? ParseBody(byte[]? body, out JsonElement bundle, out byte[] certificate)
    {
        (bundle, certificate) = (default, []);
        if (body is null)
        {
            return CommonRefusals.BodyTooLarge;
        }

        if (!StrictJson.TryParse(body, new JsonLimits((int)ServiceHost.MaximumBody), out var root, out var refusal))
        {
            return JsonRefusals.From(refusal);
        }

        return root.ValueKind != JsonValueKind.Object ? CommonRefusals.MemberWrongKind.With("member", "$")
            : root.EnumerateObject().Where(m => m.Name is not ("bundle" or "certificate")).Select(m => m.Name).FirstOrDefault() is { } unknown
                ? CommonRefusals.MemberUnknown.With("member", "$." + MemberPath.Shown(unknown))
            : !root.TryGetProperty("bundle", out bundle) ? CommonRefusals.MemberMissing.With("member", "$.bundle")
            : !root.TryGetProperty("certificate", out var text) ? CommonRefusals.MemberMissing.With("member", "$.certificate")
            : text.ValueKind != JsonValueKind.String || !text.TryGetBytesFromBase64(out certificate!) ? CommonRefusals.MemberWrongKind.With("member", "$.certificate")
            : null;
    }

    private static Refusal? IsCallers(PrescriptionContent content, Caller caller) =>
        content.Author != caller.Person ? SignRefusals.NotTheAuthor
        : content.Institution != caller.ActsFor ? SignRefusals.OtherInstitution
        : null;

    private async Task<PrescriptionRow?> NewRow(ProfileOutcome.Holds read, Verdict.Admitted admitted, DateTimeOffset now, CancellationToken ct)
    {
        var (id, region) = (RecordId.New(now, residency.Terms.Region), admitted.Signer.Permit.Region);
        return await texts.SealPayload(id, region, admitted.PatientKey, read.Payload, ct) is not { } sealedPayload ? null : new PrescriptionRow(
            id, region, read.Content.Number, read.Content.Institution, read.Content.Author, read.Content.Patient, admitted.PatientKey, read.Content.Category,
            new StoredText(null, sealedPayload), SHA256.HashData(read.Payload), PrescriptionStatus.Draft, ServiceScope.ValidUntil(read.Content, options), options.RuleVersion);
    }

    private AuditEvent Denial(Caller caller, Refusal why)
    {
        List<SubjectKey> subjects = [caller.Person is { } person ? SubjectKey.Practitioner(person.Value) : SubjectKey.Of("client", caller.ClientId)];
        if (caller.ActsFor is { } institution)
        {
            subjects.Add(SubjectKey.Institution(institution.Value));
        }

        return new AuditEvent
        {
            Action = "SIGN.deny",
            Actor = caller.AsActor(),
            Subjects = subjects,
            Outcome = EventOutcome.Refused,
            Class = "CLINICAL",
            Purpose = "TREATMENT",
            Reason = why.Name,
            RuleVersion = options.RuleVersion,
        };
    }

    private abstract record Verdict
    {
        public sealed record Admitted(SignerOutcome.Entitled Signer, byte[] PatientKey) : Verdict;

        public sealed record Refused(Refusal Why) : Verdict;
    }
}
