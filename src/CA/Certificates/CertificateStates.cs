using Npgsql;
using Trust.CA.Officers;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Certificates;

/// <summary>A certificate's states by officers' acts, within the transaction that changes them.</summary>
internal static class CertificateStates
{
    private const string Insert = """
        INSERT INTO certificate_states (sha256, issuer, serial, state, reason, cause, invalidity_date, at, recorded_by)
        VALUES ($1, $2, $3, $4, $5, 'officer', $6, $7, $8)
        """;

    /// <summary>Adds a state from now on.</summary>
    public static Task Add(
        NpgsqlTransaction tx, CertificateRow row, string state, RevocationReason reason, DateTimeOffset? invalidityDate, DateTimeOffset now, Officer officer,
        CancellationToken ct) =>
        tx.Sql(Insert).With(row.Sha256).With(row.Issuer).With(row.Serial).With(state).With((short)reason).With(invalidityDate?.ToUniversalTime()).With(now)
            .With(officer.Person).Execute(ct);

    /// <summary>The event of an officer's act.</summary>
    public static AuditEvent Event(string action, Officer officer, CertificateRow row, EventText reason) => new()
    {
        Action = action,
        Actor = officer.Actor,
        Subjects = CertificateEvents.Subjects(row.Holder, row.Institution, row.Sha256),
        Outcome = EventOutcome.Success,
        Reason = reason.Value,
    };
}
