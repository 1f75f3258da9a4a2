using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Crypto;
using Trust.Crypto.Asn1;
using Trust.Idp.Clients;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.Idp.Admin;

/// <summary>An officer's signature over a change.</summary>
/// <param name="Certificate">The card's signature certificate, DER, base64.</param>
/// <param name="Signature">ES256 over the document: r‖s, 64 bytes, base64.</param>
public sealed record ClientChangeApproval(string? Certificate, string? Signature);

/// <summary>
/// <c>POST /admin/client-changes/{id}/approvals</c>: an officer's card signs the change's bytes. The second officer's signature registers the client. Signatures are judged
/// again then: a card that was revoked meanwhile has not signed.
/// </summary>
public sealed class ApproveClientChange(NpgsqlDataSource db, ClientChanges changes, OfficerCards officers, Outbox outbox)
{
    /// <summary>Approves.</summary>
    public async Task<Results<Ok<ClientChangeAnswer>, Refusal>> Handle(HttpContext context, Guid id, ClientChangeApproval body, CancellationToken ct)
    {
        var officer = OfficerCards.Of(context);
        if (await changes.Find(id, ct) is not { } change)
        {
            return IdpRefusals.ChangeUnknown;
        }

        var judged = await Judge(change, body, officer, ct);
        if (judged.Why is { } why)
        {
            return why;
        }

        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (!await changes.Hold(tx, id, ct))
        {
            return IdpRefusals.ChangeClosed;
        }

        if (await changes.Approve(tx, id, officer.Person, judged.Certificate!, judged.Signature!, ct) > 0
            && await outbox.Append(tx, ProposeClientChange.Event(officer, change, "approved"), ct) is AppendOutcome.Refused refused)
        {
            return CommonRefusals.From(refused.Reason);
        }

        var good = await Good(await ClientChanges.Approvers(tx, id, ct), ct);
        var applied = good.Count >= ClientChanges.Needed;
        if (applied)
        {
            await ClientStore.Put(tx, change.Client, ct);
            await changes.Close(tx, id, ct);
            if (await outbox.Append(tx, Registered(officer, change), ct) is AppendOutcome.Refused full)
            {
                return CommonRefusals.From(full.Reason);
            }
        }

        await tx.CommitAsync(ct);
        return TypedResults.Ok(ClientChangeAnswer.Of(change with { State = applied ? "applied" : "open" }, good));
    }

    // As every registration: by the hash of what is registered.
    private static AuditEvent Registered(Officer officer, ClientChange change) =>
        ProposeClientChange.Event(officer, change, change.Client.Enabled ? "registered" : "disabled") with { Basis = ImportClients.Basis(change.Client) };

    private async Task<(string? Certificate, byte[]? Signature, Refusal? Why)> Judge(ClientChange change, ClientChangeApproval body, Officer officer, CancellationToken ct)
    {
        var der = new byte[Certificate.MaxBytes];
        var signature = new byte[80];
        if (!Convert.TryFromBase64String(body.Certificate ?? "", der, out var length) || !Convert.TryFromBase64String(body.Signature ?? "", signature, out var signed)
            || signed != 64 || !Certificate.TryParse(der.AsMemory(0, length), out var certificate, out _))
        {
            return (null, null, IdpRefusals.ApprovalMalformed);
        }

        // The signature key, and of the very person whose card is at the door.
        if (await officers.Find(certificate.Sha256Hex, ct) is not { Usage: "signature" } card || card.Person != officer.Person)
        {
            return (null, null, IdpRefusals.NotYourSignatureCertificate);
        }

        return SignatureSuite.ES256.Verify(certificate.SubjectPublicKeyInfo, change.Document, EcdsaForm.ToDer(signature.AsSpan(0, 64)))
            ? (certificate.Sha256Hex, signature[..64], null) : (null, null, IdpRefusals.ApprovalMismatch);
    }

    private async Task<List<string>> Good(List<(string Officer, string Certificate)> approvals, CancellationToken ct)
    {
        var good = new List<string>();
        foreach (var (officer, certificate) in approvals)
        {
            if (await officers.Find(certificate, ct) is { Usage: "signature" } card && card.Person == officer)
            {
                good.Add(officer);
            }
        }

        return good;
    }
}
