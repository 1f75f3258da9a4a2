using Trust.Kernel.Hosting;

namespace Trust.SignService.Prescriptions;

/// <summary>The rules of the prescription profile (<see cref="PrescriptionProfile"/>), each with the member that breaks it.</summary>
[RefusalCatalogue("sign")]
public static class ProfileRefusals
{
    /// <summary>The bundle is no object.</summary>
    public static readonly Refusal NotAnObject = new("profile-not-an-object", 422,
        "{member} 应为 JSON 对象。", "{member} must be a JSON object.");

    /// <summary>A signature inside the signed document.</summary>
    public static readonly Refusal SignatureInside = new("profile-signature-inside", 422,
        "签名应与处方文档分开提交，请删除 {member}。", "Signatures travel beside the bundle; remove {member}.");

    /// <summary>Beyond the largest document.</summary>
    public static readonly Refusal TooLarge = new("profile-too-large", 422,
        "处方文档过大，规范化后不得超过 128 KiB。", "The bundle is too large; its canonical form holds at most 128 KiB.");

    /// <summary>A member that must be there.</summary>
    public static readonly Refusal Missing = new("profile-missing", 422,
        "缺少必填项 {member}，请补充。", "{member} is missing; add it.");

    /// <summary>Not a text of 1 to 1024 characters.</summary>
    public static readonly Refusal NotText = new("profile-not-text", 422,
        "{member} 应为 1 至 1024 个字符的文本。", "{member} must be a text of 1 to 1024 characters.");

    /// <summary>A value outside its closed list.</summary>
    public static readonly Refusal NotAllowed = new("profile-not-allowed", 422,
        "{member} 的取值不在允许范围内，请按处方规范填写。", "{member} has a value that the profile does not know; take one that it does.");

    /// <summary>Not a list.</summary>
    public static readonly Refusal NotAList = new("profile-not-a-list", 422,
        "{member} 应为数组。", "{member} must be a list.");

    /// <summary>Too few or too many.</summary>
    public static readonly Refusal Cardinality = new("profile-cardinality", 422,
        "{member} 的数量不符合处方规范。", "{member} stands too few or too many times.");

    /// <summary>Not a whole number.</summary>
    public static readonly Refusal NotAWholeNumber = new("profile-not-a-whole-number", 422,
        "{member} 应为整数。", "{member} must be a whole number.");

    /// <summary>Not a date and time.</summary>
    public static readonly Refusal NotAnInstant = new("profile-not-an-instant", 422,
        "{member} 应为带秒和时区的日期时间，例如 2026-11-29T10:00:00+08:00。", "{member} must be a date and time with seconds and zone, for example 2026-11-29T10:00:00+08:00.");

    /// <summary>Not a date.</summary>
    public static readonly Refusal NotADate = new("profile-not-a-date", 422,
        "{member} 应为日期，例如 2026-11-29。", "{member} must be a date, for example 2026-11-29.");

    /// <summary>Not exactly one identifier of the system, or of another form.</summary>
    public static readonly Refusal Identifier = new("profile-identifier", 422,
        "{member} 应恰有一个所需体系的标识，且格式正确。", "{member} must hold exactly one identifier of the system asked for, in its form.");

    /// <summary>Not exactly one coding of the system.</summary>
    public static readonly Refusal Coding = new("profile-coding", 422,
        "{member} 应恰有一个所需编码体系的编码。", "{member} must hold exactly one coding of the system asked for.");

    /// <summary>The first entry is no Composition.</summary>
    public static readonly Refusal CompositionFirst = new("profile-composition-first", 422,
        "{member} 应为 Composition，请放在文档首位。", "{member} must be the Composition; put it first.");

    /// <summary>A reference that leads elsewhere.</summary>
    public static readonly Refusal Reference = new("profile-reference", 422,
        "{member} 的引用与文档内容不符，请引用本文档中的对应条目。", "{member} does not refer to the entry of this bundle that it must; correct it.");

    /// <summary>Not a diagnosis code.</summary>
    public static readonly Refusal DiagnosisCode = new("profile-diagnosis-code", 422,
        "{member} 的诊断编码格式不正确，请使用国家临床版疾病编码。", "{member} holds no well-formed diagnosis code; use the national edition of ICD-10.");

    /// <summary>Medicines with different validity.</summary>
    public static readonly Refusal ValidityDiffers = new("profile-validity-differs", 422,
        "各药品的有效期不一致，请在 {member} 中统一。", "The medicines state different ends of validity; make {member} agree.");

    /// <summary>Medicines of different categories.</summary>
    public static readonly Refusal CategoryDiffers = new("profile-category-differs", 422,
        "各药品的处方类别不一致，请检查 {member}。", "The medicines state different categories; make {member} agree.");

    /// <summary>Not a positive quantity.</summary>
    public static readonly Refusal Quantity = new("profile-quantity", 422,
        "{member} 的药品数量应为正数。", "{member} must state a positive quantity.");

    /// <summary>Not a urn:uuid.</summary>
    public static readonly Refusal FullUrl = new("profile-full-url", 422,
        "{member} 的 fullUrl 应为 urn:uuid 形式。", "{member} must have a fullUrl of the form urn:uuid.");

    /// <summary>One fullUrl on two entries.</summary>
    public static readonly Refusal FullUrlTwice = new("profile-full-url-twice", 422,
        "{member} 的 fullUrl 与其他条目重复。", "{member} has the fullUrl of another entry.");

    /// <summary>A resource that no prescription holds.</summary>
    public static readonly Refusal ResourceNotAllowed = new("profile-resource-not-allowed", 422,
        "{member} 的资源类型不属于处方，请删除。", "{member} is of a type that no prescription holds; remove it.");

    /// <summary>Not a prescription number.</summary>
    public static readonly Refusal Number = new("profile-number", 422,
        "{member} 应为 1 至 64 个字母、数字或连字符。", "{member} must be 1 to 64 letters, digits or hyphens.");

    /// <summary>A member that the profile does not name.</summary>
    public static readonly Refusal MemberNotAllowed = new("profile-member-not-allowed", 422,
        "{member} 不在处方规范之内，签名不得包含无人审核的内容，请删除。", "The profile does not name {member}, and nothing is signed that nobody judged; remove it.");

    /// <summary>An extension that the profile does not name.</summary>
    public static readonly Refusal ExtensionNotAllowed = new("profile-extension-not-allowed", 422,
        "处方规范不含 {member} 处的扩展项，请删除。", "The profile does not name the extension at {member}; remove it.");

    /// <summary>Two members that say one thing differently.</summary>
    public static readonly Refusal Contradiction = new("profile-contradiction", 422,
        "{member} 与处方中说明同一事项的其他内容不一致，请更正为一致。", "{member} contradicts another member that says the same thing; make them agree.");

    /// <summary>Narrative, which could show other text than the coded content.</summary>
    public static readonly Refusal Narrative = new("profile-narrative", 422,
        "处方不得含叙述文本，请删除 {member}。", "A prescription holds no narrative; remove {member}.");

    /// <summary>An address outside the bundle.</summary>
    public static readonly Refusal AbsoluteAddress = new("profile-absolute-address", 422,
        "处方不得含外部地址，请检查 {member}。", "A prescription holds no outside address; correct {member}.");

    /// <summary>A fraction as a JSON number.</summary>
    public static readonly Refusal DecimalNotText = new("profile-decimal-not-text", 422,
        "小数应以文本写在扩展项中，请检查 {member}。", "Fractions stand as text in extensions; correct {member}.");

    /// <summary>A null.</summary>
    public static readonly Refusal Null = new("profile-null", 422,
        "{member} 不得为 null，请填写或删除。", "{member} is null; fill it or leave it out.");

    /// <summary>A control, format, private or unassigned character.</summary>
    public static readonly Refusal HiddenCharacter = new("profile-hidden-character", 422,
        "{member} 含有不可见或会改变显示顺序的字符，请删除。", "{member} holds a character that hides or reorders text; remove it.");

    /// <summary>A character with a second spelling.</summary>
    public static readonly Refusal NotNormalised = new("profile-not-normalised", 422,
        "{member} 含有写法不唯一的字符，请用规范字符（NFC）。", "{member} holds a character that can be written in two ways; use the normalised one (NFC).");

    /// <summary>The FHIR library does not take it.</summary>
    public static readonly Refusal NotFhir = new("not-fhir", 422,
        "{member} 不符合 FHIR R4，其他系统将无法读取，请更正。", "{member} is not FHIR R4, so other systems could not read it; correct it.");

    /// <summary>The FHIR library reads something else than the profile does.</summary>
    public static readonly Refusal ReadersDiffer = new("readers-differ", 422,
        "{member} 在其他 FHIR 系统中会有不同的含义，请删除或与处方其余内容保持一致。",
        "Another FHIR system would read {member} differently from us; remove it or make it agree with the rest.");
}
