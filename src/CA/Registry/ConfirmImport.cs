using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.CA.Feed;
using Trust.CA.Officers;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.CA.Registry;

/// <summary>A second officer's confirmation.</summary>
/// <param name="Sha256">The hash of the rows that the officer was shown.</param>
public sealed record ImportConfirmation(string Sha256);

/// <summary>
/// <c>POST /registry/imports/{id}/confirmations</c>: a second officer gives the rights that the first one's rows ask for. Each row is judged
/// again: one whose subject is not any more what both officers saw is refused, and the others go on.
/// </summary>
internal sealed class ConfirmImport(NpgsqlDataSource db, ImportRows import, ImportProposals proposals, Outbox outbox, FeedHub feed, ResidencyGate residency, TimeProvider clock)
{
    private const string OfRow = "row";

    // The first officer's voice counts only while it is one, and the card that gave it was not taken away since.
    private const string Close = """
        UPDATE import_proposals p SET state = 'applied', closed_by = $2, closed_at = $3
        WHERE id = $1 AND state = 'proposed' AND proposed_by <> $2 AND expires_at > $3 AND sha256 = $4
          AND EXISTS (SELECT 1 FROM officers o JOIN certificates c ON c.holder = o.person
                      WHERE o.person = p.proposed_by AND o.active AND c.sha256 = p.card_sha256 AND c.state = 'good')
        RETURNING proposed_by
        """;
    private const string Keep = "UPDATE import_proposals SET results = $2 WHERE id = $1";

    /// <summary>Confirms.</summary>
    public async Task<Results<Ok<ImportResponse>, Refusal>> Handle(HttpContext context, Guid id, ImportConfirmation body)
    {
        var ct = context.RequestAborted;
        var officer = context.Officer();
        var now = Microseconds.Truncate(clock.GetUtcNow());
        var rows = await proposals.Rows(db, id, ct);
        var persons = await import.Persons(rows.Select(r => r.Read), now, ct);
        if (persons.Values.FirstOrDefault(p => p.Urn is null) is { Why: { } why })
        {
            // Confirmed now, the rows of who is new would be refused for good; what was answered before is answered again.
            return await IsOpenTo(officer, id, body, now, ct) ? why : await Answered(id, officer, body, now, ct);
        }

        await using (var connection = await db.OpenConnectionAsync(ct))
        {
            await using var tx = await connection.BeginTransactionAsync(ct);
            await ImportRows.Begin(tx, ct);
            if (await tx.Sql(Close).With(id).With(officer.Person).With(now).With(body.Sha256).Scalar<string>(ct) is { } proposedBy)
            {
                var mark = new ProposalMark(id, body.Sha256, proposedBy);
                return await Apply(new WriteContext(tx, now, proposedBy, officer.Person, persons, residency), officer, mark, rows, ct);
            }
        }

        return await Answered(id, officer, body, now, ct);
    }

    private async Task<Results<Ok<ImportResponse>, Refusal>> Apply(
        WriteContext context, Officer officer, ProposalMark mark, List<WaitingRow> rows, CancellationToken ct)
    {
        var tx = context.Tx;
        var changes = new List<RowChange>(rows.Count);
        foreach (var row in rows)
        {
            await tx.SaveAsync(OfRow, ct);
            var change = await import.Write(context, row.Read, ct);
            if (change.Result.Changed && ImportProposals.TextOf(change.Before) != row.Before)
            {
                await tx.RollbackAsync(OfRow, ct);
                change = RowChange.Refused(row.Read.Kind, row.Read.Index, new RowFault("changed-since-proposed"));
            }

            if (await import.Record(tx, officer, change, mark, ct) is { } refused)
            {
                return CommonRefusals.From(refused);
            }

            changes.Add(change);
        }

        if (await outbox.Append(tx, Confirmed(officer, mark), ct) is AppendOutcome.Refused refusedConfirmation)
        {
            return CommonRefusals.From(refusedConfirmation.Reason);
        }

        var response = new ImportResponse([.. changes.Select(c => c.Result)]);
        await tx.Sql(Keep).With(mark.Id).With(JsonSerializer.Serialize(response, CaJson.Default.ImportResponse)).Execute(ct);
        await feed.Commit(tx, [.. changes.SelectMany(c => c.Feed)], context.Now, ct);
        return TypedResults.Ok(response);
    }

    private async Task<bool> IsOpenTo(Officer officer, Guid id, ImportConfirmation body, DateTimeOffset now, CancellationToken ct) =>
        await ListImports.Find(db, id, ct) is { State: "proposed" } proposal && proposal.Sha256 == body.Sha256 && proposal.ExpiresAt > now && proposal.ProposedBy != officer.Person;

    // Why nothing was confirmed; the same officer's confirmation again has its answer.
    private async Task<Results<Ok<ImportResponse>, Refusal>> Answered(Guid id, Officer officer, ImportConfirmation body, DateTimeOffset now, CancellationToken ct)
    {
        if (await ListImports.Find(db, id, ct) is not { } proposal)
        {
            return CaRefusals.UnknownImport;
        }

        if (proposal.Sha256 != body.Sha256)
        {
            return CaRefusals.ImportMismatch;
        }

        if (proposal.State is "applied" && proposal.ClosedBy == officer.Person && await ShowImport.Results(db, id, ct) is { } answer)
        {
            return TypedResults.Ok(answer);
        }

        return proposal.State is not "proposed" ? CaRefusals.ImportClosed.With("state", proposal.State)
            : proposal.ExpiresAt <= now ? CaRefusals.ImportClosed.With("state", "expired")
            : proposal.ProposedBy == officer.Person ? CaRefusals.OwnImport
            : CaRefusals.ProposerLeft;
    }

    private static AuditEvent Confirmed(Officer officer, ProposalMark mark) => new()
    {
        Action = "ID.file",
        Actor = officer.Actor,
        OnBehalfOf = mark.ProposedBy,
        Subjects = [SubjectKey.Practitioner(mark.ProposedBy), SubjectKey.Practitioner(officer.Person)],
        Outcome = EventOutcome.Success,
        Reason = "import-confirmed",
        Basis = mark.Basis,
        Correlation = mark.Correlation,
    };
}
