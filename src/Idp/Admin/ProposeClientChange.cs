using System.ComponentModel.DataAnnotations;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Crypto.Json;
using Trust.Idp.Clients;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.Idp.Admin;

/// <summary>A client to be registered or changed, in the form of the operator's file.</summary>
/// <param name="Client">One client, RFC 7591 names.</param>
public sealed record ClientChangeRequest([property: Required] JsonObject? Client);

/// <summary>
/// <c>POST /admin/client-changes</c>: an officer proposes a client. It waits, a week at most, until two officers have signed its bytes by their cards. What takes rights
/// away needs no second officer (<see cref="DisableClient"/>).
/// </summary>
public sealed class ProposeClientChange(NpgsqlDataSource db, Outbox outbox, ResidencyGate residency, TimeProvider clock)
{
    /// <summary>Proposes.</summary>
    public async Task<Results<Ok<ClientChangeAnswer>, Refusal>> Handle(HttpContext context, ClientChangeRequest body, CancellationToken ct)
    {
        if (body?.Client is not { } proposed)
        {
            return IdpRefusals.ClientMalformed.With("rule", "client is missing.");
        }

        Client client;
        try
        {
            client = ClientFile.Parse(Encoding.UTF8.GetBytes(new JsonArray(proposed.DeepClone()).ToJsonString()))[0];
        }
        catch (ValidationException e)
        {
            return IdpRefusals.ClientMalformed.With("rule", e.Message);
        }

        var now = clock.GetUtcNow();
        if (!residency.Terms.Regions.IsInside(client.Region, ResidencyTerms.DayOf(now)))
        {
            return IdpRefusals.ClientMalformed.With("rule", "the region is no listed region inside the mainland.");
        }

        var (officer, id) = (OfficerCards.Of(context), Guid.CreateVersion7(now));
        var document = CanonicalJson.Encode(new JsonObject { ["service"] = "idp", ["change"] = id.ToString(), ["client"] = proposed.DeepClone() });
        var change = new ClientChange(id, client.Id, document, officer.Person, now, now + ClientChanges.Life, "open");
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await ClientChanges.Insert(tx, change, ct);
        if (await outbox.Append(tx, Event(officer, change, "proposed"), ct) is AppendOutcome.Refused refused)
        {
            return CommonRefusals.From(refused.Reason);
        }

        await tx.CommitAsync(ct);
        return TypedResults.Ok(ClientChangeAnswer.Of(change, []));
    }

    /// <summary>The event of a step of a change.</summary>
    internal static AuditEvent Event(Officer officer, ClientChange change, string reason) => new()
    {
        Action = "ADMIN.config", Actor = officer.Actor, Outcome = EventOutcome.Success, Reason = reason, Correlation = change.Id.ToString(),
        Basis = "client-change:sha256:" + Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(change.Document)), Subjects = [SubjectKey.Of("client", change.ClientId)],
    };
}
