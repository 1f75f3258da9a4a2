using System.Collections.Frozen;

namespace Trust.Idp.Pages;

/// <summary>What people read, Chinese first; English beside it, key by key.</summary>
public static class Texts
{
    private static readonly (string Key, string Zh, string En)[] Pairs =
    [
        ("product", "可信医学数字身份", "Trusted Medical Identity"),
        ("tagline", "一张证书，一个身份，每一步都可查证", "One card, one identity, every act provable"),
        ("login.title", "登录", "Sign in"),
        ("login.lead", "您将登录到", "You are signing in to"),
        ("login.step1", "插入您的数字证书 USB Key。", "Insert your certificate USB key."),
        ("login.step2", "点击下方按钮，在弹出的窗口中选择您的“认证”证书。", "Press the button and choose your authentication certificate."),
        ("login.step3", "输入 PIN 码。PIN 码只在您的 USB Key 中验证，不会发送给我们。", "Enter your PIN. It is checked inside the key and never sent to us."),
        ("login.button", "使用 USB Key 登录", "Sign in with USB key"),
        ("login.retry", "重新尝试", "Try again"),
        ("login.lost", "证书遗失或 PIN 码被锁？请立即联系本机构注册审批员暂停证书。", "Key lost or PIN locked? Ask your institution's registration officer to suspend it at once."),
        ("client.home", "应用主页", "Application's home page"),
        ("client.logo", "应用标识", "Application's logo"),
        ("client.policy", "隐私政策", "Privacy policy"),
        ("client.terms", "服务条款", "Terms of service"),
        ("consent.title", "确认身份与授权", "Confirm identity and access"),
        ("consent.hello", "您好，", "Hello, "),
        ("consent.institution", "本次以哪家机构的名义执业？", "Which institution do you act for?"),
        ("consent.institution.hint", "不预先选定：以哪家机构的名义执业由您决定，本次登录期间记住您的选择。", "Nothing is chosen for you: whom you act for is your decision, and is remembered for this sign-in."),
        ("consent.acting", "您将以下列机构的名义执业：", "You will act for:"),
        ("consent.withheld", "根据您目前的登记状态，下列权限此刻不会授予：", "As you are registered now, these will not be granted:"),
        ("consent.acknowledged", "您已确认过", "acknowledged before"),
        ("consent.continue", "继续", "Continue"),
        ("consent.scopes", "该应用将可以：", "The application will be able to:"),
        ("consent.notice", "告知书", "Notice"),
        ("consent.accept", "我已阅读并同意，继续", "I have read this and agree"),
        ("consent.deny", "取消", "Cancel"),
        ("notice", "本平台核验您的执业注册、多机构备案与数字证书状态，并将登录、授权及后续每一次签名记入不可篡改的审计账本，供您本人、执业机构与卫生健康监管部门依法查证。资格被暂停或证书被吊销时，登录与签名将在数秒内失效。审计账本不记录患者的诊疗内容和身份证号码。",
            "We check your licence, filings and certificate, and record this sign-in, this consent and every later signature in a tamper-evident ledger which you, your institution and the health regulator may verify under the law. When a licence is suspended or a certificate revoked, sign-in and signing stop within seconds. The ledger holds no clinical content and no identity numbers."),
        ("scope.openid", "确认您的身份标识", "confirm who you are"),
        ("scope.profile", "读取您的姓名与执业角色", "read your name and professional role"),
        ("scope.rx.sign", "请您为电子处方签名（每次签名都需您的 USB Key 与 PIN）", "ask you to sign prescriptions (each signature needs your key and PIN)"),
        ("scope.rx.review", "请您审核电子处方", "ask you to review prescriptions"),
        ("scope.rx.read", "读取您经手的处方状态", "read the state of prescriptions you handled"),
        ("scope.rx.void", "作废您签署的电子处方", "void prescriptions you signed"),
        ("scope.registry.read", "查询您本人的执业资格在某一时刻的登记结果", "ask the registry what you were entitled to at an instant"),
        ("affiliation.main", "主要执业机构", "main institution"),
        ("affiliation.multi-site", "多机构备案", "multi-site filing"),
        ("affiliation.additional", "增加注册", "additional registration"),
        ("role.physician", "执业医师", "physician"),
        ("role.assistant-physician", "执业助理医师", "assistant physician"),
        ("role.pharmacist", "药师", "pharmacist"),
        ("role.retail-pharmacist", "执业药师", "retail pharmacist"),
        ("role.nurse", "护士", "nurse"),
        ("error.title", "无法继续", "We cannot go on"),
        ("signedout.title", "您已退出登录", "You are signed out"),
        ("signedout.lead", "请拔出 USB Key 后再离开。", "Remove your USB key before you leave."),
        ("signout.title", "退出登录？", "Sign out?"),
        ("signout.button", "退出", "Sign out"),
        ("signout.who", "当前登录：", "Signed in:"),
        ("signout.everywhere", "在所有设备上退出", "Sign out everywhere"),
        ("signout.everywhere.hint", "“在所有设备上退出”会结束您在每台电脑上的登录，各业务系统也会收到通知。忘记在别处退出时请使用。", "Signing out everywhere ends your sessions on every computer and tells each application. Use it when you left one open elsewhere."),
        ("signedout.goon", "返回应用", "Back to the application"),
        ("signedout.frame", "正在通知业务系统", "Telling an application"),
        ("footer", "登录记录进入审计账本 · 私钥不离开 USB Key", "Sign-ins are recorded in the audit ledger · private keys never leave the USB key"),
        ("language", "English", "中文"),
        ("refused.no-card", "没有检测到证书。请插入 USB Key 后重试；如刚刚取消了选择，请再点一次按钮。", "No certificate was shown. Insert your key and try again; if you cancelled the choice, press the button once more."),
        ("refused.certificate-foreign", "这张证书不是由本平台信任的机构签发的。请换用医师数字证书 USB Key。", "This certificate was not issued under a trusted authority. Use your practitioner USB key."),
        ("refused.certificate-malformed", "这张证书无法读取。请联系注册审批员。", "This certificate cannot be read. Ask your registration officer."),
        ("refused.certificate-unknown", "登记库中没有这张证书。请联系本机构注册审批员。", "The registry does not know this certificate. Ask your registration officer."),
        ("refused.certificate-expired", "证书已过期。请联系本机构注册审批员换发。", "The certificate has expired. Ask your registration officer for a new one."),
        ("refused.certificate-revoked", "证书已被吊销，不能再用于登录。如有疑问，请联系本机构注册审批员。", "The certificate has been revoked and no longer signs you in. Ask your registration officer."),
        ("refused.certificate-held", "证书已被暂停使用。请联系本机构注册审批员。", "The certificate is on hold. Ask your registration officer."),
        ("refused.wrong-key-usage", "您选择的是“签名”证书。请重新打开浏览器，选择“认证”证书登录。", "You chose the signature certificate. Reopen the browser and choose the authentication certificate."),
        ("refused.suspended", "您的执业资格处于暂停状态，不能登录。请向本机构医务部门了解情况。", "Your licence is suspended. Ask your institution's medical office."),
        ("refused.revoked", "您的执业证书已被吊销，不能登录。", "Your licence has been revoked."),
        ("refused.deregistered", "您的执业注册已注销，不能登录。", "Your registration has been cancelled."),
        ("refused.blacklisted", "您已被列入限制名单，目前只能提出申诉。请联系监管部门。", "You are on the restriction list and may only appeal. Contact the regulator."),
        ("refused.key-lost", "这张证书已报失。请联系注册审批员重新申领。", "This key was reported lost. Ask your registration officer for a new one."),
        ("refused.pending", "您的备案或身份核验尚未完成。请联系本机构注册审批员。", "Your filing or identity proofing is not complete. Ask your registration officer."),
        ("refused.no-affiliation", "您在该机构没有有效的执业注册或备案。", "You have no valid registration or filing at that institution."),
        ("refused.institution-closed", "该机构目前未处于有效备案状态。", "That institution is not currently filed."),
        ("refused.status-unknown", "暂时无法核实您的执业状态，因此不能登录。请稍后重试。", "Your status cannot be checked right now, so sign-in is refused. Try again shortly."),
        ("refused.clock-skew", "系统时钟不一致，暂时无法核实您的执业状态。请联系运维人员校准时钟。", "The system's clocks disagree, so your status cannot be checked. Tell the operator to set them right."),
        ("refused.handle-used", "这次登录已使用或超过 60 秒。请重新登录。", "This sign-in was already used or took longer than 60 seconds. Sign in again."),
        ("refused.ledger-unavailable", "审计账本暂时不可用，按规定不能登录。请稍后重试。", "The audit ledger is away, so sign-in is refused by rule. Try again shortly."),
        ("refused.head-not-compared", "本平台刚刚启动，正在与审计账本核对数据，核对完成前不能登录。请过几秒钟重试；若持续出现，请联系运维人员。", "This service has just started and is still checking its records against the audit ledger; until then nobody can sign in. Try again in a few seconds, and tell the operator if it stays."),
        ("refused.too-many-attempts", "这张证书或这位持证人连续多次未通过，须稍候再试。", "This card or its holder was refused several times in a row and must wait."),
        ("login.wait", "请在以下时间之后重试（北京时间）：", "Try again after (Beijing time):"),
        ("refused.too-many-requests", "操作过于频繁。请稍等片刻再试。", "Too many attempts. Wait a moment and try again."),
        ("refused.request-expired", "登录请求已过期或来自另一个浏览器。请回到应用重新发起登录。", "The request has expired or began in another browser. Go back to the application and start again."),
        ("refused.request-answered", "该登录请求已经处理。请回到应用重新发起登录。", "This request was already answered. Go back to the application and start again."),
        ("refused.unknown-client", "发起登录的应用未注册。请联系该应用的管理员。", "The application is not registered. Contact its administrator."),
        ("refused.redirect-uri-mismatch", "应用提供的返回地址与注册信息不一致，为了您的安全已停止。", "The application's return address is not the registered one; we stopped for your safety."),
        ("refused.hint-invalid", "退出请求携带的登录凭据不是本平台签发的，已停止，不会跳转。如需退出，请打开退出页面。", "The sign-out request carries no sign-in of this provider; we stopped and go nowhere. Open the sign-out page to sign out."),
        ("refused.client-mismatch", "退出请求中的应用与登录凭据不一致，已停止。请直接关闭浏览器并拔出介质。", "The application of this sign-out request is not the one that signed in; we stopped. Close the browser and remove the key."),
        ("refused.malformed-request", "登录请求格式有误。请回到应用重新发起登录。", "The request is malformed. Go back to the application and start again."),
        ("refused.no-institution", "您目前没有可以执业的机构。请联系本机构注册审批员。", "There is no institution you can act for. Ask your registration officer."),
        ("consent.details", "本次具体授权：", "In detail, this time:"),
        ("detail.prescription_sign", "以{1}的名义签署 {0} 份处方，仅限下列摘要对应的文件", "sign {0} prescriptions for {1}: exactly the documents of these digests"),
        ("detail.record_sign", "以{1}的名义签署 {0} 份病历文书，仅限下列摘要对应的文件", "sign {0} records for {1}: exactly the documents of these digests"),
        ("detail.record_access", "查阅患者 {0} 的病历（{1}），用途：{2}，至 {3}（北京时间）止", "read the record of patient {0} ({1}) for the purpose {2}, until {3} (Beijing time)"),
        ("posted.title", "正在返回应用", "Returning to the application"),
        ("posted.button", "继续", "Continue"),
        ("refused.request-not-pushed", "该应用须先在后台提交登录请求，直接打开的链接不被接受。请回到应用重新发起登录。", "This application must push its request first; a link alone is not accepted. Go back to the application and start again."),
        ("device.title", "连接设备", "Connect a device"),
        ("device.code", "请输入设备上显示的代码", "Type the code that your device shows"),
        ("device.warning", "只输入您面前设备上显示的代码。任何人通过电话、短信或网页让您输入代码，都请拒绝。", "Type only a code from a device in front of you. Refuse anyone who asks you to type one by phone, message or web page."),
        ("device.asks", "请求登录的应用：", "The application that asks:"),
        ("device.origin", "请求来自", "Asked from"),
        ("device.accept", "这是我的设备，同意", "This is my device; I agree"),
        ("device.accepted", "已同意。您可以回到设备上继续。", "Done. Go on at your device."),
        ("device.denied", "已拒绝。该设备不能以您的身份登录。", "Refused. The device does not sign in as you."),
        ("refused.device-code-unknown", "没有此代码，或代码已过期。请核对设备上的代码，或让设备重新显示一个。", "No such code, or it has expired. Check the code on the device, or let it show a new one."),
        ("refused.other", "请求被拒绝。请稍后重试，或联系本机构注册审批员。", "The request was refused. Try again, or ask your registration officer."),
    ];

    /// <summary>Chinese (zh-CN).</summary>
    public static FrozenDictionary<string, string> Zh { get; } = Build(0);

    /// <summary>English.</summary>
    public static FrozenDictionary<string, string> En { get; } = Build(1);

    /// <summary>The texts of a language, Chinese unless English is asked for.</summary>
    public static FrozenDictionary<string, string> Of(string? language) => language == "en" ? En : Zh;

    /// <summary>The first of some BCP 47 tags, in order of preference, that the pages speak; null when none is (OpenID Connect Core 3.1.2.1, <c>ui_locales</c>).</summary>
    public static string? Preferred(string? tags) => tags?.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(t => t.Split('-')[0].ToLowerInvariant())
        .FirstOrDefault(t => t is "zh" or "en");

    /// <summary>The sentence for a refusal, with what to do next.</summary>
    public static string Refusal(FrozenDictionary<string, string> texts, string rule) => texts.GetValueOrDefault("refused." + rule, texts["refused.other"]);

    private static FrozenDictionary<string, string> Build(int language) => Pairs.ToFrozenDictionary(p => p.Key, p => language == 0 ? p.Zh : p.En, StringComparer.Ordinal);
}
