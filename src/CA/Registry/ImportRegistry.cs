using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
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
public static class ImportRegistry
{
    private const int MaxRows = 2_000;
    private static readonly JsonLimits Limits = new((int)ServiceHost.MaximumBody);

    /// <summary>Maps the endpoint.</summary>
    public static void Map(IEndpointRouteBuilder app) =>
        app.MapPost("/registry/imports", Handle).RequireOfficer().Idempotent();

    private static async Task<Results<Ok<ImportResponse>, ProblemHttpResult>> Handle(
        HttpContext context, NpgsqlDataSource db, RegistryKeys keys, Outbox outbox, TimeProvider clock, ProblemSet problems, string? kind)
    {
        var ct = context.RequestAborted;
        var (rows, refusal) = await Read(context, kind, ct);
        if (rows is null)
        {
            return problems.Of("malformed-import", 400, refusal);
        }

        if (Count(rows) > MaxRows)
        {
            return problems.Of("too-many-rows", 413, $"At most {MaxRows} rows at once.");
        }

        var officer = OfficerDirectory.Of(context);
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
                return problems.Of(refused.Reason.Code, 503, "The audit ledger is away for too long; nothing was imported. Try again later.");
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

    private static async Task<(ImportRequest? Rows, string Refusal)> Read(HttpContext context, string? kind, CancellationToken ct)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, ct);
        var bytes = body.GetBuffer().AsMemory(0, (int)body.Length);
        if (context.Request.ContentType?.StartsWith("text/csv", StringComparison.Ordinal) == true)
        {
            return CsvRows.TryRead(bytes.Span, kind, out var fromCsv, out var why) ? (fromCsv, string.Empty) : (null, why);
        }

        if (!StrictJson.TryParse(bytes.Span, Limits, out var element, out var refusal))
        {
            return (null, $"The JSON is refused: {refusal.Reason} at byte {refusal.Offset}.");
        }

        try
        {
            return (System.Text.Json.JsonSerializer.Deserialize(element, CaJson.Default.ImportRequest), "The JSON is null.");
        }
        catch (System.Text.Json.JsonException e)
        {
            return (null, $"A member is missing, unknown or of the wrong kind at {e.Path}.");
        }
    }

    private static int Count(ImportRequest rows) =>
        (rows.Institutions?.Count ?? 0) + (rows.Practitioners?.Count ?? 0) + (rows.Affiliations?.Count ?? 0) + (rows.Filings?.Count ?? 0);
}
