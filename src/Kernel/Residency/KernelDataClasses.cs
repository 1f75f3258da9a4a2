using static Trust.Kernel.Residency.DataClass;

namespace Trust.Kernel.Residency;

/// <summary>Classes of the tables that every service has.</summary>
[DataCatalogue("*")]
public static class KernelDataClasses
{
    private static readonly RetentionPeriod WithTheSchema = new(null, "as long as the service", "nothing");

    /// <summary>Events on their way to the ledger. The data key opens the sealed detail of an event until the ledger has it.</summary>
    public static readonly ClassedTable AuditOutbox = ClassedTable.Of(
        "audit_outbox", new RetentionPeriod(null, "until a verified checkpoint covers the event, and seven days more", "the relay"),
        (DataClass.Audit, "ordinal id action body created_at epoch seq prev envelope_hash idx ledger_time leaf_hash tree_size quarantined"), (Key, "data_key"));

    /// <summary>The outbox's own place.</summary>
    public static readonly ClassedTable AuditRelay = ClassedTable.Of(
        "audit_relay", WithTheSchema, (DataClass.Audit, "only epoch seq head_hash verified_size checkpoint reached pending oldest seen_at"));

    /// <summary>Answers for a retry: whatever a service answers to a POST.</summary>
    public static readonly ClassedTable Idempotency = ClassedTable.Of(
        "idempotency", new RetentionPeriod(null, "`IdempotencyRetention`, seven days unless configured", "the sweep of kept answers; the shredding of the person in the answer"),
        (Deidentified, "caller endpoint key request_hash lease_until created_at holder claim"), (Public, "status content_type location region"), (Identity | Clinical, "body"));

    /// <summary>Regions whose data may be stored here.</summary>
    public static readonly ClassedTable StorableRegions = ClassedTable.Of("storable_regions", new RetentionPeriod(null, "as long as the rules allow", "a new declaration"), (Public, "code"));

    /// <summary>Data Protection's keys, wrapped by the token.</summary>
    public static readonly ClassedTable KeyRing = ClassedTable.Of(
        "key_ring", new RetentionPeriod(null, "ninety days in use; older ones open old forms", "nothing"), (Public, "name created_at"), (Key, "document seal"));

    /// <summary>Which keys and certificates were seen in use.</summary>
    public static readonly ClassedTable KeyRegister = ClassedTable.Of("key_register", WithTheSchema, (Public, "label sha256 seen_at"));

    /// <summary>Proofs of possession that were accepted.</summary>
    public static readonly ClassedTable DpopProofs = ClassedTable.Of(
        "dpop_proofs", new RetentionPeriod(null, "until the proof is too old to be accepted again, a minute", "the sweep of proofs"), (Key, "mark"), (Public, "forget_at"));

    /// <summary>The schema's own version.</summary>
    public static readonly ClassedTable Migrations = ClassedTable.Of("migrations", WithTheSchema, (Public, "part number name sha256 applied_at"));
}
