using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;
using Trust.Crypto.Json;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.LiveStatus;
using Trust.LogFormat;
using Trust.SignService.Signatures;

namespace Trust.SignService.Prescriptions;

/// <summary><c>POST /prescriptions</c>: fixes the bytes, evaluates the rules, and answers with the complete bytes to be signed.</summary>
public static class PreparePrescription
{
    private static readonly string[] Roles = ["physician"];

    /// <summary>Maps the endpoint.</summary>
    public static void Map(IEndpointRouteBuilder app) => app.MapPost("/prescriptions", Handle).RequireScope("rx.sign").Idempotent();

    private static async Task<Results<Created<PreparedResponse>, ProblemHttpResult>> Handle(
        HttpContext context, PersonalSigning signing, ConsentClient consents, PrescriptionStore store, NpgsqlDataSource db, Outbox outbox,
        SignOptions options, TimeProvider clock, ProblemSet problems)
    {
        var ct = context.RequestAborted;
        var caller = context.Caller();
        var now = clock.GetUtcNow();
        if (Parse(await RequestBody.Read(context.Request, (int)ServiceHost.MaximumBody, ct), out var bundle, out var certificate) is { } unreadable)
        {
            return unreadable.ToProblem(problems);
        }

        if (PrescriptionProfile.Read(bundle, out var content, out var payload) is { } broken)
        {
            return broken.ToProblem(problems);
        }

        var (permit, certificates, why) = await signing.Entitled(caller, "prescribe", Roles, certificate, ct);
        why ??= Mine(content!, caller) ?? ServiceScope.Judge(content!, options, now);
        var consent = why is null ? await consents.Find(content!.Patient, content.Institution, ct) : null;
        why ??= Consented(consent)
            ?? (await store.IsNumberInForce(content!.Institution, content.Number, ct)
                ? Refusal.Conflict("number-in-use", "Another prescription of this number is in force.") : null);
        if (why is not null)
        {
            await Denied(db, outbox, caller, why, options, ct);
            return why.ToProblem(problems);
        }

        var row = NewRow(content!, payload, permit!, Convert.FromHexString(consent!.SubjectKey!), options, now);
        var signature = signing.NewRow(row, SignatureKind.Prescribe, caller, certificates, null, row.ObjectUri);
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await PrescriptionStore.Insert(tx, row, now, ct);
        await SignatureStore.Insert(tx, signature, now, ct);
        await tx.CommitAsync(ct);
        return TypedResults.Created($"/prescriptions/{row.Id}", Prepared(row, signature, payload));
    }

    /// <summary>The answer that carries the bytes to be signed.</summary>
    internal static PreparedResponse Prepared(PrescriptionRow row, SignatureRow signature, byte[] payload) => new(
        row.Id, row.Number, row.Status, payload, Convert.ToHexStringLower(SHA256.HashData(payload)),
        Jades.SigningInput(signature.Protected, payload), signature.ExpiresAt);

    private static Refusal? Parse(byte[]? body, out JsonElement bundle, out byte[] certificate)
    {
        (bundle, certificate) = (default, []);
        if (body is null)
        {
            return new Refusal("body-too-large", 413, "The body is larger than this endpoint reads.");
        }

        if (!StrictJson.TryParse(body, new JsonLimits((int)ServiceHost.MaximumBody), out var root, out var refusal))
        {
            return Refusal.Malformed("json-" + Kebab(refusal.Reason), $"The JSON is refused near byte {refusal.Offset}.");
        }

        var valid = root.ValueKind == JsonValueKind.Object
            && root.EnumerateObject().All(m => m.Name is "bundle" or "certificate")
            && root.TryGetProperty("bundle", out bundle)
            && root.TryGetProperty("certificate", out var text) && text.ValueKind == JsonValueKind.String && text.TryGetBytesFromBase64(out certificate!);
        return valid ? null : Refusal.Malformed("malformed-request", "Send {bundle, certificate} and nothing else; the certificate is base64 DER.");
    }

    private static string Kebab(JsonRefusalReason reason) => reason switch
    {
        JsonRefusalReason.TooLarge => "too-large",
        JsonRefusalReason.TooDeep => "too-deep",
        JsonRefusalReason.InvalidUtf8 => "invalid-utf8",
        JsonRefusalReason.DuplicateKey => "duplicate-key",
        JsonRefusalReason.LoneSurrogate => "lone-surrogate",
        JsonRefusalReason.UnsafeNumber => "unsafe-number",
        _ => "malformed",
    };

    private static Refusal? Mine(PrescriptionContent content, Caller caller) =>
        !string.Equals(content.Author, caller.Subject, StringComparison.Ordinal)
            ? Refusal.Forbidden("not-the-author", "The prescription names another doctor than the one logged in.")
            : !string.Equals(content.Institution, caller.Institution, StringComparison.Ordinal)
                ? Refusal.Forbidden("other-institution", "The prescription names another institution than the one you act for.")
                : null;

    private static Refusal? Consented(Consent? consent) => consent switch
    {
        null => Refusal.Unavailable("consent-unknown", "Consent cannot be checked now; nothing is signed without it. Try again shortly."),
        { Granted: true, SubjectKey.Length: 64 } => null,
        _ => Refusal.Forbidden("no-consent", "The patient has not consented to online care at this institution."),
    };

    private static PrescriptionRow NewRow(
        PrescriptionContent content, byte[] payload, Entitlement.Permit permit, byte[] patientKey, SignOptions options, DateTimeOffset now) => new(
        Guid.CreateVersion7(now), permit.Region, content.Number, content.Institution, content.Author, content.Patient, patientKey, content.Category,
        payload, SHA256.HashData(payload), PrescriptionStatus.Draft, ServiceScope.ValidUntil(content, options), options.RuleVersion);

    private static async Task Denied(NpgsqlDataSource db, Outbox outbox, Caller caller, Refusal why, SignOptions options, CancellationToken ct)
    {
        List<SubjectKey> subjects = caller.Subject.StartsWith("urn:mdid:p:", StringComparison.Ordinal)
            ? [SubjectKey.Practitioner(caller.Subject)] : [SubjectKey.Of("client", caller.ClientId)];
        if (caller.Institution is { } institution)
        {
            subjects.Add(SubjectKey.Institution(institution));
        }

        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await outbox.Append(tx, new AuditEvent
        {
            Action = "SIGN.deny",
            Actor = new Actor(caller.Subject, caller.LoginCertificate, caller.Role, caller.Institution),
            Subjects = subjects,
            Outcome = EventOutcome.Refused,
            Class = "CLINICAL",
            Purpose = "TREATMENT",
            Reason = why.Rule,
            RuleVersion = options.RuleVersion,
        }, ct);
        await tx.CommitAsync(ct);
    }
}
