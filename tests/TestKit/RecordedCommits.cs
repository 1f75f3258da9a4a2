using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Npgsql;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Xunit;

namespace Trust.TestKit;

/// <summary>What a row of a table obliges to: an event of the same transaction that holds one of its identifiers.</summary>
/// <param name="Table">The table.</param>
/// <param name="Identifiers">What an event may name the row by; one is demanded.</param>
/// <param name="Bookkeeping">Columns whose change alone is no fact: counters and times of tries.</param>
public sealed record StateRow(string Table, Func<JsonElement, IEnumerable<string?>> Identifiers, params string[] Bookkeeping)
{
    /// <summary>Whether a row of the table is a fact at all.</summary>
    public Func<JsonElement, bool> IsFact { get; init; } = _ => true;

    /// <summary>The text by which an event names a subject of a kind.</summary>
    public static string Subject(SubjectKey key) => Base64Url.EncodeToString(key.Key);
}

/// <summary>
/// Records in a database itself which rows and which events each committed transaction wrote, by triggers; an aborted transaction takes its records
/// with it. Says which committed rows no event of their own transaction names.
/// </summary>
public sealed class RecordedCommits
{
    private readonly NpgsqlDataSource _owner;
    private readonly Dictionary<string, StateRow> _rows;
    private readonly ulong _since;

    private RecordedCommits(NpgsqlDataSource owner, Dictionary<string, StateRow> rows, ulong since) => (_owner, _rows, _since) = (owner, rows, since);

    /// <summary>Begins to record. Throws when the schema has a table that is neither among the rows nor among those that hold no fact.</summary>
    /// <param name="owner">A service's schema, as its owner.</param>
    /// <param name="rows">Tables that hold facts.</param>
    /// <param name="noFacts">Tables that hold none, each with the reason.</param>
    public static async Task<RecordedCommits> Begin(NpgsqlDataSource owner, IReadOnlyList<StateRow> rows, IReadOnlyDictionary<string, string> noFacts)
    {
        const string tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()";
        var all = await owner.Sql(tables).All(r => r.GetString(0), default);
        Assert.Equal(all.Order(StringComparer.Ordinal), rows.Select(r => r.Table).Concat(noFacts.Keys).Append("audit_outbox").Order(StringComparer.Ordinal));
        const string store = """
            CREATE TABLE recorded (ordinal bigint GENERATED ALWAYS AS IDENTITY, tx xid8 NOT NULL, source text NOT NULL, act text NOT NULL, before jsonb, after jsonb);
            CREATE FUNCTION record_row() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
            BEGIN
                -- A test beside this one that sets a row by hand, as the cluster's superuser, is no act of the service.
                IF (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN RETURN NULL; END IF;
                INSERT INTO recorded (tx, source, act, before, after) VALUES (pg_current_xact_id(), TG_TABLE_NAME, TG_OP,
                    CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END, CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END);
                RETURN NULL;
            END $$
            """;
        await owner.Sql(store).Execute(default);
        foreach (var table in rows.Select(r => r.Table))
        {
            await using var trigger = owner.CreateCommand();
            trigger.CommandText = $"CREATE TRIGGER recorded AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION record_row()";
            await trigger.ExecuteNonQueryAsync();
        }

        await owner.Sql("CREATE TRIGGER recorded AFTER INSERT ON audit_outbox FOR EACH ROW EXECUTE FUNCTION record_row()").Execute(default);
        // A transaction that wrote before all triggers stood is recorded in part; its number is lower than one given out now.
        var since = await owner.Sql("SELECT pg_current_xact_id()::text").All(r => r.GetString(0), default);
        return new RecordedCommits(owner, rows.ToDictionary(r => r.Table, StringComparer.Ordinal), ulong.Parse(since[0], CultureInfo.InvariantCulture));
    }

    /// <summary>One line for each committed row that no event of its transaction names; how many rows were judged.</summary>
    public async Task<(int Judged, IReadOnlyList<string> Silent)> Judge()
    {
        const string select = "SELECT tx::text, source, act, before::text, after::text FROM recorded ORDER BY ordinal";
        var all = await _owner.Sql(select).All(
            r => (Tx: r.GetString(0), Table: r.GetString(1), Act: r.GetString(2), Before: r.IsDBNull(3) ? null : r.GetString(3), After: r.IsDBNull(4) ? null : r.GetString(4)), default);
        var events = all.Where(c => c.Table is "audit_outbox").ToLookup(c => c.Tx, c => Body(JsonElement.Parse(c.After!)));
        var silent = new List<string>();
        var judged = 0;
        foreach (var change in all.Where(c => c.Table is not "audit_outbox" && ulong.Parse(c.Tx, CultureInfo.InvariantCulture) > _since))
        {
            var kind = _rows[change.Table];
            var row = JsonElement.Parse(change.After ?? change.Before!);
            if (!kind.IsFact(row)
                || (change.Act is "UPDATE" && !Changed(JsonElement.Parse(change.Before!), row).Except(kind.Bookkeeping, StringComparer.Ordinal).Any()))
            {
                continue;
            }

            judged++;
            var identifiers = kind.Identifiers(row).OfType<string>().ToList();
            if (!events[change.Tx].Any(body => identifiers.Exists(i => body.Contains(i, StringComparison.Ordinal))))
            {
                silent.Add($"{change.Act} {change.Table}: no event of its transaction names {string.Join(" or ", identifiers)} ({events[change.Tx].Count()} events) {change.After}");
            }
        }

        return (judged, silent);
    }

    private static string Body(JsonElement row) => Encoding.UTF8.GetString(Convert.FromHexString(row.GetProperty("body").GetString()![2..]));

    private static IEnumerable<string> Changed(JsonElement before, JsonElement after) =>
        after.EnumerateObject().Where(m => !JsonElement.DeepEquals(m.Value, before.GetProperty(m.Name))).Select(m => m.Name);
}
