using Trust.Kernel.Hosting;

namespace Trust.CA;

/// <summary>Every rule by which the CA refuses, with what to do next.</summary>
[RefusalCatalogue("ca")]
public static class CaRefusals
{
    // Officers.

    /// <summary>The card is no good officer's authentication card.</summary>
    public static readonly Refusal NotAnOfficer = new("not-an-officer", 403,
        "此证书卡不是有效的注册审批员认证卡，请插入本人的认证卡后重试。",
        "This card is not a valid officer's authentication card; insert your own and call again.");

    /// <summary>Asked for, or held, by the same person.</summary>
    public static readonly Refusal OwnRequest = new("own-request", 403,
        "证书的申请人和持有人都不能审批该申请，请由其他注册审批员审批。",
        "Who asked for a certificate, or will hold it, does not approve it; another officer must.");

    /// <summary>The wish to reinstate is one's own.</summary>
    public static readonly Refusal OwnReinstatement = new("own-request", 403,
        "恢复执业须由另一名注册审批员确认，提出人不能自行确认。",
        "Another officer must confirm what you asked for.");

    /// <summary>A second approval of one person.</summary>
    public static readonly Refusal SamePerson = new("same-person", 403,
        "您已用另一张证书审批过此申请；须由两名不同的注册审批员审批。",
        "You approved this request before, under another certificate: two people must approve.");

    // Registry.

    /// <summary>An import in JSON that is no strict JSON.</summary>
    public static readonly Refusal ImportNotJson = new("malformed-import", 400,
        "导入内容不是规范的 JSON（第 {offset} 字节）：请检查格式、有无重复的成员或多余的内容。",
        "The import is not strict JSON at byte {offset}: check its form, members that occur twice, and anything after its end.");

    /// <summary>An import in JSON whose members are not those of the rows.</summary>
    public static readonly Refusal ImportMembers = new("malformed-import", 400,
        "导入内容在 {member} 处缺少必填成员，或有未知成员、类型不符的成员：请对照接口说明修正。",
        "At {member} a member of the import is missing, unknown or of the wrong kind: compare it with the document of this endpoint.");

    /// <summary>CSV without lines.</summary>
    public static readonly Refusal CsvEmpty = new("malformed-import", 400, "CSV 文件为空：请至少提供表头行。", "The file is empty: send at least the header line.");

    /// <summary>CSV that is no UTF-8.</summary>
    public static readonly Refusal CsvNotUtf8 = new("malformed-import", 400,
        "CSV 文件不是 UTF-8 编码：请另存为 UTF-8 后重试。", "The file is not UTF-8: save it as UTF-8 and send it again.");

    /// <summary>CSV without the kind of its rows.</summary>
    public static readonly Refusal CsvKind = new("malformed-import", 400,
        "请用参数 kind 说明 CSV 的行类型：institutions（机构）、practitioners（人员）、affiliations（执业地点）或 filings（备案）。",
        "Say which kind of rows: ?kind=institutions, practitioners, affiliations or filings.");

    /// <summary>A column of CSV that its kind does not have, or that is there twice.</summary>
    public static readonly Refusal CsvColumn = new("malformed-import", 400,
        "表头第 {column} 列的名称未知或重复：此类行的列只有 {columns}（区分大小写）。",
        "Column {column} of the header is unknown or there twice: rows of this kind have {columns}, in exactly this spelling.");

    /// <summary>A column of CSV that every row needs.</summary>
    public static readonly Refusal CsvColumnMissing = new("malformed-import", 400,
        "表头缺少 {member} 列：请补上后重试。", "The header has no column {member}: add it and send the file again.");

    /// <summary>CSV whose lines end in CR alone.</summary>
    public static readonly Refusal CsvLineEnds = new("malformed-import", 400,
        "CSV 文件的换行符有误：请用 CR LF 或 LF 换行，不要单独用 CR。", "Lines of the file end in CR alone: end them in CR LF or LF.");

    /// <summary>Quotation marks of CSV that RFC 4180 does not allow.</summary>
    public static readonly Refusal CsvQuotes = new("malformed-import", 400,
        "第 {line} 行的引号有误：引号须包住整个字段，字段内的引号须写两个。",
        "Line {line}: quotation marks enclose a whole field, and one inside a field is written twice.");

    /// <summary>A field of CSV beyond the limit.</summary>
    public static readonly Refusal CsvFieldTooLong = new("malformed-import", 400,
        "第 {line} 行有字段过长：每个字段最多 4096 个字符。", "A field of line {line} is too long: at most 4096 characters each.");

    /// <summary>A quoted field of CSV that does not end.</summary>
    public static readonly Refusal CsvOpenQuote = new("malformed-import", 400,
        "CSV 文件中有引号没有闭合：请补上右引号。", "A quoted field is not closed: add the closing quotation mark.");

    /// <summary>Tags or blinded elements of another form, twice, none or too many.</summary>
    public static readonly Refusal MalformedTags = new("malformed-tags", 400,
        "须提交 1 至 {most} 个互不相同、格式正确的元素（压缩点 33 字节或标签 32 字节，base64）。",
        "1 to {most} distinct elements of their form are needed (compressed points of 33 bytes, or tags of 32, base64).");

    /// <summary>The registrar still tags the people that it entered before.</summary>
    public static readonly Refusal PersonsNotTagged = new("persons-not-tagged", 503,
        "本地区已登记人员的标签尚未生成完毕，此时给出标识可能造成一人两号。请稍后重试。",
        "The people entered here before are not all tagged yet, and someone could get a second identifier. Try again shortly.");

    /// <summary>Another region's ca gives new people their identifiers, and does not answer.</summary>
    public static readonly Refusal RegistrarAway = new("registrar-away", 503,
        "负责分配人员标识的地区登记机构未应答，导入中的新人员现在无法登记；导入未确认，请稍后重试。",
        "The region that gives new people their identifiers does not answer, so they cannot be entered now. Nothing was confirmed: try again shortly.");

    /// <summary>More rows than one import takes.</summary>
    public static readonly Refusal TooManyRows = new("too-many-rows", 413,
        "一次最多导入 {most} 行：请分批提交。", "At most {most} rows at once: send them in parts.");

    /// <summary>A list of imports asked for by a state that there is not.</summary>
    public static readonly Refusal MalformedImportState = new("malformed-state", 400,
        "参数 state 须为 proposed（待确认）、applied（已生效）、withdrawn（已撤回）或 expired（已过期）。",
        "state is one of proposed, applied, withdrawn and expired.");

    /// <summary>A search that names nothing, more than one thing, or what nobody can have.</summary>
    public static readonly Refusal MalformedSearch = new("malformed-search", 400,
        "请只按一项查找：licenceNumber，或登记的全名 name，或证件类型 identityType 和号码 identityNumber，且须符合各自的格式。",
        "Search by one thing: licenceNumber, the whole registered name, or identityType with identityNumber, each in its form.");

    /// <summary>No import waits or waited under that identifier.</summary>
    public static readonly Refusal UnknownImport = new("unknown-import", 404,
        "没有此标识的待确认导入，请核对标识。", "No import waits, or waited, under this identifier; check it.");

    /// <summary>The import is one's own.</summary>
    public static readonly Refusal OwnImport = new("own-request", 403,
        "扩大权限的导入须由另一名注册审批员确认，提交人不能自行确认。", "Another officer must confirm the rows that you sent.");

    /// <summary>Confirmed over other rows than those that wait.</summary>
    public static readonly Refusal ImportMismatch = new("import-mismatch", 409,
        "确认的摘要与待确认的各行不符：请重新查看导入内容，并提交其中的 sha256。",
        "The hash is not that of the rows which wait: look at the import again and send the sha256 it shows.");

    /// <summary>The import waits no more.</summary>
    public static readonly Refusal ImportClosed = new("import-closed", 409,
        "该导入已不在待确认状态（{state}）：如仍需要，请重新提交各行。", "The import is {state} and waits no more: send its rows again if they are still wanted.");

    /// <summary>The first officer's voice does not count any more.</summary>
    public static readonly Refusal ProposerLeft = new("proposer-left", 409,
        "提交人已不是在任注册审批员，或其提交时所用的证书已失效：请重新提交各行。",
        "Who sent the rows is no officer any more, or the card that sent them is not good any more: send the rows again.");

    /// <summary>A practitioner's wished state cannot be read.</summary>
    public static readonly Refusal MalformedPractitionerState = new("malformed-state", 400,
        "状态须为 suspended（暂停）、active（恢复）、revoked（吊销）、deregistered（注销）或 blacklisted（列入黑名单）；"
        + "原因为 1 至 60 个字符，原因和依据各不超过 256 字节，不含引号、反斜杠、控制字符和居民身份证号码。",
        "Name a state (suspended, active, revoked, deregistered, blacklisted) and a reason of 1 to 60 characters; reason and basis are at most "
        + "256 bytes, without quotation marks, backslashes, control characters and identity numbers.");

    /// <summary>An institution's wished state cannot be read.</summary>
    public static readonly Refusal MalformedInstitutionState = new("malformed-state", 400,
        "机构状态只能改为 closed（关闭）；原因为 1 至 60 个字符，原因和依据各不超过 256 字节，不含引号、反斜杠、控制字符和居民身份证号码。",
        "The state can only become closed, with a reason of 1 to 60 characters; reason and basis are at most 256 bytes, without quotation marks, "
        + "backslashes, control characters and identity numbers.");

    /// <summary>No practitioner of that identifier.</summary>
    public static readonly Refusal UnknownPerson = new("unknown-person", 404,
        "没有此标识的执业人员，请核对标识。", "No practitioner has this identifier; check it.");

    /// <summary>No institution of that identifier.</summary>
    public static readonly Refusal UnknownInstitution = new("unknown-institution", 404,
        "没有此标识的机构，请核对标识。", "No institution has this identifier; check it.");

    /// <summary>Revoked or deregistered licences do not come back (医师法 16).</summary>
    public static readonly Refusal LicenceEnded = new("final-state", 409,
        "该执业注册已被吊销或注销（{state}），不能再变更；须重新申请执业注册。",
        "The licence is {state}; only a new registration follows.");

    /// <summary>No wish waits under that identifier.</summary>
    public static readonly Refusal UnknownReinstatement = new("unknown-reinstatement", 404,
        "没有待确认的恢复申请，可能已被确认；请查看该人员的当前状态。",
        "Nothing waits for confirmation under this identifier; it may have been confirmed. Look at the practitioner's state.");

    /// <summary>The state that the wish was to end is not the state any more.</summary>
    public static readonly Refusal ReinstatementSuperseded = new("reinstatement-superseded", 409,
        "提出恢复申请之后，该人员的状态已变更（现为 {state}）：原申请失效，请核对现状后重新提出。",
        "The practitioner's state changed after the wish (it is {state} now), which has lapsed: look at the state and ask anew.");

    /// <summary>The wish waited longer than a week.</summary>
    public static readonly Refusal ReinstatementExpired = new("reinstatement-expired", 409,
        "恢复申请已超过 7 日未确认而失效，请重新提出。", "The wish waited for more than 7 days and has lapsed: ask anew.");

    /// <summary>The officer who asked is none any more, or the card is not good.</summary>
    public static readonly Refusal AskingOfficerGone = new("asking-officer-gone", 409,
        "提出申请的注册审批员已不在任或其证书已失效，原申请失效，请重新提出。",
        "The officer who asked is no officer any more, or the card used is not good: ask anew.");

    // Certificates.

    /// <summary>A key cannot be thought lost in the future.</summary>
    public static readonly Refusal InvalidityDateInFuture = new("invalidity-date", 400,
        "失效日期（invalidityDate）不得晚于现在。", "invalidityDate, when the key is thought to have been lost, cannot be in the future.");

    /// <summary>No certificate of that hash.</summary>
    public static readonly Refusal UnknownCertificate = new("unknown-certificate", 404,
        "没有此 SHA-256 指纹的证书，请核对指纹。", "No certificate has this SHA-256; check it.");

    /// <summary>No practitioner holds it.</summary>
    public static readonly Refusal UnknownHolder = new("unknown-certificate", 404,
        "没有执业人员持有此 SHA-256 指纹的证书。", "No practitioner holds a certificate with this SHA-256.");

    /// <summary>No active officer holds such a certificate, or it is not good now.</summary>
    public static readonly Refusal UnknownOfficer = new("unknown-officer", 404,
        "没有在任管理员持有此 SHA-256 指纹的有效证书。", "No active officer holds a good certificate with this SHA-256.");

    /// <summary>Not a reason of the closed list, or no text that an event can carry.</summary>
    public static readonly Refusal UnknownReason = new("unknown-reason", 400,
        "吊销原因须为 unspecified、keyCompromise（私钥泄露）、affiliationChanged（执业机构变更）、superseded（被替换）、cessationOfOperation（停止使用）"
        + "或 privilegeWithdrawn（资格撤销）；挂起和恢复的原因为 1 至 60 个字符，不含引号、反斜杠和控制字符。",
        "Name a reason: unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation or privilegeWithdrawn; for hold and "
        + "resume 1 to 60 characters without quotation marks, backslashes and control characters.");

    /// <summary>The holder's or the institution's standing demands the hold.</summary>
    public static readonly Refusal HeldByRegistry = new("held-by-registry", 409,
        "持有人的执业状态、执业注册或其机构的状态要求挂起该证书：请先恢复这些状态。",
        "The standing of the holder or of the institution demands the hold: mend that first.");

    /// <summary>No way from one state to the other.</summary>
    public static readonly Refusal CertificateStateFinal = new("final-state", 409,
        "证书当前状态为 {state}，不能变更为 {wished}。", "A certificate that is {state} cannot become {wished}.");

    // Enrolment.

    /// <summary>No profile of that name is given on request.</summary>
    public static readonly Refusal UnknownProfile = new("unknown-profile", 400,
        "没有可申请的此名称证书模板，请核对模板名称。", "No profile of that name can be requested; check the name.");

    /// <summary>The identity proof is incomplete.</summary>
    public static readonly Refusal IdentityProof = new("identity-proof", 422,
        "身份核验信息不完整：须有核验方式、核验人和 64 位十六进制的证据摘要。",
        "The identity proof needs a method, who performed it, and 64 hex digits of evidence hash.");

    /// <summary>The identity proof is too old, or in the future.</summary>
    public static readonly Refusal IdentityProofTooOld = new("identity-proof-too-old", 422,
        "身份核验须在申请前 30 日内完成：请重新核验持有人身份。",
        "The identity proof must be of the last 30 days: identify the holder again.");

    /// <summary>What carries the key is not named.</summary>
    public static readonly Refusal Carrier = new("carrier", 422,
        "请填写密钥载体的型号和序列号，各 1 至 100 个字符。", "Name model and serial number of what carries the key, 1 to 100 characters each.");

    /// <summary>No PKCS#10 (RFC 2986).</summary>
    public static readonly Refusal MalformedPkcs10 = new("malformed-request", 422,
        "证书请求不是规范的 PKCS#10（DER）：请用密钥载体重新生成。", "The request is not a well-formed PKCS#10 (DER): make it anew with what carries the key.");

    /// <summary>The key's kind is not one of the profile's.</summary>
    public static readonly Refusal KeyNotOfProfile = new("key-not-of-profile", 422,
        "证书模板不接受这种密钥，请按模板要求的算法生成新密钥。", "The profile does not accept this kind of key: generate one of the kind it names.");

    /// <summary>The request's own signature does not verify.</summary>
    public static readonly Refusal BadPossessionProof = new("bad-possession-proof", 422,
        "证书请求的签名未能证明持有私钥，请用密钥载体重新生成请求。",
        "The request's signature does not prove possession of the key: make it anew with what carries the key.");

    /// <summary>A key too short or of a known weakness.</summary>
    public static readonly Refusal WeakKey = new("weak-key", 422, "密钥强度不足或存在已知弱点，请生成新密钥。", "The key is too weak: generate a new one.");

    /// <summary>A key of an algorithm that is not known here.</summary>
    public static readonly Refusal UnsupportedKey = new("unsupported-key", 422,
        "不支持这种密钥算法，请使用 P-256、SM2 或模板允许的 RSA。", "This kind of key is not supported: use P-256, SM2, or RSA where the profile allows it.");

    /// <summary>A key that was asked for or certified before.</summary>
    public static readonly Refusal ReusedKey = new("reused-key", 422,
        "此密钥以前申请过证书，请生成新密钥。", "This key was used before: generate a new one.");

    /// <summary>The request names someone else than the registry.</summary>
    public static readonly Refusal SubjectMismatch = new("subject-mismatch", 422,
        "证书请求的主题与登记的持有人不符：CN 须为登记的姓名或名称。",
        "The PKCS#10's subject is not the holder as registered: its CN must be the registered name.");

    /// <summary>The holder is of another kind than the profile's.</summary>
    public static readonly Refusal HolderDoesNotFitProfile = new("holder-does-not-fit-profile", 422,
        "该持有人或机构不适用此证书模板，请选择相应的模板。", "The profile is not for such a holder or institution: choose the one that is.");

    /// <summary>The holder is no registered practitioner.</summary>
    public static readonly Refusal HolderUnknownPerson = UnknownPerson with { Status = 422 };

    /// <summary>The holder is no registered institution.</summary>
    public static readonly Refusal HolderUnknownInstitution = UnknownInstitution with { Status = 422 };

    /// <summary>A registered name is longer than a certificate can carry (RFC 5280 A.1, ub-common-name and ub-organization-name).</summary>
    public static readonly Refusal HolderNameTooLong = new("holder-name-too-long", 422,
        "登记的姓名或机构名称超过证书可容纳的 {most} 个字符：请先通过导入更正名称。",
        "A registered name has more than the {most} characters that a certificate carries: correct the name by an import first.");

    /// <summary>The holder is no officer at work.</summary>
    public static readonly Refusal HolderUnknownOfficer = new("unknown-officer", 422,
        "没有此标识的在任注册审批员。", "No officer at work has this identifier.");

    /// <summary>The holder is none of the services.</summary>
    public static readonly Refusal HolderUnknownService = new("unknown-service", 422, "没有此名称的服务。", "There is no service of this name.");

    /// <summary>The holder's licence does not begin yet.</summary>
    public static readonly Refusal HolderPending = new("pending", 422,
        "持有人的执业注册尚未生效，生效后再申请。", "The holder's licence is not in force yet: ask again when it is.");

    /// <summary>The holder is suspended.</summary>
    public static readonly Refusal HolderSuspended = new("suspended", 422,
        "持有人已被暂停执业，恢复后再申请。", "The holder is suspended: ask again after the reinstatement.");

    /// <summary>The holder's licence is revoked.</summary>
    public static readonly Refusal HolderRevoked = new("revoked", 422,
        "持有人的执业证书已被吊销，不能申请证书。", "The holder's licence is revoked: there is no certificate for it.");

    /// <summary>The holder's registration is cancelled.</summary>
    public static readonly Refusal HolderDeregistered = new("deregistered", 422,
        "持有人的执业注册已注销，不能申请证书。", "The holder's registration is cancelled: there is no certificate for it.");

    /// <summary>The holder is on the blacklist.</summary>
    public static readonly Refusal HolderBlacklisted = new("blacklisted", 422,
        "持有人已被列入黑名单，不能申请证书。", "The holder is blacklisted: there is no certificate before that is lifted.");

    /// <summary>The holder does not practise at that institution.</summary>
    public static readonly Refusal NoAffiliation = new("no-affiliation", 422,
        "持有人在该机构没有有效的执业注册或备案，请先登记。", "The holder has no affiliation to that institution: register it first.");

    /// <summary>The institution is closed.</summary>
    public static readonly Refusal InstitutionClosed = new("institution-closed", 422,
        "该机构已关闭，不能为其申请证书。", "The institution is closed: there is no certificate under it.");

    /// <summary>No request of that identifier.</summary>
    public static readonly Refusal UnknownRequest = new("unknown-request", 404,
        "没有此标识的证书申请，请核对标识。", "No request has this identifier; check it.");

    /// <summary>The request waited longer than a week.</summary>
    public static readonly Refusal RequestExpired = new("request-expired", 409,
        "证书申请已超过 7 日而失效，请重新核验身份并重新申请。", "The request waited for more than 7 days and has lapsed: identify the holder and ask anew.");

    /// <summary>Not a state of requests.</summary>
    public static readonly Refusal UnknownRequestState = new("unknown-state", 400,
        "参数 state 须为 pending（待审批）、issuing（签发中）、issued（已签发）或 refused（已拒绝）。",
        "state must be pending, issuing, issued or refused.");

    /// <summary>Approvals that counted once count no more.</summary>
    public static readonly Refusal ApprovalsLapsed = new("approvals-lapsed", 422,
        "审批人已不在任或其证书已失效，审批不足两人，申请已终止；请重新申请。",
        "Officers who approved are none any more or their cards are not good, so fewer than two approvals count and the request is ended: make a new one.");

    /// <summary>The approval cannot be read.</summary>
    public static readonly Refusal MalformedApproval = new("malformed-approval", 422,
        "请以 base64 提交签名（r‖s，64 字节）和签名证书（DER）。",
        "Send the signature (r‖s, 64 bytes) and the signature certificate (DER), both base64.");

    /// <summary>The signature certificate is not the officer's own.</summary>
    public static readonly Refusal NotYourSignatureCertificate = new("not-your-signature-certificate", 422,
        "该证书不是当前登录的注册审批员本人有效的签名证书。",
        "The certificate is not a good officer's signature certificate of the card's holder.");

    /// <summary>The signature is over other bytes.</summary>
    public static readonly Refusal ApprovalMismatch = new("approval-mismatch", 422,
        "签名不是对此申请的审批内容所作，请对返回的审批内容重新签名。",
        "The signature is not over this request's approval bytes: sign those that the request's answer gave.");

    /// <summary>The registry says something else of the holder than at the request.</summary>
    public static readonly Refusal RegistryChanged = new("registry-changed", 422,
        "申请之后登记信息已变更，请重新申请。", "The registry has changed since the request: make a new one.");

    /// <summary>The profile is another than at the request.</summary>
    public static readonly Refusal ProfileChanged = new("profile-changed", 422,
        "申请之后证书模板已变更，请重新申请。", "The profile has changed since the request: make a new one.");

    /// <summary>The certificate to be signed breaks a rule.</summary>
    public static readonly Refusal BreaksLint = new("lint", 422,
        "待签发的证书不符合签发规则，申请已终止；请核对登记的名称后重新申请。",
        "The certificate as planned breaks a rule of issuance and the request is ended; check the registered names and make a new one.");

    /// <summary>The ceremony has not made that CA.</summary>
    public static readonly Refusal NoSuchIssuer = new("no-such-issuer", 503,
        "尚未举行密钥仪式，没有相应的签发机构；请通知运维人员。", "The ceremony has not been held, so there is no such issuer; tell the operator.");

    /// <summary>A service asks for names that are not its own.</summary>
    public static readonly Refusal NameNotYours = new("name-not-yours", 403,
        "续期只能申请该服务自己的名称，且不得超出当前证书中的地址。",
        "A renewal asks for exactly the service's own name, and no address beyond the current certificate's.");

    /// <summary>A service certificate that does not stand any more asks for its successor.</summary>
    public static readonly Refusal RevokedRenewsNothing = new("revoked-renews-nothing", 403,
        "当前服务证书已吊销、被冻结或没有登记，不能用于续期；请通知运维人员通过仪式为新密钥签发证书。",
        "The current service certificate is revoked, on hold or not on record, so it renews nothing; tell the operator, who has a new key certified by the ceremony.");

    // Services and the public.

    /// <summary>Asked by a token about someone else, by one who is no regulator.</summary>
    public static readonly Refusal NotYourRecord = new("not-your-record", 403,
        "凭访问令牌只能查询本人；监管机构可查询其辖区。", "By an access token one asks about oneself; regulators ask about their region.");

    /// <summary>A regulator asks about someone of elsewhere, or of nowhere.</summary>
    public static readonly Refusal OutsideYourRegion = new("outside-your-region", 403,
        "所查对象未登记在贵单位辖区内，请向其所在辖区的监管机构查询。", "Nobody and nothing of that identifier is registered in your region; ask the regulator of theirs.");

    /// <summary>An entitlement question that cannot be read.</summary>
    public static readonly Refusal MalformedQuestion = new("malformed-question", 400,
        "请给出 act，以 URN 给出 person 和 institution，以 SHA-256 十六进制给出 certificate；时刻 at 和 known 须带时区（如 2026-01-31T08:00:00+08:00）或为日期，且不得晚于现在。",
        "Ask with act, person and institution as URNs, certificate as SHA-256 hex, and instants at and known with an offset "
        + "(2026-01-31T08:00:00+08:00) or as dates, neither in the future.");

    /// <summary>A position of the feed that is no number.</summary>
    public static readonly Refusal MalformedPosition = new("malformed-position", 400,
        "参数 after 须为上次收到的序号（非负整数）。", "after must be the last number heard, 0 or more.");

    /// <summary>No list or CA certificate of that name.</summary>
    public static readonly Refusal NoSuchList = new("no-such-list", 404,
        "没有此名称的吊销列表或签发机构证书。", "There is no revocation list or CA certificate of this name.");

    /// <summary>A residency declaration that could not come into force.</summary>
    public static readonly Refusal DeclarationRefused = new("declaration-refused", 422,
        "数据驻留声明不能接受（{fault}），请更正后重新签名提交。", "The residency declaration cannot be taken ({fault}): correct it, have it signed anew and send it again.");

    /// <summary>No declaration.</summary>
    public static readonly Refusal UnknownDeclaration = new("unknown-declaration", 404,
        "没有这份数据驻留声明。", "There is no such residency declaration.");

    /// <summary>A declaration that can no longer be signed.</summary>
    public static readonly Refusal DeclarationClosed = new("declaration-closed", 409,
        "该声明已生效、已过期，提出人已不在任，或已有更新的版本；请查看列表并重新提出。",
        "The declaration is in force, has lapsed, its proposer is no officer any more, or a newer one came into force: look at the list and propose anew.");

    /// <summary>What a practitioner's state refuses; null for one that refuses nothing.</summary>
    public static Refusal? OfState(string state) => state switch
    {
        "active" => null,
        "suspended" => HolderSuspended,
        "revoked" => HolderRevoked,
        "deregistered" => HolderDeregistered,
        "blacklisted" => HolderBlacklisted,
        _ => HolderPending,
    };
}
