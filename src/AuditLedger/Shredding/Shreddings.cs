using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.AuditLedger.Shredding;

/// <summary>A shredding as stored.</summary>
/// <param name="Subject">Whose detail goes.</param>
/// <param name="State">See <see cref="ShreddingAnswer.State"/>.</param>
/// <param name="RequestedBy">Who asked.</param>
internal sealed record StoredShredding(SubjectKey Subject, string State, string RequestedBy);

/// <summary>
/// Shreddings: one person asks that a subject's sealed detail be destroyed, another approves. Refused while any of it must be kept, or a hold
/// lies on the subject; checked at both steps, and once more before its key goes (<see cref="Shredder"/>).
/// </summary>
internal static class Shreddings
{
    /// <summary>The role that asks and approves.</summary>
    public const string Role = "records-officer";

    private const string Select = "SELECT kind, subject, state, requested_by FROM shreddings WHERE id = $1";

    /// <summary>One by its id; null when there is none.</summary>
    public static Task<StoredShredding?> Find(NpgsqlTransaction tx, Guid id, CancellationToken ct) => tx.Sql(Select).With(id).One(
        r => new StoredShredding(SubjectKey.FromBytes(r.GetString(0), r.GetFieldValue<byte[]>(1)), r.GetString(2), r.GetString(3)), ct);

    /// <summary>The event of a step.</summary>
    public static AuditEvent EventOf(Caller caller, SubjectKey subject, string outcome, string reason) => new()
    {
        Action = "KEY.destroy",
        Actor = new Actor(caller.Subject, caller.LoginCertificate, caller.Role, caller.Institution),
        Subjects = [subject],
        Outcome = outcome,
        Reason = reason,
        Correlation = caller.TokenId,
    };
}

/// <summary>Where a shredding stands.</summary>
/// <param name="Id">Names it.</param>
/// <param name="State">
/// <c>requested</c>; <c>approved</c>; <c>reached</c>: the other services have destroyed, and the ledger's own detail goes; <c>destroyed</c>; or <c>refused</c>
/// after its approval.
/// </param>
/// <param name="Services">Where it stands at each other service that was asked.</param>
public sealed record ShreddingAnswer(Guid Id, string State, IReadOnlyList<ShreddingStep> Services);
