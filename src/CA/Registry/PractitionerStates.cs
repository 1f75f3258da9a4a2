using Npgsql;
using Trust.CA.Certificates;
using Trust.CA.Feed;
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
        SELECT state FROM practitioner_states WHERE practitioner = $1 AND effective_from <= $2 ORDER BY id DESC LIMIT 1
        """;
    private const string Insert = """
        INSERT INTO practitioner_states (practitioner, state, effective_from, recorded_at, recorded_by, confirmed_by, reason, basis)
        VALUES ($1, $2, $3, $3, $4, $5, $6, $7)
        """;

    /// <summary>Makes changes of one practitioner take turns; false when there is no such practitioner.</summary>
    public static async Task<bool> Lock(NpgsqlTransaction tx, PersonId person, CancellationToken ct) =>
        await tx.Sql(Known).With(person.Value).Scalar<string>(ct) is not null;

    /// <summary>The state at an instant; <c>pending</c> before the first.</summary>
    public static async Task<string> At(NpgsqlTransaction tx, PersonId person, DateTimeOffset at, CancellationToken ct) =>
        await tx.Sql(Current).With(person.Value).With(at).Scalar<string>(ct) ?? "pending";

    /// <summary>Adds a state from now on.</summary>
    public static Task Add(
        NpgsqlTransaction tx, PersonId person, string state, DateTimeOffset now, string by, string? confirmedBy, string reason, string? basis,
        CancellationToken ct) =>
        tx.Sql(Insert).With(person.Value).With(state).With(now).With(by).With(confirmedBy).With(reason).With(basis).Execute(ct);

    /// <summary>The event of a change, with the certificates that follow it.</summary>
    public static AuditEvent Event(string action, Officer officer, PersonId person, List<FeedChange> certificates, string state, string? basis) => new()
    {
        Action = action,
        Actor = officer.Actor,
        // An event carries at most 64 subjects.
        Subjects = [SubjectKey.Practitioner(person.Value), .. certificates.Take(60).Select(c => SubjectKey.Certificate(c.Id))],
        Outcome = EventOutcome.Success,
        Reason = state,
        Basis = basis,
    };
}
