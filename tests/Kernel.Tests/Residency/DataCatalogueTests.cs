using System.Reflection;
using System.Text;
using Npgsql;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Residency;

/// <summary>Every stored column has a data class; docs/DATA-CLASSES.md is made from the catalogues.</summary>
public sealed class DataCatalogueTests
{
    private static readonly string Root = Up(AppContext.BaseDirectory);

    private static readonly (string Title, string Assembly)[] Services =
    [
        ("Identity provider (`idp`)", "src/Idp/bin/Release/net10.0/Trust.Idp.dll"), ("Certification authority (`ca`)", "src/CA/bin/Release/net10.0/Trust.CA.dll"),
        ("Signing service (`sign`)", "src/SignService/bin/Release/net10.0/Trust.SignService.dll"), ("Audit ledger (`ledger`)", "src/AuditLedger/bin/Release/net10.0/Trust.AuditLedger.dll"),
    ];

    // To write it anew: TRUST_WRITE_DOCS=1 dotnet run --project tests/Kernel.Tests -c Release -- -class "*DataCatalogueTests"
    [Fact]
    public void The_document_of_data_classes_is_what_the_catalogues_say()
    {
        var file = Path.Combine(Root, "docs", "DATA-CLASSES.md");
        var text = Generate();
        if (Environment.GetEnvironmentVariable("TRUST_WRITE_DOCS") == "1")
        {
            File.WriteAllText(file, text);
        }

        Assert.Equal(text, File.ReadAllText(file));
    }

    [Fact]
    public async Task A_column_without_class_a_class_without_column_and_a_personal_table_without_a_fixed_region_are_named()
    {
        await using var db = await TestDatabase.Create("ca");
        Assert.Empty(await ClassedSchema.Faults(db));
        await db.Owner.Sql("ALTER TABLE key_register ADD COLUMN holder_name text").Execute(default);
        await db.Owner.Sql("ALTER TABLE key_ring RENAME COLUMN seal TO mark").Execute(default);
        await db.Owner.Sql("ALTER TABLE idempotency ALTER COLUMN region DROP NOT NULL").Execute(default);
        await db.Owner.Sql("DROP TRIGGER region_is_fixed ON idempotency").Execute(default);
        await db.Owner.Sql("DROP TRIGGER region_is_storable ON idempotency").Execute(default);
        await db.Owner.Sql("CREATE TABLE beside (name text)").Execute(default);
        Assert.Equal(
            [
                "beside.name has no class", "idempotency is about persons and has no region", "idempotency is about persons and its region can be changed", "idempotency is about persons and takes any region",
                "key_register.holder_name has no class", "key_ring.mark has no class", "key_ring.seal has a class and is no column",
            ],
            (await ClassedSchema.Faults(db)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_region_of_a_personal_row_is_fixed_at_its_creation_even_for_the_owner()
    {
        await using var db = await TestDatabase.Create("ca");
        const string insert = """
            INSERT INTO idempotency (caller, endpoint, key, request_hash, lease_until, created_at, region) VALUES ('c', 'e', 'k', ''::bytea, now(), now(), '510000')
            """;
        await db.Runtime.Sql(insert).Execute(default);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => db.Owner.Sql("UPDATE idempotency SET region = '110000'").Execute(default));
        Assert.Equal(PostgresErrorCodes.IntegrityConstraintViolation, refused.SqlState);
        Assert.Equal(1, await db.Runtime.Sql("UPDATE idempotency SET region = '510000', status = 200").Execute(default));
    }

    [Theory]
    // Chongqing's stay in Chongqing (CQ-33); nobody's and those of outside are stored nowhere.
    [InlineData("500103")]
    [InlineData("810000")]
    [InlineData("199999")]
    public async Task A_row_of_a_region_that_the_rules_do_not_let_be_stored_here_is_refused_by_the_database_whoever_writes_it(string region)
    {
        await using var db = await TestDatabase.Create("ca");
        const string insert = """
            INSERT INTO idempotency (caller, endpoint, key, request_hash, lease_until, created_at, region) VALUES ('c', 'e', $1, ''::bytea, now(), now(), $1)
            """;
        foreach (var role in new[] { db.Runtime, db.Owner })
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() => role.Sql(insert).With(region).Execute(default));
            Assert.Contains($"residency: rows of idempotency of region {region} may not be stored", refused.MessageText, StringComparison.Ordinal);
        }

        Assert.Equal(1, await db.Runtime.Sql(insert).With("110101").Execute(default));
    }

    [Fact]
    public async Task The_service_takes_regions_out_and_puts_none_in()
    {
        await using var db = await TestDatabase.Create("ca");
        Assert.Equal(1, await db.Runtime.Sql("DELETE FROM storable_regions WHERE code = '110101'").Execute(default));
        var refused = await Assert.ThrowsAsync<PostgresException>(() => db.Runtime.Sql("INSERT INTO storable_regions (code) VALUES ('500103')").Execute(default));
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
    }

    [Fact]
    public void A_table_about_persons_says_what_ends_its_rows()
    {
        var silent = All().Where(t => t.Table.IsPersonal && (t.Table.Kept.From.Length == 0 || t.Table.Kept.EndedBy.Length == 0)).Select(t => t.Table.Name);
        Assert.Empty(silent);
    }

    private static string Generate()
    {
        var text = new StringBuilder();
        text.Append("""
            # Data classes

            Made from the catalogues (`DataClasses.cs` of each service, `KernelDataClasses.cs`); a test holds each to its migrated schema, and this page to them. The classes are those of docs/RULES.md §10. A table of class IDENTITY, CLINICAL, RESTRICTED or GENETIC carries its governing region in `region`, which nothing changes after a row's creation. Values of these classes and of KEY appear in no log, problem or telemetry.


            """);
        Section(text, "Every service", All().Where(t => t.Title is "*").Select(t => t.Table));
        foreach (var (title, _) in Services)
        {
            Section(text, title, All().Where(t => t.Title == title).Select(t => t.Table));
        }

        return text.ToString().TrimEnd() + "\n";
    }

    private static void Section(StringBuilder text, string title, IEnumerable<ClassedTable> tables)
    {
        text.Append("## ").Append(title).Append("\n\n| table | columns by class | kept at least | ended by |\n|---|---|---|---|\n");
        foreach (var table in tables.OrderBy(t => t.Name, StringComparer.Ordinal))
        {
            var classes = table.Columns.GroupBy(c => c.Value).OrderByDescending(g => g.Key & DataClass.Personal).ThenBy(g => g.Key).Select(g =>
                $"**{string.Join(" ", DataClassJsonConverter.Each(g.Key).Where(c => c is not DataClass.Personal).Select(DataClassJsonConverter.NameOf))}** {string.Join(", ", g.Select(c => $"`{c.Key}`"))}");
            text.Append("| `").Append(table.Name).Append("` | ").Append(string.Join("; ", classes)).Append(" | ").Append(Kept(table.Kept)).Append(" | ").Append(table.Kept.EndedBy).Append(" |\n");
        }

        text.Append('\n');
    }

    private static string Kept(RetentionPeriod kept) => kept.Months switch
    {
        null => kept.From,
        var months when months % 12 == 0 => $"{months / 12} years after {kept.From}",
        var months => $"{months} months after {kept.From}",
    };

    private static IEnumerable<(string Title, ClassedTable Table)> All() => DataCatalogueAttribute.In(typeof(DataCatalogueAttribute).Assembly).Select(t => ("*", t))
        .Concat(Services.SelectMany(s => DataCatalogueAttribute.In(Assembly.LoadFrom(Path.Combine(Root, s.Assembly))).Select(t => (s.Title, t))));

    private static string Up(string folder) => File.Exists(Path.Combine(folder, "Trust.sln")) ? folder : Up(Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("No Trust.sln above."));
}
