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

    /// <summary>A region outside the mainland, or unknown.</summary>
    public static readonly Refusal RegionOutside = new("region-outside", 403,
        "该行政区划代码未知，或数据驻留规则不允许该地区的患者身份信息存储在本系统的数据库中；请到该地区的系统登记。",
        "The region is unknown, or the residency rules do not let identities of its patients be stored in this system's database; register them at that region's system.");
}
