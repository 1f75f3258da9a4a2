using Npgsql;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Retention;

/// <summary>Legal holds: a regulator keeps everything on a subject from being pruned or shredded while a case is open. Placing and releasing are events.</summary>
internal static class LegalHolds
{
    private const string SelectHeld = "SELECT count(*) FROM legal_holds WHERE released_at IS NULL AND subject = ANY ($1)";

    /// <summary>True when a hold is open on any of these subjects.</summary>
    public static async Task<bool> AnyOpen(NpgsqlTransaction tx, byte[][] subjects, CancellationToken ct) =>
        await tx.Sql(SelectHeld).With(subjects).Scalar<long>(ct) > 0;

    /// <summary>The event of an act on a hold.</summary>
    public static AuditEvent EventOf(string action, Caller caller, SubjectKey subject, string caseNumber) => new()
    {
        Action = action,
        Actor = new Actor(caller.Subject, caller.LoginCertificate, caller.Role, caller.Institution),
        Subjects = [subject],
        Outcome = EventOutcome.Success,
        Purpose = "SUPERVISION",
        PermitNo = caseNumber,
        Correlation = caller.TokenId,
    };
}

/// <summary>An open hold.</summary>
/// <param name="Id">Names it for its release.</param>
/// <param name="Kind">Kind of subject.</param>
/// <param name="CaseNumber">Case.</param>
/// <param name="PlacedAt">Since when.</param>
public sealed record HoldAnswer(Guid Id, string Kind, string CaseNumber, DateTimeOffset PlacedAt);
