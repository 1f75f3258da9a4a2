using Trust.Kernel.Residency;
using static Trust.Kernel.Residency.DataClass;

namespace Trust.CA;

/// <summary>Classes of the certification authority's tables.</summary>
[DataCatalogue("ca")]
internal static class DataClasses
{
    private static readonly RetentionPeriod Registry = new(null, "for good: what was so at an instant keeps its answer", "nothing");

    // 电子签名法 art. 24: five years after the certificate's end.
    private static readonly RetentionPeriod Certified = new(60, "the end of the certificate", "nothing yet: certificates prove records that are kept longer");

    private static readonly RetentionPeriod Waiting = new(null, "while a second officer may confirm", "nothing");

    public static readonly ClassedTable Institutions = ClassedTable.Of("institutions", Registry, (Public, "urn credit_code recorded_at"));

    public static readonly ClassedTable InstitutionFacts = ClassedTable.Of(
        "institution_facts", Registry, (Public, "id institution name kind registration_number region effective_from recorded_at"), (Deidentified, "recorded_by confirmed_by"));

    public static readonly ClassedTable InstitutionStates = ClassedTable.Of(
        "institution_states", Registry, (Public, "id institution state effective_from recorded_at reason basis"), (Deidentified, "recorded_by"));

    public static readonly ClassedTable Practitioners = ClassedTable.Of(
        "practitioners", Registry, (Deidentified, "urn recorded_at"), (Identity, "identity_type identity_sealed identity_lookup"), (Public, "region"));

    // A tag says as much of a person as the identifier beside it: it is found from the document by our token only, which was never shown those of other regions.
    public static readonly ClassedTable PersonIdentifiers = ClassedTable.Of(
        "person_identifiers", Registry, (Deidentified, "tag person given_at"), (Public, "given_to"));

    public static readonly ClassedTable PractitionerFacts = ClassedTable.Of(
        "practitioner_facts", Registry, (Identity, "name licence_number qualification_sealed"),
        (Deidentified, "id practitioner role licence_category licence_scope effective_from recorded_at recorded_by confirmed_by"), (Public, "region"));

    public static readonly ClassedTable PractitionerStates = ClassedTable.Of(
        "practitioner_states", Registry, (Deidentified, "id practitioner state effective_from recorded_at recorded_by confirmed_by reason basis"));

    public static readonly ClassedTable Reinstatements = ClassedTable.Of(
        "reinstatements", Waiting, (Deidentified, "id practitioner reason basis wished_by wished_at confirmed_by confirmed_at state_id login_sha256"));

    public static readonly ClassedTable Affiliations = ClassedTable.Of(
        "affiliations", Registry, (Deidentified, "version id practitioner kind valid_from valid_to recorded_at recorded_by confirmed_by"), (Public, "institution region"));

    public static readonly ClassedTable Filings = ClassedTable.Of(
        "filings", Registry, (Deidentified, "version id practitioner number valid_from valid_to recorded_at recorded_by confirmed_by"), (Public, "institution"));

    public static readonly ClassedTable Issuers = ClassedTable.Of(
        "issuers", new RetentionPeriod(null, "as long as any certificate below", "nothing"), (Public, "name parent certificate key_label crl_number"));

    public static readonly ClassedTable SoftwareKeys = ClassedTable.Of(
        "software_keys", new RetentionPeriod(null, "as long as the key is used", "an operator"), (Public, "label spki"), (Key, "sealed"));

    public static readonly ClassedTable Ceremony = ClassedTable.Of(
        "ceremony", new RetentionPeriod(null, "for good", "nothing"), (Public, "only file_sha256 transcript closed_at"));

    public static readonly ClassedTable Officers = ClassedTable.Of(
        "officers", Registry, (Identity, "name identity_lookup"), (Deidentified, "person active recorded_at"), (Public, "region"));

    public static readonly ClassedTable CertificateRequests = ClassedTable.Of(
        "certificate_requests", Certified, (Identity, "pkcs10 identity_proof carrier"),
        (Deidentified, "id holder requested_by requested_at registry_sha256 request_sha256 state refusal"), (Public, "profile profile_sha256 institution spki_sha256 region"));

    public static readonly ClassedTable Approvals = ClassedTable.Of(
        "approvals", Certified, (Deidentified, "request officer certificate_sha256 signature approved_at login_sha256"));

    // What is signed names its holder.
    public static readonly ClassedTable Certificates = ClassedTable.Of(
        "certificates", Certified, (Identity, "tbs der"), (Deidentified, "request holder"),
        (Public, "issuer serial state sha256 profile profile_sha256 institution spki_sha256 not_before not_after reserved_at issued_at tries next_try region"));

    public static readonly ClassedTable CertificateStates = ClassedTable.Of(
        "certificate_states", Certified, (Public, "id sha256 issuer serial state reason cause invalidity_date at"), (Deidentified, "recorded_by"));

    public static readonly ClassedTable CertificateResumptions = ClassedTable.Of(
        "certificate_resumptions", Waiting, (Deidentified, "sha256 wished_by wished_at state_id login_sha256"));

    public static readonly ClassedTable Crls = ClassedTable.Of(
        "crls", new RetentionPeriod(null, "as long as the records that they prove", "nothing"), (Public, "issuer number der this_update next_update feed_seq"));

    public static readonly ClassedTable Feed = ClassedTable.Of(
        "feed", new RetentionPeriod(null, "for good: its numbers have no gaps", "nothing"), (Public, "seq kind id state at"), (Deidentified, "person"));

    public static readonly ClassedTable ImportProposals = ClassedTable.Of(
        "import_proposals", Waiting,
        (Deidentified, "id sha256 rows proposed_by card_sha256 proposed_at expires_at state closed_by closed_at results"), (Key, "salt rows_lookup"));

    public static readonly ClassedTable ResidencyDeclarations = ClassedTable.Of(
        "residency_declarations", Registry, (Public, "id version sha256 jws state expires_at"), (Deidentified, "proposed_by card_sha256 proposed_at accepted_by accepted_at"));

    public static readonly ClassedTable ImportProposalRows = ClassedTable.Of(
        "import_proposal_rows", new RetentionPeriod(null, "until the proposal is closed", "nothing yet"), (Identity, "sealed before after"),
        (Deidentified, "proposal position kind row"), (Public, "region"));

    public static readonly ClassedTable DueChanges = ClassedTable.Of(
        "due_changes", Registry, (Deidentified, "id kind practitioner institution due_at ends recorded_by applied_at"));
}
