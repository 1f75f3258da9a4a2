using Trust.Kernel.Residency;
using static Trust.Kernel.Residency.DataClass;

namespace Trust.AuditLedger;

/// <summary>
/// Classes of the ledger's tables. Entries are pseudonymous: personal detail in them is sealed under the subject's key, so what is personal here
/// is the keys, and the region is that of the log.
/// </summary>
[DataCatalogue("ledger")]
internal static class DataClasses
{
    private static readonly RetentionPeriod Log = new(null, "by the class of its action, the longest of a range (`RetentionMonths`)", "`prune`, by whole ranges");
    private static readonly RetentionPeriod Derived = new(null, "as long as the log", "nothing");
    private static readonly RetentionPeriod Case = new(null, "for good: the record of what was done to the log", "nothing");

    public static readonly ClassedTable Head = ClassedTable.Of("head", Derived, (Public, "one size root time writer"));

    public static readonly ClassedTable Entries = ClassedTable.Of("entries", Log, (Audit, "idx leaf_hash leaf"));

    public static readonly ClassedTable EntriesLayout = ClassedTable.Of("entries_layout", Derived, (Public, "one width minimum"));

    public static readonly ClassedTable EntriesRanges = ClassedTable.Of("entries_ranges", Derived, (Public, "first next"));

    public static readonly ClassedTable Sources = ClassedTable.Of("sources", Derived, (Audit, "id name open_epoch epoch seq hash"));

    public static readonly ClassedTable Batches = ClassedTable.Of("batches", Derived, (Audit, "source epoch first_seq last_seq signature first_idx"));

    public static readonly ClassedTable Tiles = ClassedTable.Of("tiles", Derived, (Public, "level n hashes"));

    public static readonly ClassedTable DataKeys = ClassedTable.Of(
        "data_keys", Log with { EndedBy = Log.EndedBy + "; the shredding of the subject" }, (Audit, "idx subject"), (Key, "key"));

    public static readonly ClassedTable IndexEpochs = ClassedTable.Of("index_epochs", Derived, (Public, "epoch start flushed ended trie_root"));

    public static readonly ClassedTable IndexHistory = ClassedTable.Of("index_history", Derived, (Audit, "epoch tile from_commit base changes"));

    public static readonly ClassedTable IndexImage = ClassedTable.Of("index_image", Derived, (Audit, "epoch slice part commit keys"));

    public static readonly ClassedTable SoftwareKeys = ClassedTable.Of(
        "software_keys", new RetentionPeriod(null, "as long as the key is used", "an operator"), (Public, "label spki"), (Key, "sealed"));

    public static readonly ClassedTable Sm3Head = ClassedTable.Of("sm3_head", Derived, (Public, "one size sm3 sha256 note"));

    public static readonly ClassedTable Witnessed = ClassedTable.Of("witnessed", Derived, (Public, "one size note stored_at"));

    public static readonly ClassedTable Anchors = ClassedTable.Of("anchors", Derived, (Public, "id size root note"));

    public static readonly ClassedTable AnchorStamps = ClassedTable.Of("anchor_stamps", Derived, (Public, "anchor number authority token time ends"));

    public static readonly ClassedTable SubjectMasters = ClassedTable.Of("subject_masters", Case, (Public, "number state created_at destroyed_at"));

    public static readonly ClassedTable SubjectKeys = ClassedTable.Of(
        "subject_keys", new RetentionPeriod(null, "as long as detail under it", "the shredding of the subject"), (Audit, "id subject master"), (Key, "wrapped"));

    public static readonly ClassedTable Shreddings = ClassedTable.Of(
        "shreddings", Case, (Audit, "id kind subject reason state requested_by requested_at approved_by approved_at master destroyed_at"));

    public static readonly ClassedTable ShreddingSteps = ClassedTable.Of(
        "shredding_steps", Case, (Audit, "shredding service state asked_at answered_at kept_until"));

    public static readonly ClassedTable LegalHolds = ClassedTable.Of(
        "legal_holds", Case,
        (Audit, "id kind subject case_number placed_by placed_at released_by released_at region release_asked_by release_asked_at"));

    public static readonly ClassedTable Alarms = ClassedTable.Of("alarms", Log, (Audit, "idx at id kind"));

    public static readonly ClassedTable Marks = ClassedTable.Of("marks", Log, (Audit, "idx"));

    public static readonly ClassedTable Scrub = ClassedTable.Of("scrub", Derived, (Audit, "one position ended_at faults"));
}
