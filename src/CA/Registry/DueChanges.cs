using Trust.Kernel.Postgres;

namespace Trust.CA.Registry;

/// <summary>Notes what begins or ends at a later instant, for <see cref="ApplyDueChanges"/>.</summary>
internal static class DueChanges
{
    private const string Insert = "INSERT INTO due_changes (kind, practitioner, institution, due_at, ends, recorded_by) VALUES ($1, $2, $3, $4, $5, $6)";

    /// <summary>Notes a begin in the transaction that records it.</summary>
    public static Task Begin(WriteContext context, string kind, string? practitioner, string? institution, DateTimeOffset at, CancellationToken ct) =>
        Add(context, kind, practitioner, institution, at, ends: false, ct);

    /// <summary>Notes an end in the transaction that records it.</summary>
    public static Task End(WriteContext context, string kind, string practitioner, string institution, DateTimeOffset at, CancellationToken ct) =>
        Add(context, kind, practitioner, institution, at, ends: true, ct);

    private static Task Add(
        WriteContext context, string kind, string? practitioner, string? institution, DateTimeOffset at, bool ends, CancellationToken ct) =>
        context.Tx.Sql(Insert).With(kind).With(practitioner).With(institution).With(at).With(ends).With(context.ConfirmedBy ?? context.Officer).Execute(ct);
}
