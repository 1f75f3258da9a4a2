using System.Globalization;
using System.Reflection;
using Npgsql;
using Trust.Cli.Local;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;

namespace Trust.TestKit;

/// <summary>A database of its own on a PostgreSQL server that this test process started; migrated as the service would.</summary>
public sealed class TestDatabase : IAsyncDisposable
{
    private static readonly Lazy<Task<PostgresCluster>> Cluster = new(StartCluster);
    private static readonly SemaphoreSlim Making = new(1, 1);
    private static int _count;

    private TestDatabase(DatabaseOptions options, PostgresCluster server)
    {
        Options = options;
        Server = server;
        Runtime = Outbound.Database(options);
        Owner = Outbound.Database(options, asOwner: true);
    }

    /// <summary>What a service's configuration says of this database.</summary>
    public DatabaseOptions Options { get; }

    /// <summary>The server; shared by the process's tests unless made by <see cref="OnOwnServer"/>.</summary>
    public PostgresCluster Server { get; }

    /// <summary>As the runtime role.</summary>
    public NpgsqlDataSource Runtime { get; }

    /// <summary>As the owner role.</summary>
    public NpgsqlDataSource Owner { get; }

    /// <summary>Makes and migrates a database on the process's server.</summary>
    /// <param name="schema">Service name, for example <c>ca</c>.</param>
    /// <param name="assemblies">The service's assembly; Kernel's own migrations come first in any case.</param>
    public static async Task<TestDatabase> Create(string schema, params Assembly[] assemblies) =>
        await On(await Cluster.Value, schema, assemblies);

    /// <summary>The same on a server of its own, for tests that stop or crash it.</summary>
    public static async Task<TestDatabase> OnOwnServer(string schema, params Assembly[] assemblies) =>
        await On(await PostgresCluster.Start(Scratch.Directory("postgres"), [], CancellationToken.None), schema, assemblies);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Runtime.DisposeAsync();
        await Owner.DisposeAsync();
    }

    private static async Task<TestDatabase> On(PostgresCluster server, string schema, Assembly[] assemblies)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{schema}_{Interlocked.Increment(ref _count)}");
        // Roles are shared by the cluster's databases; two tests making the same role at once collide in the catalogue.
        await Making.WaitAsync();
        ServiceDatabase made;
        try
        {
            made = await server.CreateServiceSchema(name, schema, CancellationToken.None);
        }
        finally
        {
            Making.Release();
        }

        var database = new TestDatabase(new DatabaseOptions
        {
            ConnectionString = made.ConnectionString, PasswordFile = made.PasswordFile, OwnerUsername = made.OwnerUsername,
            OwnerPasswordFile = made.OwnerPasswordFile, Schema = schema, Region = "510000",
        }, server);
        await Migrator.Apply(database.Owner, schema + "_runtime", database.Options.Region, [typeof(Migrator).Assembly, .. assemblies], null, CancellationToken.None);
        return database;
    }

    private static Task<PostgresCluster> StartCluster() => PostgresCluster.Start(Scratch.Directory("postgres"), [], CancellationToken.None);
}
