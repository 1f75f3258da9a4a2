using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Npgsql;
using Trust.Kernel.Residency;

namespace Trust.Kernel.Postgres;

/// <summary>
/// Forward-only SQL migrations, embedded as <c>…/Migrations/NNNN_name.sql</c>, applied by the owner role under an
/// advisory lock, each in a transaction of its own. A file that changed after it was applied stops the start.
/// </summary>
public static class Migrator
{
    private const string Lock = "SELECT pg_advisory_lock(hashtextextended('trust.migrate.' || current_schema(), 0))";
    private const string CreateTable = """
        CREATE TABLE IF NOT EXISTS migrations (
            part text NOT NULL, number int NOT NULL, name text NOT NULL, sha256 bytea NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (part, number))
        """;
    // What a migration cannot know otherwise: it reads current_setting('trust.region').
    private const string SayRegion = "SELECT set_config('trust.region', $1, false)";
    private const string TakeOut = "DELETE FROM storable_regions WHERE NOT code = ANY ($1)";
    private const string Fill = "INSERT INTO storable_regions (code) SELECT unnest($1) ON CONFLICT DO NOTHING";
    private const string Applied = "SELECT part, number, sha256 FROM migrations";
    private const string Record = "INSERT INTO migrations (part, number, name, sha256) VALUES ($1, $2, $3, $4)";

    /// <summary>Applies what is missing.</summary>
    /// <param name="owner">Data source of the owner role, its search path the service's schema.</param>
    /// <param name="runtimeRole">Role that gets DML, and nothing more, on what the migrations create.</param>
    /// <param name="region">GB/T 2260 code of the place that holds the data.</param>
    /// <param name="assemblies">Assemblies in order: Kernel's first, then the service's.</param>
    /// <param name="storable">Regions whose data may be stored here; those that the standard rules allow at that place unless named.</param>
    /// <param name="ct">Cancels between migrations.</param>
    /// <returns>How many migrations were applied.</returns>
    /// <exception cref="MigrationException">An applied migration differs from the file of that number.</exception>
    public static async Task<int> Apply(NpgsqlDataSource owner, string runtimeRole, string region, IReadOnlyList<Assembly> assemblies, IReadOnlyList<string>? storable, CancellationToken ct)
    {
        await using var connection = await owner.OpenConnectionAsync(ct);
        await connection.Sql(Lock).Execute(ct);
        await connection.Sql(SayRegion).With(region).Execute(ct);
        await connection.Sql(CreateTable).Execute(ct);
        await GrantDefaults(connection, runtimeRole, ct);
        var applied = (await connection.Sql(Applied).All(r => (Key: (r.GetString(0), r.GetInt32(1)), Hash: r.GetFieldValue<byte[]>(2)), ct))
            .ToDictionary(row => row.Key, row => row.Hash);
        var count = 0;
        foreach (var migration in assemblies.SelectMany(Embedded))
        {
            if (applied.TryGetValue((migration.Part, migration.Number), out var hash))
            {
                if (!hash.AsSpan().SequenceEqual(migration.Hash))
                {
                    throw new MigrationException($"Migration {migration.Part} {migration.Name} was changed after it was applied; add a new one instead.");
                }

                continue;
            }

            await ApplyOne(connection, migration, ct);
            count++;
        }

        var codes = (storable ?? ResidencyTerms.StandardStorable(region)).ToArray();
        await connection.Sql(TakeOut).With(codes).Execute(ct);
        await connection.Sql(Fill).With(codes).Execute(ct);
        await Restrict(connection, runtimeRole, ct);
        return count;
    }

    private static async Task ApplyOne(NpgsqlConnection connection, Migration migration, CancellationToken ct)
    {
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using (var command = new NpgsqlCommand(migration.Text, connection, transaction))
        {
            await command.ExecuteNonQueryAsync(ct);
        }

        await transaction.Sql(Record).With(migration.Part).With(migration.Number).With(migration.Name).With(migration.Hash).Execute(ct);
        await transaction.CommitAsync(ct);
    }

    // The role name comes from configuration and cannot be a parameter of GRANT: quoted as an identifier by the server itself.
    private static async Task GrantDefaults(NpgsqlConnection connection, string runtimeRole, CancellationToken ct)
    {
        const string quote = """
            SELECT format('ALTER DEFAULT PRIVILEGES IN SCHEMA %1$I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %2$I;
                           ALTER DEFAULT PRIVILEGES IN SCHEMA %1$I GRANT USAGE ON SEQUENCES TO %2$I;
                           GRANT USAGE ON SCHEMA %1$I TO %2$I', current_schema(), $1)
            """;
        var statement = await connection.Sql(quote).With(runtimeRole).Scalar<string>(ct)
            ?? throw new MigrationException("The connection has no current schema; is the schema missing?");
        await using var command = new NpgsqlCommand(statement, connection);
        await command.ExecuteNonQueryAsync(ct);
    }

    // The service takes regions out, and puts none in.
    private static async Task Restrict(NpgsqlConnection connection, string runtimeRole, CancellationToken ct)
    {
        const string quote = "SELECT format('REVOKE INSERT, UPDATE, TRUNCATE ON storable_regions FROM %I', $1::text)";
        await using var command = new NpgsqlCommand(await connection.Sql(quote).With(runtimeRole).Scalar<string>(ct), connection);
        await command.ExecuteNonQueryAsync(ct);
    }

    private static IEnumerable<Migration> Embedded(Assembly assembly)
    {
        const string folder = ".Migrations.";
        return assembly.GetManifestResourceNames()
            .Where(name => name.Contains(folder, StringComparison.Ordinal) && name.EndsWith(".sql", StringComparison.Ordinal))
            .Select(name => Read(assembly, name, name.IndexOf(folder, StringComparison.Ordinal), folder.Length))
            .OrderBy(m => m.Part, StringComparer.Ordinal).ThenBy(m => m.Number);
    }

    private static Migration Read(Assembly assembly, string resource, int at, int skip)
    {
        using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!, Encoding.UTF8);
        var text = reader.ReadToEnd();
        var name = resource[(at + skip)..^4];
        return new Migration(resource[..at], int.Parse(name[..4], CultureInfo.InvariantCulture), name, text, SHA256.HashData(Encoding.UTF8.GetBytes(text)));
    }

    private sealed record Migration(string Part, int Number, string Name, string Text, byte[] Hash);
}

/// <summary>The schema cannot be brought to the state this build needs.</summary>
public sealed class MigrationException(string message) : Exception(message);
