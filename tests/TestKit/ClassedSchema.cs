using System.Reflection;
using Npgsql;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;

namespace Trust.TestKit;

/// <summary>Compares a migrated schema with the catalogues of data classes.</summary>
public static class ClassedSchema
{
    // Partitions are their parent's.
    private const string SelectColumns = """
        SELECT c.table_name::text, c.column_name::text, c.is_nullable = 'NO'
        FROM information_schema.columns c JOIN pg_class t ON t.relname = c.table_name AND t.relnamespace = c.table_schema::text::regnamespace
        WHERE c.table_schema = current_schema() AND NOT t.relispartition AND t.relkind IN ('r', 'p')
        """;

    private const string SelectFixed = """
        SELECT t.relname::text FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
        WHERE g.tgname = $1 AND g.tgenabled = 'O' AND t.relnamespace = current_schema()::text::regnamespace
        """;

    /// <summary>What differs: columns without class, classes without column, personal tables without a region that is fixed and held to the rules.</summary>
    public static async Task<List<string>> Faults(TestDatabase database, params Assembly[] services)
    {
        var tables = new[] { typeof(DataCatalogueAttribute).Assembly }.Concat(services).SelectMany(DataCatalogueAttribute.In).ToList();
        var columns = await database.Owner.Sql(SelectColumns).All(r => (Table: r.GetString(0), Column: r.GetString(1), NotNull: r.GetBoolean(2)), CancellationToken.None);
        var fixedRegions = (await database.Owner.Sql(SelectFixed).With("region_is_fixed").All(r => r.GetString(0), CancellationToken.None)).ToHashSet(StringComparer.Ordinal);
        var storable = (await database.Owner.Sql(SelectFixed).With("region_is_storable").All(r => r.GetString(0), CancellationToken.None)).ToHashSet(StringComparer.Ordinal);
        var classed = tables.SelectMany(t => t.Columns.Keys.Select(c => (Table: t.Name, Column: c))).ToList();
        var stored = columns.Select(c => (Table: c.Table, Column: c.Column)).ToList();
        return
        [
            .. stored.Except(classed).Select(c => $"{c.Table}.{c.Column} has no class"),
            .. classed.Except(stored).Select(c => $"{c.Table}.{c.Column} has a class and is no column"),
            .. tables.GroupBy(t => t.Name, StringComparer.Ordinal).Where(g => g.Count() > 1).Select(g => $"{g.Key} is in the catalogue twice"),
            .. tables.Where(t => t.IsPersonal && !columns.Contains((t.Name, "region", true))).Select(t => $"{t.Name} is about persons and has no region"),
            .. tables.Where(t => t.IsPersonal && !fixedRegions.Contains(t.Name)).Select(t => $"{t.Name} is about persons and its region can be changed"),
            .. tables.Where(t => t.IsPersonal && !storable.Contains(t.Name)).Select(t => $"{t.Name} is about persons and takes any region"),
        ];
    }
}
