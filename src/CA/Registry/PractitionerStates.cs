using Npgsql;
using Trust.CA.Officers;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Registry;

/// <summary>A practitioner's states, within the transaction that changes them.</summary>
internal static class PractitionerStates
{
    private const string Known = "SELECT urn FROM practitioners WHERE urn = $1 FOR UPDATE";
    private const string Current = """
        SELECT state, id, reason, basis FROM practitioner_states WHERE practitioner = $1 AND effective_from <= $2 ORDER BY id DESC LIMIT 1
        """;
    private const string BelowBlacklisting = """
        SELECT state, id, reason, basis FROM practitioner_states WHERE practitioner = $1 AND effective_from <= $2 AND state <> 'blacklisted'
        ORDER BY id DESC LIMIT 1
        """;
    private const string Insert = """
        INSERT INTO practitioner_states (practitioner, state, effective_from, recorded_at, recorded_by, confirmed_by, reason, basis)
        VALUES ($1, $2, $3, $3, $4, $5, $6, $7)
        """;

    /// <summary>Makes changes of one practitioner take turns; false when there is no such practitioner.</summary>
    public static async Task<bool> Lock(NpgsqlTransaction tx, PersonId person, CancellationToken ct) =>
        await tx.Sql(Known).With(person.Value).Scalar<string>(ct) is not null;

    /// <summary>The state at an instant; <c>pending</c> before the first.</summary>
    public static async Task<PractitionerState> At(NpgsqlTransaction tx, PersonId person, DateTimeOffset at, CancellationToken ct) =>
        await tx.Sql(Current).With(person.Value).With(at).One(Read, ct) ?? PractitionerState.Pending;

    /// <summary>What stands beside a blacklisting and shows again when that is lifted.</summary>
    public static async Task<PractitionerState> Below(NpgsqlTransaction tx, PersonId person, DateTimeOffset at, CancellationToken ct) =>
        await tx.Sql(BelowBlacklisting).With(person.Value).With(at).One(Read, ct) ?? PractitionerState.Pending;

    /// <summary>Adds a state from now on.</summary>
    public static Task Add(
        NpgsqlTransaction tx, PersonId person, string state, DateTimeOffset now, string by, string? confirmedBy, string reason, string? basis,
        CancellationToken ct) =>
        tx.Sql(Insert).With(person.Value).With(state).With(now).With(by).With(confirmedBy).With(reason).With(basis).Execute(ct);

    /// <summary>The event of a change.</summary>
    /// <param name="action">What was done.</param>
    /// <param name="officer">Who did it.</param>
    /// <param name="person">To whom.</param>
    /// <param name="state">The state that was set or asked for.</param>
    /// <param name="reason">The officer's reason.</param>
    /// <param name="basis">Order, decision or file number.</param>
    public static AuditEvent Event(string action, Officer officer, PersonId person, string state, string reason, string? basis) => new()
    {
        Action = action,
        Actor = officer.Actor,
        Subjects = [SubjectKey.Practitioner(person.Value)],
        Outcome = EventOutcome.Success,
        Reason = $"{state}: {reason}",
        Basis = basis,
    };

    private static PractitionerState Read(NpgsqlDataReader r) => new(r.GetString(0), r.GetInt64(1), r.GetString(2), r.Nullable<string>(3));
}

/// <summary>A practitioner's state.</summary>
/// <param name="State">The state.</param>
/// <param name="Id">Its row: a wish to end it names it.</param>
/// <param name="Reason">Why.</param>
/// <param name="Basis">Order, decision or file number.</param>
internal sealed record PractitionerState(string State, long Id, string Reason, string? Basis)
{
    /// <summary>Before the first row.</summary>
    public static readonly PractitionerState Pending = new("pending", 0, string.Empty, null);

    /// <summary>Over for good: only a new registration follows (医师法 16).</summary>
    public bool Ended => State is "revoked" or "deregistered";

    /// <summary>Whether it is what a request would set, for the same reason on the same basis: sent again, it changes nothing.</summary>
    public bool IsAlready(StateRequest request) =>
        string.Equals(State, request.State, StringComparison.Ordinal) && string.Equals(Reason, request.Reason, StringComparison.Ordinal)
        && string.Equals(Basis, request.Basis, StringComparison.Ordinal);
}
