using System.Reflection;

namespace Trust.Kernel.Residency;

/// <summary>How long rows have to be kept, and what ends them (docs/RULES.md §5).</summary>
/// <param name="Months">Least time in months; null where something else than time ends them, or nothing does.</param>
/// <param name="From">What the time counts from, or how long instead of it.</param>
/// <param name="EndedBy">What removes or shreds them afterwards.</param>
public sealed record RetentionPeriod(int? Months, string From, string EndedBy)
{
    /// <summary>First instant at which a row need not be kept.</summary>
    /// <exception cref="InvalidOperationException">No time ends these rows.</exception>
    public DateTimeOffset Ends(DateTimeOffset from) => from.AddMonths(Months ?? throw new InvalidOperationException("No time ends these rows."));

    /// <summary>The instant before which a row must have begun so that its time is over now.</summary>
    /// <exception cref="InvalidOperationException">No time ends these rows.</exception>
    public DateTimeOffset Before(DateTimeOffset now) => now.AddMonths(-(Months ?? throw new InvalidOperationException("No time ends these rows.")));
}

/// <summary>A table of a service's schema: the class of every column, and how long its rows are kept.</summary>
/// <param name="Name">Table.</param>
/// <param name="Kept">How long.</param>
/// <param name="Columns">Class of each column; a set where a column holds several kinds.</param>
public sealed record ClassedTable(string Name, RetentionPeriod Kept, IReadOnlyDictionary<string, DataClass> Columns)
{
    /// <summary>True when some column holds what is about one person and not public: then every row carries its governing region.</summary>
    public bool IsPersonal => Columns.Values.Any(c => (c & DataClass.Personal) != DataClass.None);

    /// <summary>A table by the columns of each class, their names apart by spaces.</summary>
    public static ClassedTable Of(string name, RetentionPeriod kept, params (DataClass Class, string Columns)[] columns) => new(
        name, kept, columns.SelectMany(c => c.Columns.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(column => (column, c.Class)))
            .ToDictionary(c => c.column, c => c.Class, StringComparer.Ordinal));
}

/// <summary>
/// Marks a class whose public static fields are the classed tables of a service. A column that is in none of them, or that no table has, fails a
/// test against the migrated schema: nothing is stored of which nobody said what it is.
/// </summary>
/// <param name="service">The service's name; <c>*</c> for the tables that every service has.</param>
[AttributeUsage(AttributeTargets.Class)]
public sealed class DataCatalogueAttribute(string service) : Attribute
{
    /// <summary>The service's name, or <c>*</c>.</summary>
    public string Service => service;

    /// <summary>Every table that an assembly's catalogues hold.</summary>
    public static IEnumerable<ClassedTable> In(Assembly assembly)
    {
        ArgumentNullException.ThrowIfNull(assembly);
        return assembly.GetTypes().Where(t => t.GetCustomAttribute<DataCatalogueAttribute>() is not null)
            .SelectMany(t => t.GetFields(BindingFlags.Public | BindingFlags.Static)).Select(f => f.GetValue(null)).OfType<ClassedTable>();
    }
}
