using Trust.Kernel.Keys;
using Trust.Kernel.Residency;
using static Trust.Kernel.Residency.DataClass;

namespace Trust.SignService;

/// <summary>Classes of the signing service's tables.</summary>
[DataCatalogue("sign")]
internal static class DataClasses
{
    // 门诊电子病历, 互联网诊疗: fifteen years after the last visit, which is the patient's youngest prescription here.
    private static readonly RetentionPeriod Record = new(180, "the patient's last prescription", "the retention loop; the shredding of the patient");

    public static readonly ClassedTable Prescriptions = ClassedTable.Of(
        "prescriptions", Record with { EndedBy = Record.EndedBy + "; a draft that nobody signs, after `DraftLifetime`, a day unless configured" },
        (Clinical, "patient patient_key payload payload_sealed return_reason return_sealed category"),
        (Deidentified, "id number author payload_sha256 status valid_until claimed_by rule_version created_at changed_at next_try tries prepare_key"),
        (Public, "region institution"));

    // Certificates name their holders.
    public static readonly ClassedTable Signatures = ClassedTable.Of(
        "signatures", Record, (Identity, "certificates"), (Clinical, "payload"),
        (Deidentified, "id prescription kind signer protected status prepared_at expires_at signature completion_key intent time_stamp completed_at"),
        (Public, "region institution"));

    public static readonly ClassedTable Seals = ClassedTable.Of(
        "seals", new RetentionPeriod(null, "as long as the institution's seal", "nothing"), (Public, "institution region key_label request certificates created_at certified_at"));

    public static readonly ClassedTable SealedDocuments = ClassedTable.Of(
        "sealed_documents", new RetentionPeriod(null, "as long as the sealed document, which its institution keeps", "nothing"),
        (Deidentified, "id payload_sha256 protected request_key signature time_stamp created_at completed_at"), (Public, "region institution"));

    public static readonly ClassedTable PersonMasters = PersonTables.Masters;

    public static readonly ClassedTable PersonKeys = PersonTables.Keys;

    public static readonly ClassedTable PersonShreddings = PersonTables.Shreddings;

    public static readonly ClassedTable TimeStampMark = ClassedTable.Of("time_stamp_mark", new RetentionPeriod(null, "as long as the service", "nothing"), (Public, "only until"));
}
