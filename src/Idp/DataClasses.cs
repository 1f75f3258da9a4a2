using Trust.Kernel.Keys;
using Trust.Kernel.Residency;
using static Trust.Kernel.Residency.DataClass;

namespace Trust.Idp;

/// <summary>Classes of the provider's tables.</summary>
[DataCatalogue("idp")]
internal static class DataClasses
{
    private static readonly RetentionPeriod ByUse = new(null, "as long as it is configured", "an operator");
    private static readonly RetentionPeriod UntilExpiry = new(null, "until it expires", "the sweep of what has expired");

    public static readonly ClassedTable SigningKeys = ClassedTable.Of(
        "signing_keys", new RetentionPeriod(null, "as long as tokens may verify under it", "nothing"), (Public, "kid label spki state created_at activated_at retired_at alg"));

    public static readonly ClassedTable Clients = ClassedTable.Of(
        "clients", ByUse,
        (Public, "client_id name_zh name_en kind profile redirect_uris post_logout_redirect_uris grant_types scopes resources jwks role institution region enabled metadata"));

    public static readonly ClassedTable RegistrationGrants = ClassedTable.Of(
        "registration_grants", ByUse, (Key, "token_hash"), (Public, "id hosts profile grant_types scopes resources role institution region created_at expires_at"));

    public static readonly ClassedTable Registrations = ClassedTable.Of("registrations", ByUse, (Key, "token_hash"), (Public, "client_id grant_id created_at"));

    public static readonly ClassedTable ClientAssertions = ClassedTable.Of("client_assertions", UntilExpiry, (Public, "client_id jti expires_at"));

    public static readonly ClassedTable AuthorizationRequests = ClassedTable.Of(
        "authorization_requests", UntilExpiry, (Public, "client_id redirect_uri scope code_challenge resource prompt max_age created_at expires_at answered_at response_mode dpop_jkt"),
        (Key, "id cookie_hash state nonce pushed"), (Deidentified, "session_id hint_subject claims authorization_details acting_institution"));

    public static readonly ClassedTable DecoupledRequests = ClassedTable.Of(
        "decoupled_requests", UntilExpiry, (Public, "kind client_id scope resource region created_at expires_at interval_seconds polled_at state notify_after notify_tries institution"),
        (Key, "hash user_code auth_req_id notification_token"), (Deidentified, "id origin person binding_message session_id decided_at"));

    public static readonly ClassedTable PushedRequests = ClassedTable.Of(
        "pushed_requests", UntilExpiry, (Public, "client_id expires_at used_at"), (Key, "hash"), (Deidentified, "parameters"));

    public static readonly ClassedTable CardLogins = ClassedTable.Of(
        "card_logins", UntilExpiry, (Key, "handle_hash request_id"), (Deidentified, "person certificate expires_at used_at"), (Identity, "holder"), (Public, "region acr"));

    public static readonly ClassedTable CardThrottles = ClassedTable.Of(
        "card_throttles", UntilExpiry, (Deidentified, "key failures last_at until"), (Public, "kind"));

    // A session says who came when: the network log of the Cybersecurity Law (art. 21).
    public static readonly ClassedTable Sessions = ClassedTable.Of(
        "sessions", new RetentionPeriod(6, "the end of the session", "the retention loop"),
        (Key, "cookie_hash"), (Deidentified, "id person certificate authenticated_at expires_at ended_at end_reason caller_region last_used_at institution"), (Identity, "holder"), (Public, "region acr"));

    public static readonly ClassedTable Acknowledgements = ClassedTable.Of(
        "acknowledgements", new RetentionPeriod(null, "as long as the person may log in: the notice is not shown twice", "nothing"),
        (Deidentified, "person acknowledged_at"), (Public, "client_id scope notice_version notice_sha256 region"));

    public static readonly ClassedTable Codes = ClassedTable.Of(
        "codes", UntilExpiry, (Key, "hash nonce"), (Deidentified, "session_id used_at authorization_details claims"),
        (Public, "client_id redirect_uri code_challenge scope resource institution expires_at dpop_jkt"));

    public static readonly ClassedTable SessionClients = ClassedTable.Of(
        "session_clients", new RetentionPeriod(null, "as long as its session", "the retention loop"), (Deidentified, "session_id"), (Public, "client_id"));

    public static readonly ClassedTable LogoutNotices = ClassedTable.Of(
        "logout_notices", new RetentionPeriod(null, "ten minutes", "the delivery of logout notices"), (Deidentified, "session_id created_at"), (Public, "client_id next_at tries"));

    public static readonly ClassedTable Tokens = ClassedTable.Of(
        "tokens", UntilExpiry, (Key, "code_hash"), (Deidentified, "jti session_id subject issued_at expires_at revoked_at family authorization_details"), (Public, "client_id jkt x5t"));

    public static readonly ClassedTable RefreshFamilies = ClassedTable.Of(
        "refresh_families", UntilExpiry, (Key, "code_hash"), (Deidentified, "id session_id person authorization_details created_at expires_at ended_at end_reason"),
        (Public, "client_id institution scope resource claims jkt x5t region"));

    public static readonly ClassedTable RefreshTokens = ClassedTable.Of("refresh_tokens", UntilExpiry, (Key, "hash"), (Deidentified, "family issued_at expires_at used_at"));

    // Without the pseudonym no record of the patient is found: it stays as long as any of them.
    public static readonly ClassedTable Patients = ClassedTable.Of(
        "patients", new RetentionPeriod(null, "as long as any record of the patient", "the shredding of the patient"),
        (Identity, "pseudonym subject_key identity_lookup identity_sealed"), (Key, "commitment_salt"), (Deidentified, "bound_by created_at by_person shredded_at"), (Public, "region"));

    public static readonly ClassedTable PersonMasters = PersonTables.Masters;

    public static readonly ClassedTable PersonKeys = PersonTables.Keys;

    public static readonly ClassedTable PersonShreddings = PersonTables.Shreddings;

    public static readonly ClassedTable ClientChanges = ClassedTable.Of(
        "client_changes", ByUse, (Public, "id client_id document sha256 proposed_at expires_at state applied_at"), (Deidentified, "proposed_by"));

    public static readonly ClassedTable ClientChangeApprovals = ClassedTable.Of(
        "client_change_approvals", ByUse, (Public, "change signature approved_at"), (Deidentified, "officer certificate_sha256"));

    // Part of the record that was kept under it.
    public static readonly ClassedTable Consents = ClassedTable.Of(
        "consents", new RetentionPeriod(180, "the withdrawal; while it stands, for good", "the retention loop; the shredding of the patient"),
        (Identity, "patient method"), (Deidentified, "id acknowledged_at recorded_by withdrawn_at"), (Public, "institution kind notice_version notice_sha256 region"));
}
