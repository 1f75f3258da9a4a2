using Trust.Kernel.Hosting;

namespace Trust.SignService;

/// <summary>What the signing service refuses on its own; the registry's denials, the profile's rules and the rules of online care stand in catalogues beside them.</summary>
[RefusalCatalogue("sign")]
public static class SignRefusals
{
    /// <summary>No such prescription for this caller.</summary>
    public static readonly Refusal NotFound = new("not-found", 404,
        "没有这张处方，或您无权查看，请核对处方标识和所代表的机构。", "There is no such prescription, or it is not yours to see; check its identifier and the institution you act for.");

    /// <summary>Its patient was shredded: hashes and signatures are left, no text.</summary>
    public static readonly Refusal Shredded = new("shredded", 410,
        "该患者的数据已依法销毁：处方内容无法再读取，其哈希和签名仍在。", "The patient's data was destroyed by law: what the prescription said can be read no more; its hashes and signatures remain.");

    /// <summary>The institution's region is one whose patients' data the residency rules do not let be stored here.</summary>
    public static readonly Refusal StoredElsewhere = new("region-stored-elsewhere", 403,
        "数据驻留规则 {rule} 不允许该机构所在地区的患者数据存储在本系统中，请使用该地区的系统开具。", "Residency rule {rule} does not let data of this institution's region be stored here; prescribe in that region's system.");

    /// <summary>A system, or a person who acts for nobody, wants to sign.</summary>
    public static readonly Refusal NotAPractitioner = new("not-a-practitioner", 403,
        "只有以所在机构身份登录的医务人员本人可以签名，请由本人登录后签名。", "Only a practitioner logged in for an institution signs; let the person log in.");

    /// <summary>Prescription or seal of another institution than the token's.</summary>
    public static readonly Refusal OtherInstitution = new("other-institution", 403,
        "此处涉及的机构不是您登录所代表的机构，请以该机构的身份重新登录。", "This concerns another institution than the one you act for; log in for that one.");

    /// <summary>The bundle's practitioner is not the caller.</summary>
    public static readonly Refusal NotTheAuthor = new("not-the-author", 403,
        "处方上的医师不是当前登录的医师，请由处方医师本人登录提交。", "The prescription names another doctor than the one logged in; let that doctor submit it.");

    /// <summary>Text beside an identifier is not what the registry holds under it.</summary>
    public static readonly Refusal NotAsRegistered = new("not-as-registered", 422,
        "{member} 与登记库中该标识的登记内容不一致，请按登记内容填写。", "{member} is not what the registry holds under that identifier; state it as registered.");

    /// <summary>The identity provider does not answer about the patient's consent.</summary>
    public static readonly Refusal ConsentUnknown = new("consent-unknown", 503,
        "暂时无法查询患者的知情同意，未经确认不予签名，请稍后重试。", "The patient's consent cannot be checked now, and nothing is signed without it. Try again shortly.");

    /// <summary>No consent of the patient.</summary>
    public static readonly Refusal NoConsent = new("no-consent", 403,
        "患者尚未同意在本机构接受互联网诊疗，请先取得患者的知情同意。", "The patient has not consented to online care at this institution; obtain the consent first.");

    /// <summary>Another prescription of the number.</summary>
    public static readonly Refusal NumberInUse = new("number-in-use", 409,
        "本机构已有同一编号的有效处方，请更换处方编号。", "Another prescription of this number is in force at the institution; choose another number.");

    /// <summary>No prepared signature waits.</summary>
    public static readonly Refusal NotPrepared = new("not-prepared", 409,
        "没有等待签名的数据：可能尚未准备、已经过期或已经完成，请重新准备。", "No prepared signature waits: none was made, or it has expired or was completed. Prepare again.");

    /// <summary>A signature of this kind is complete or on its way.</summary>
    public static readonly Refusal AlreadySigned = new("already-signed", 409,
        "此项签名已经完成或正在完成，不重复受理；请用首次请求的 Idempotency-Key 查询结果。",
        "This signature is complete or on its way, and no second one is accepted; ask with the Idempotency-Key of the first request.");

    /// <summary>Another request completed it meanwhile.</summary>
    public static readonly Refusal AlreadyCompleted = new("already-completed", 409,
        "此项签名已由另一请求完成，请查看处方的当前状态。", "This signature was completed by another request; look at the prescription.");

    /// <summary>The value given does not verify.</summary>
    public static readonly Refusal SignatureMismatch = new("signature-mismatch", 409,
        "签名值与所准备的数据或证书不符，未签名；请对返回的 toBeSigned 全部字节重新签名。",
        "The signature is not over the prepared bytes by the prepared key; nothing is signed. Sign all bytes of toBeSigned.");

    /// <summary>No time-stamp.</summary>
    public static readonly Refusal TimeNotAvailable = new("time-not-available", 503,
        "暂时无法加盖时间戳，请用同一 Idempotency-Key 重试。", "No time-stamp can be given now; try again with the same Idempotency-Key.");

    /// <summary>The event is on its way; no receipt in time.</summary>
    public static readonly Refusal LedgerUnconfirmed = new("ledger-unconfirmed", 503,
        "审计账本尚未确认此操作，请用同一 Idempotency-Key 再次查询。", "The audit ledger has not confirmed the act yet; ask again with the same Idempotency-Key.");

    /// <summary>The token of seals does not answer.</summary>
    public static readonly Refusal TokenAway = new("token-away", 503,
        "保管印章密钥的密码设备没有应答，稍后自动重试。", "The token that holds the seal's key does not answer; it is tried again by itself.");

    /// <summary>The prescription is in a state that knows no such step.</summary>
    public static readonly Refusal WrongState = new("wrong-state", 409,
        "处方当前状态为 {state}，不能进行此操作，请先查看处方。", "The prescription is {state}, which does not allow this; look at it first.");

    /// <summary>Validity is over.</summary>
    public static readonly Refusal Expired = new("expired", 409,
        "处方已超过有效期，需要时请医师重新开具。", "The prescription's validity is over; have a new one written if it is needed.");

    /// <summary>The author or the institution withdrew it.</summary>
    public static readonly Refusal Voided = new("voided", 409,
        "处方已被医师或其机构撤回，需要时请医师重新开具。", "The prescription was withdrawn; have a new one written if it is needed.");

    /// <summary>A pharmacy was first.</summary>
    public static readonly Refusal AlreadyClaimed = new("already-claimed", 409,
        "该处方已由一家药房接方或已调剂，不能再次接方。", "A pharmacy holds this prescription, or has dispensed it; it is not claimed twice.");

    /// <summary>Dispensed.</summary>
    public static readonly Refusal AlreadyDispensed = new("already-dispensed", 409,
        "该处方已调剂，不能再次调剂或撤回；需要更正时请另作补充记录。", "This prescription was dispensed: it is neither dispensed twice nor withdrawn; write an addendum.");

    /// <summary>Author and reviewer are one.</summary>
    public static readonly Refusal OwnPrescription = new("own-prescription", 403,
        "开方人不得审核自己的处方，请由另一位药师审方。", "The one who prescribes does not review; let another person do so.");

    /// <summary>A decision other than approve.</summary>
    public static readonly Refusal Decision = new("decision", 422,
        "审方签名只接受 approve；不通过时请写明理由退回处方。", "Only approve is signed; return the prescription with a reason instead.");

    /// <summary>No reason, or too long a one.</summary>
    public static readonly Refusal Reason = new("reason", 422,
        "请填写退回理由，不超过 500 个字符。", "Give a reason of at most 500 characters.");

    /// <summary>The token names no institution.</summary>
    public static readonly Refusal NoInstitution = new("no-institution", 403,
        "访问令牌没有写明机构，请以药房的身份接方。", "The access token names no institution; claim for a pharmacy.");

    /// <summary>Nobody dispenses.</summary>
    public static readonly Refusal DispenserRequired = new("dispenser-required", 422,
        "请写明调剂人员（dispenser），并以药房的身份提交。", "Name the person who dispenses, and act for a pharmacy.");

    /// <summary>A person names another as dispenser.</summary>
    public static readonly Refusal OtherDispenser = new("other-dispenser", 403,
        "您已以本人身份登录，调剂人员只能是您本人；请由实际调剂人员登录提交。", "You are logged in yourself, so you are the one who dispenses; let the one who does log in.");

    /// <summary>A person's certificate that cannot be read.</summary>
    public static readonly Refusal MalformedCertificate = new("malformed-certificate", 400,
        "证书不是 DER 编码的 X.509 第 3 版证书，请提交卡内签名证书的原始内容。", "The certificate is not DER X.509 version 3; send the card's signature certificate as it is.");

    /// <summary>An authentication key.</summary>
    public static readonly Refusal WrongKeyUsage = new("wrong-key-usage", 403,
        "该密钥用于身份认证，不能签名；请使用卡内的签名密钥。", "This key is for authentication; sign with the signature key of the card.");

    /// <summary>Another person's certificate.</summary>
    public static readonly Refusal NotYourCertificate = new("not-your-certificate", 403,
        "证书不属于当前登录的人员，请使用本人的证书卡。", "The certificate belongs to another person than the one logged in; use your own card.");

    /// <summary>A key of another kind than P-256.</summary>
    public static readonly Refusal UnsupportedKey = new("unsupported-key", 422,
        "处方签名目前只接受 P-256 密钥，请使用相应的签名证书。", "Prescriptions are signed with P-256 keys here; use a certificate for one.");

    /// <summary>Outside its validity.</summary>
    public static readonly Refusal CertificateExpired = new("certificate-expired", 403,
        "证书不在有效期内，请换用有效证书或申请新证书。", "The certificate is outside its validity; use a valid one or apply for a new one.");

    /// <summary>No path to our roots.</summary>
    public static readonly Refusal CertificateUntrusted = new("certificate-untrusted", 403,
        "证书不是本系统签发的，请使用本系统签发的签名证书。", "The certificate was not issued under this system's roots; use one that was.");

    /// <summary>Too many signatures or bytes to judge.</summary>
    public static readonly Refusal TooMuch = new("too-much", 422,
        "请提交 1 至 {signatures} 个签名和 1 至 {bytes} 字节的原文。", "Send 1 to {signatures} signatures and a payload of 1 to {bytes} bytes.");
}
