using Trust.Kernel.Postgres;

namespace Trust.CA.Registry;

/// <summary>Notes what begins or ends at a later instant, for <see cref="ApplyDueChanges"/>.</summary>
internal static class DueChanges
{
    private const string Insert = "INSERT INTO due_changes (kind, practitioner, institution, due_at, recorded_by) VALUES ($1, $2, $3, $4, $5)";

    /// <summary>Notes it in the transaction that records it.</summary>
    public static Task Add(WriteContext context, string kind, string? practitioner, string? institution, DateTimeOffset at, CancellationToken ct) =>
        context.Tx.Sql(Insert).With(kind).With(practitioner).With(institution).With(at).With(context.ConfirmedBy ?? context.Officer).Execute(ct);
}
