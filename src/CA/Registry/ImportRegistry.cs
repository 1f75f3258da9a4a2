using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;
using Npgsql;
using Trust.CA.Feed;
using Trust.CA.Officers;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.CA.Registry;

/// <summary>
/// <c>POST /registry/imports</c>: institutions, practitioners, affiliations and filings, as JSON or as CSV of one kind. Rows stand
/// alone: a refused row names its rule and does not stop the others. Rows that take rights away or correct what no right depends on apply
/// at once; rows that widen rights wait for a second officer (<see cref="ConfirmImport"/>).
/// </summary>
internal sealed class ImportRegistry(NpgsqlDataSource db, ImportRows import, ImportProposals proposals, Outbox outbox, FeedHub feed, ResidencyGate residency, TimeProvider clock)
{
    private const int MostRows = 2_000;
    private const string Trial = "trial";
    private const string OfRow = "row";

    /// <summary>Imports.</summary>
    public async Task<Results<Ok<ImportResponse>, Refusal>> Handle(HttpContext context, string? kind)
    {
        var ct = context.RequestAborted;
        switch (await Read(context, kind, ct))
        {
            case ReadOutcome.Malformed(var why):
                return why;
            case ReadOutcome.Rows(var rows) when rows.Count > MostRows:
                return CaRefusals.TooManyRows.With("most", MostRows);
            case ReadOutcome.Rows(var rows):
                return await Import(rows, context.Officer(), ct);
            default:
                throw new InvalidOperationException("Unknown outcome of reading an import.");
        }
    }

    private async Task<Results<Ok<ImportResponse>, Refusal>> Import(IReadOnlyList<ReadRow> rows, Officer officer, CancellationToken ct)
    {
        var now = Microseconds.Truncate(clock.GetUtcNow());
        var persons = await import.Persons(rows, now, ct);
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await ImportRows.Begin(tx, ct);
        await tx.SaveAsync(Trial, ct);
        var context = new WriteContext(tx, now, officer.Person, null, persons, residency);
        var changes = await import.WriteAll(context, rows, ct);
        List<WaitingRow> waiting = [];
        if (changes.Any(c => c.Effect is Effect.Widens))
        {
            // Tried on the registry itself, so that rows may refer to each other; what widens is then taken back.
            await tx.RollbackAsync(Trial, ct);
            (changes, waiting) = await WriteWhatOneOfficerMay(new WriteContext(tx, now, officer.Person, null, persons, residency), rows, changes, ct);
        }

        return await Finish(tx, officer, changes, waiting, now, ct);
    }

    private async Task<(List<RowChange> Changes, List<WaitingRow> Waiting)> WriteWhatOneOfficerMay(
        WriteContext context, IReadOnlyList<ReadRow> rows, List<RowChange> tried, CancellationToken ct)
    {
        var changes = new List<RowChange>(rows.Count);
        var waiting = new List<WaitingRow>();
        foreach (var (row, trial) in rows.Zip(tried))
        {
            var change = trial;
            if (trial.Effect is Effect.Narrows or Effect.Corrects)
            {
                await context.Tx.SaveAsync(OfRow, ct);
                change = await import.Write(context, row, ct);
                if (change.Effect is not (Effect.Narrows or Effect.Corrects))
                {
                    // It stands on a row before it that waits.
                    await context.Tx.RollbackAsync(OfRow, ct);
                    change = change with { Effect = Effect.Widens };
                }
            }

            if (change.Effect is Effect.Widens)
            {
                waiting.Add(new WaitingRow(row, ImportProposals.TextOf(trial.Before), ImportProposals.TextOf(trial.After)));
                change = RowChange.None(trial.Result with { Result = "proposed", Urn = trial.Result.Result is "created" && !IsPlace(trial) ? null : trial.Result.Urn });
            }

            changes.Add(change);
        }

        return (changes, waiting);
    }

    private async Task<Results<Ok<ImportResponse>, Refusal>> Finish(
        NpgsqlTransaction tx, Officer officer, List<RowChange> changes, List<WaitingRow> waiting, DateTimeOffset now, CancellationToken ct)
    {
        foreach (var change in changes)
        {
            if (await import.Record(tx, officer, change, null, ct) is { } refused)
            {
                return CommonRefusals.From(refused);
            }
        }

        ProposalReference? proposal = null;
        if (waiting.Count > 0)
        {
            (proposal, var isNew) = await proposals.Keep(tx, officer, waiting, now, ct);
            if (isNew && await outbox.Append(tx, Proposed(officer, proposal, changes), ct) is AppendOutcome.Refused refused)
            {
                return CommonRefusals.From(refused.Reason);
            }
        }

        await feed.Commit(tx, [.. changes.SelectMany(c => c.Feed)], now, ct);
        return TypedResults.Ok(new ImportResponse([.. changes.Select(c => c.Result)], proposal));
    }

    private static AuditEvent Proposed(Officer officer, ProposalReference proposal, List<RowChange> changes)
    {
        var mark = new ProposalMark(proposal.Id, proposal.Sha256, officer.Person);
        return new AuditEvent
        {
            Action = "ID.file",
            Actor = officer.Actor,
            // Of who is known already; people and institutions that are new have no identifier yet.
            Subjects =
            [
                .. changes.Select(c => c.Result).Where(r => r is { Result: "proposed", Urn: not null })
                    .Select(r => SubjectKey.Of(r.Kind is "institution" ? "institution" : "practitioner", r.Urn!)).Distinct().Take(60),
            ],
            Outcome = EventOutcome.Success,
            Reason = "import-proposed",
            Basis = mark.Basis,
            Correlation = mark.Correlation,
        };
    }

    private static bool IsPlace(RowChange change) => change.Result.Kind is "affiliation" or "filing";

    private static async Task<ReadOutcome> Read(HttpContext context, string? kind, CancellationToken ct)
    {
        // Media types are compared without regard to case (RFC 9110 8.3.1).
        var type = MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var sent) ? sent.MediaType.ToString().ToLowerInvariant() : null;
        if (type is not ("text/csv" or "application/json"))
        {
            return new ReadOutcome.Malformed(CommonRefusals.UnsupportedMediaType);
        }

        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, ct);
        var bytes = body.GetBuffer().AsSpan(0, (int)body.Length);
        return type is "text/csv" ? CsvRows.Read(bytes, kind) : JsonRows.Read(bytes);
    }
}
