using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Retention;

/// <summary>A service that is about to delete asks which of its subjects are held.</summary>
internal sealed class ListHeld(NpgsqlDataSource db)
{
    private const string SelectHeld = "SELECT DISTINCT subject FROM legal_holds WHERE released_at IS NULL AND subject = ANY ($1)";

    /// <summary>Answers those under an open hold.</summary>
    public async Task<Results<Ok<HeldAnswer>, Refusal>> Handle(HeldRequest request, CancellationToken ct)
    {
        if (request.Subjects.Count > HoldQuestion.Most || !request.Subjects.All(s => s is { Length: SubjectKey.Size * 2 } && s.All(char.IsAsciiHexDigitLower)))
        {
            return LedgerRefusals.MalformedIdentifier;
        }

        return TypedResults.Ok(new HeldAnswer(await db.Sql(SelectHeld).With(request.Subjects.Select(Convert.FromHexString).ToArray())
            .All(r => Convert.ToHexStringLower(r.GetFieldValue<byte[]>(0)), ct)));
    }
}
