using Trust.Kernel.Residency;
using static Trust.Kernel.Residency.DataClass;

namespace Trust.Kernel.Keys;

/// <summary>Classes of the tables of <see cref="PersonKeys"/>, for the catalogue of a service that has them.</summary>
public static class PersonTables
{
    private static readonly RetentionPeriod ForGood = new(null, "for good: the record of what was destroyed", "nothing");

    /// <summary>The masters.</summary>
    public static ClassedTable Masters { get; } = ClassedTable.Of("person_masters", ForGood, (Public, "number state created_at destroyed_at"));

    /// <summary>A key for each person.</summary>
    public static ClassedTable Keys { get; } = ClassedTable.Of(
        "person_keys", new RetentionPeriod(null, "as long as anything under it", "the shredding of the person"), (Identity, "person"), (Key, "wrapped"), (Public, "region master"));

    /// <summary>What the ledger asked for.</summary>
    public static ClassedTable Shreddings { get; } = ClassedTable.Of(
        "person_shreddings", ForGood with { EndedBy = "nothing; a request that meets a hold is forgotten, and asked anew" }, (DataClass.Audit, "id person state asked_at kept_until answered_at master"));
}
