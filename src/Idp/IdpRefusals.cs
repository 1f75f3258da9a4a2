using Trust.Kernel.Hosting;

namespace Trust.Idp;

/// <summary>Refusals of the provider's own APIs; OAuth and OpenID endpoints answer in their protocols' bodies.</summary>
[RefusalCatalogue("idp")]
public static class IdpRefusals
{
    /// <summary>A system acts for another institution than its own.</summary>
    public static readonly Refusal InstitutionMismatch = new("institution-mismatch", 403,
        "系统只能为其所属机构登记患者知情同意。", "A system records consents for its own institution only.");

    /// <summary>A member of a consent is missing or has no such form.</summary>
    public static readonly Refusal ConsentMalformed = new("consent-malformed", 400,
        "请填写 kind、noticeVersion（不含引号和反斜杠）、noticeSha256（64 位小写十六进制）、method，以及已发生的 acknowledgedAt。",
        "kind, noticeVersion (without quotation marks and backslashes), noticeSha256 (64 lower-case hex digits), method and a past acknowledgedAt are required.");

    /// <summary>No such pseudonym.</summary>
    public static readonly Refusal PatientUnknown = new("patient-unknown", 404,
        "没有此患者假名，请先登记患者：POST /patients。", "No such patient pseudonym. Register the patient first: POST /patients.");

    /// <summary>No such open consent of the caller's institution.</summary>
    public static readonly Refusal ConsentUnknown = new("consent-unknown", 404,
        "贵机构没有这份有效的知情同意。", "No such consent of your institution stands.");

    /// <summary>Not a resident's identity number.</summary>
    public static readonly Refusal IdentityNumberInvalid = new("identity-number-invalid", 400,
        "idType 须为 resident-identity，公民身份号码的出生日期须真实存在、校验码须正确（GB 11643）。",
        "idType must be resident-identity and the number must have a real birth date and a right check character (GB 11643).");

    /// <summary>Whoever calls is no officer, or not at the officers' listener.</summary>
    public static readonly Refusal NotAnOfficer = new("not-an-officer", 403,
        "此卡不属于在任管理员，或其证书已被暂停、吊销；请使用管理员卡并连接管理员专用地址。", "This card is no active officer's, or is held or revoked. Use an officer's card at the officers' address.");

    /// <summary>The registry did not say whether the card is an officer's.</summary>
    public static readonly Refusal RegistryAway = new("registry-away", 503,
        "登记机构（CA）未答复，无法确认管理员身份；请稍后重试。", "The registry does not answer, so nobody can be taken for an officer. Try again later.");

    /// <summary>A proposed client breaks a rule.</summary>
    public static readonly Refusal ClientMalformed = new("client-malformed", 400,
        "所提交的客户端不符合规则：{rule}", "The proposed client breaks a rule: {rule}");

    /// <summary>No such client.</summary>
    public static readonly Refusal ClientUnknown = new("client-unknown", 404, "没有此客户端。", "No such client.");

    /// <summary>No such change.</summary>
    public static readonly Refusal ChangeUnknown = new("change-unknown", 404, "没有此变更申请。", "No such change.");

    /// <summary>The change was applied, or lapsed.</summary>
    public static readonly Refusal ChangeClosed = new("change-closed", 409, "该变更申请已生效或已过期，请重新提交。", "The change was applied or has lapsed. Propose it anew.");

    /// <summary>An approval without certificate and signature in their forms.</summary>
    public static readonly Refusal ApprovalMalformed = new("approval-malformed", 400,
        "请填写 certificate（签名证书 DER 的 Base64）和 signature（64 字节 r‖s 的 Base64）。", "certificate (DER, base64) and signature (r‖s, 64 bytes, base64) are required.");

    /// <summary>The signature does not verify over the change's bytes.</summary>
    public static readonly Refusal ApprovalMismatch = new("approval-mismatch", 400, "签名与该变更的内容不符。", "The signature is not over the bytes of this change.");

    /// <summary>Another person's certificate, or not one for signatures.</summary>
    public static readonly Refusal NotYourSignatureCertificate = new("not-your-signature-certificate", 403,
        "该证书不是当前管理员本人的有效签名证书。", "The certificate is no good signature certificate of the officer at the door.");

    /// <summary>No such algorithm.</summary>
    public static readonly Refusal KeyUnknown = new("key-unknown", 404, "没有此算法的令牌密钥：ES256、PS256、RS256。", "No token key of this algorithm: ES256, PS256, RS256.");

    /// <summary>A region outside the mainland, or unknown.</summary>
    public static readonly Refusal RegionOutside = new("region-outside", 403,
        "该行政区划代码未知，或数据驻留规则不允许该地区的患者身份信息存储在本系统的数据库中；请到该地区的系统登记。",
        "The region is unknown, or the residency rules do not let identities of its patients be stored in this system's database; register them at that region's system.");
}
