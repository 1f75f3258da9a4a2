using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.CA.Feed;
using Trust.CA.Officers;
using Trust.Crypto.Json;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.CA.Registry;

/// <summary>
/// <c>POST /registry/imports</c>: institutions, practitioners, affiliations and filings, as JSON or as CSV of one kind. Rows stand
/// alone: a refused row names its rule and does not stop the others.
/// </summary>
internal sealed class ImportRegistry(NpgsqlDataSource db, RegistryKeys keys, Outbox outbox, TimeProvider clock)
{
    private const int MostRows = 2_000;
    private static readonly JsonLimits Limits = new((int)ServiceHost.MaximumBody);

    /// <summary>Imports.</summary>
    public async Task<Results<Ok<ImportResponse>, Refusal>> Handle(HttpContext context, string? kind)
    {
        var ct = context.RequestAborted;
        switch (await Read(context, kind, ct))
        {
            case RowsOutcome.Malformed(var why):
                return why;
            case RowsOutcome.Rows(var rows) when Count(rows) > MostRows:
                return CaRefusals.TooManyRows.With("most", MostRows);
            case RowsOutcome.Rows(var rows):
                return await Import(rows, context.Officer(), ct);
            default:
                throw new InvalidOperationException("Unknown outcome of reading an import.");
        }
    }

    private async Task<Results<Ok<ImportResponse>, Refusal>> Import(ImportRequest rows, Officer officer, CancellationToken ct)
    {
        var now = Microseconds.Truncate(clock.GetUtcNow());
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var apply = new ApplyRows(keys, tx, now, officer.Person);
        var results = await Apply(apply, rows, ct);
        foreach (var result in results.Where(r => r.Result is "created" or "updated"))
        {
            if (await outbox.Append(tx, Event(officer, result), ct) is AppendOutcome.Refused refused)
            {
                await tx.RollbackAsync(CancellationToken.None);
                return CommonRefusals.From(refused.Reason);
            }
        }

        await FeedWriter.Append(tx, apply.Changes, now, ct);
        await tx.CommitAsync(CancellationToken.None);
        return TypedResults.Ok(new ImportResponse(results));
    }

    private static async Task<List<ImportResult>> Apply(ApplyRows apply, ImportRequest rows, CancellationToken ct)
    {
        var results = new List<ImportResult>();
        foreach (var (row, i) in (rows.Institutions ?? []).Select((r, i) => (r, i)))
        {
            results.Add(await apply.Institution(row, i, ct));
        }

        foreach (var (row, i) in (rows.Practitioners ?? []).Select((r, i) => (r, i)))
        {
            results.Add(await apply.Practitioner(row, i, ct));
        }

        // PostgreSQL keeps instants, not offsets.
        foreach (var (row, i) in (rows.Affiliations ?? []).Select((r, i) => (r, i)))
        {
            results.Add(await apply.Affiliation(row with { From = row.From.ToUniversalTime(), To = row.To?.ToUniversalTime() }, i, ct));
        }

        foreach (var (row, i) in (rows.Filings ?? []).Select((r, i) => (r, i)))
        {
            results.Add(await apply.Filing(row with { From = row.From.ToUniversalTime(), To = row.To?.ToUniversalTime() }, i, ct));
        }

        return results;
    }

    private static AuditEvent Event(Officer officer, ImportResult result) => new()
    {
        Action = result.Kind is "filing" or "affiliation" ? "ID.file" : "ID.enrol",
        Actor = officer.Actor,
        Subjects = [SubjectKey.Of(result.Kind is "institution" ? "institution" : "practitioner", result.Urn!)],
        Outcome = EventOutcome.Success,
        Reason = result.Result,
    };

    private static async Task<RowsOutcome> Read(HttpContext context, string? kind, CancellationToken ct)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, ct);
        var bytes = body.GetBuffer().AsMemory(0, (int)body.Length);
        if (context.Request.ContentType?.StartsWith("text/csv", StringComparison.Ordinal) == true)
        {
            return CsvRows.TryRead(bytes.Span, kind, out var fromCsv, out var why) ? new RowsOutcome.Rows(fromCsv) : new RowsOutcome.Malformed(why);
        }

        if (!StrictJson.TryParse(bytes.Span, Limits, out var element, out var refusal))
        {
            return new RowsOutcome.Malformed(CaRefusals.ImportNotJson.With("offset", refusal.Offset));
        }

        try
        {
            return JsonSerializer.Deserialize(element, CaJson.Default.ImportRequest) is { } rows
                ? new RowsOutcome.Rows(rows) : new RowsOutcome.Malformed(CaRefusals.ImportMembers);
        }
        catch (JsonException)
        {
            return new RowsOutcome.Malformed(CaRefusals.ImportMembers);
        }
    }

    private static int Count(ImportRequest rows) =>
        (rows.Institutions?.Count ?? 0) + (rows.Practitioners?.Count ?? 0) + (rows.Affiliations?.Count ?? 0) + (rows.Filings?.Count ?? 0);

    private abstract record RowsOutcome
    {
        public sealed record Rows(ImportRequest Request) : RowsOutcome;

        public sealed record Malformed(Refusal Why) : RowsOutcome;
    }
}
