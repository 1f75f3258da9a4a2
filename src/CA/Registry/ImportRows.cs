using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Residency;
using Trust.Kernel.Postgres;
using Trust.CA.Officers;
using Trust.CA.Persons;
using Trust.LogFormat;

namespace Trust.CA.Registry;

/// <summary>Writes read rows into a transaction, and the events of what they changed.</summary>
internal sealed class ImportRows(NpgsqlDataSource db, RegistryKeys keys, PersonIdentifiers identifiers, Outbox outbox, ResidencyGate residency)
{
    // Imports take turns: they lock people in the order of their rows, and two in other orders would wait for each other.
    private const string TakeTurns = "SELECT pg_advisory_xact_lock(hashtextextended('ca.registry.imports.' || current_schema(), 0))";

    private const string FindByDocuments = "SELECT identity_lookup, urn FROM practitioners WHERE identity_lookup = ANY($1)";

    private readonly WritePractitioner _practitioners = new(keys);

    /// <summary>The people that rows are about: what token and registrar say is asked before a transaction holds locks.</summary>
    public async Task<Dictionary<(string Type, string Number), DocumentHolder>> Persons(IEnumerable<ReadRow> rows, DateTimeOffset now, CancellationToken ct)
    {
        var lookups = new Dictionary<(string Type, string Number), byte[]>();
        foreach (var row in rows.Select(r => r.Row).OfType<PractitionerRow>())
        {
            if (RowRules.Fault(row, now, residency) is null && !lookups.ContainsKey((row.IdentityType, row.IdentityNumber)))
            {
                lookups.Add((row.IdentityType, row.IdentityNumber), await keys.LookupOf(row.IdentityType, row.IdentityNumber, ct));
            }
        }

        var known = (await db.Sql(FindByDocuments).With<byte[][]>([.. lookups.Values]).All(r => (Lookup: Convert.ToHexString(r.GetFieldValue<byte[]>(0)), Urn: r.GetString(1)), ct))
            .ToDictionary(k => k.Lookup, k => k.Urn, StringComparer.Ordinal);
        (string Type, string Number)[] fresh = [.. lookups.Where(l => !known.ContainsKey(Convert.ToHexString(l.Value))).Select(l => l.Key)];
        var outcome = await identifiers.For(fresh, ct);
        var urns = outcome is IdentifiersOutcome.Given(var given) ? fresh.Zip(given).ToDictionary(f => f.First, f => f.Second) : new Dictionary<(string Type, string Number), string>();
        return lookups.ToDictionary(
            l => l.Key,
            l => new DocumentHolder(
                l.Value, known.GetValueOrDefault(Convert.ToHexString(l.Value)) ?? urns.GetValueOrDefault(l.Key), (outcome as IdentifiersOutcome.Refused)?.Why));
    }

    /// <summary>Waits until no other import writes; holds to the end of the transaction.</summary>
    public static Task Begin(NpgsqlTransaction tx, CancellationToken ct) => tx.Sql(TakeTurns).Execute(ct);

    /// <summary>Writes one row.</summary>
    public Task<RowChange> Write(WriteContext context, ReadRow read, CancellationToken ct) => read switch
    {
        { Fault: { } fault } => Task.FromResult(RowChange.Refused(read.Kind, read.Index, fault)),
        { Row: InstitutionRow row } => WriteInstitution.Write(context, row, read.Index, ct),
        { Row: PractitionerRow row } => _practitioners.Write(context, row, read.Index, ct),
        { Row: AffiliationRow row } => WritePlaces.Write(context, row, read.Index, ct),
        { Row: FilingRow row } => WritePlaces.Write(context, row, read.Index, ct),
        _ => throw new InvalidOperationException("Unknown kind of row."),
    };

    /// <summary>Writes rows in their order.</summary>
    public async Task<List<RowChange>> WriteAll(WriteContext context, IReadOnlyList<ReadRow> rows, CancellationToken ct)
    {
        var changes = new List<RowChange>(rows.Count);
        foreach (var row in rows)
        {
            changes.Add(await Write(context, row, ct));
        }

        return changes;
    }

    /// <summary>Records what a row changed. What only takes rights away is recorded whether or not the ledger answers.</summary>
    public async Task<AppendRefusal?> Record(
        NpgsqlTransaction tx, Officer officer, RowChange change, ProposalMark? confirmed, CancellationToken ct)
    {
        if (!change.Result.Changed)
        {
            return null;
        }

        var isPlace = change.Result.Kind is "filing" or "affiliation";
        var recorded = await outbox.Append(tx, new AuditEvent
        {
            Action = change.Effect is Effect.Narrows ? "ID.suspend" : isPlace ? "ID.file" : "ID.enrol",
            Actor = officer.Actor,
            OnBehalfOf = confirmed?.ProposedBy,
            Subjects =
            [
                SubjectKey.Of(change.Result.Kind is "institution" ? "institution" : "practitioner", change.Result.Urn!),
                .. change.Feed.Where(c => c.Kind is "certificate").Take(60).Select(c => SubjectKey.Certificate(c.Id)),
            ],
            Outcome = EventOutcome.Success,
            Reason = change.Effect is Effect.Narrows ? change.Result.Kind + "-narrowed" : change.Result.Result,
            Basis = confirmed?.Basis,
            Correlation = confirmed?.Correlation,
        }, ct);
        return (recorded as AppendOutcome.Refused)?.Reason;
    }
}
