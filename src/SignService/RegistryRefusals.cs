using System.Collections.Frozen;
using System.Reflection;
using Trust.Kernel.Hosting;
using Trust.Kernel.LiveStatus;

namespace Trust.SignService;

/// <summary>The registry's denials (docs/ARCHITECTURE.md §7), each under the name that the registry gives it.</summary>
[RefusalCatalogue("sign")]
public static class RegistryRefusals
{
    /// <summary>No answer is a denial.</summary>
    public static readonly Refusal StatusUnknown = new("status-unknown", 503,
        "登记库没有应答，不依据旧信息办理，请稍后重试。", "The registry does not answer, and nothing is done on old knowledge. Try again shortly.");

    /// <summary>Its answers cannot be taken for answers of now.</summary>
    public static readonly Refusal ClockSkew = new("clock-skew", 503,
        "本服务与登记库的时钟相差过大，无法判断其答复是否为当前答复；请通知运维人员校准时钟。",
        "The clocks of this service and the registry differ too much to take its answers for answers of now; tell the operator to set them right.");

    /// <summary>Nobody of that identifier.</summary>
    public static readonly Refusal UnknownPerson = new("unknown-person", 403,
        "登记库中没有此人，请向所在机构核实登记信息。", "The registry knows no such person; ask the institution to check the registration.");

    /// <summary>Not active yet.</summary>
    public static readonly Refusal Pending = new("pending", 403,
        "执业登记尚未生效，生效后方可办理。", "The registration is not active yet; wait until it is.");

    /// <summary>Suspended.</summary>
    public static readonly Refusal Suspended = new("suspended", 403,
        "已被暂停执业，恢复之前不能办理；有异议请联系登记机关。", "The right to practise is suspended; ask the registration office.");

    /// <summary>Licence revoked.</summary>
    public static readonly Refusal Revoked = new("revoked", 403,
        "执业证书已被吊销，不能办理；有异议请联系登记机关。", "The licence was revoked; ask the registration office.");

    /// <summary>Registration ended.</summary>
    public static readonly Refusal Deregistered = new("deregistered", 403,
        "执业注册已被注销，不能办理；如需执业请重新注册。", "The registration was ended; register anew to practise.");

    /// <summary>On the blacklist.</summary>
    public static readonly Refusal Blacklisted = new("blacklisted", 403,
        "已被列入失信名单，不能办理；有异议请联系登记机关。", "Named on the blacklist; ask the registration office.");

    /// <summary>No affiliation with the institution.</summary>
    public static readonly Refusal NoAffiliation = new("no-affiliation", 403,
        "与该机构没有有效的执业关系，请以所在机构的身份登录。", "There is no affiliation with this institution now; act for one that you belong to.");

    /// <summary>The institution is closed or unknown.</summary>
    public static readonly Refusal InstitutionClosed = new("institution-closed", 403,
        "该机构已停业或未登记，不能办理。", "The institution is closed or not registered; nothing is done for it.");

    /// <summary>Another role.</summary>
    public static readonly Refusal NotInRole = new("not-in-role", 403,
        "登记的职业类别不能进行此操作，请由相应人员办理。", "The registry knows you in another role, which does not do this; let the right person.");

    /// <summary>Online care not filed.</summary>
    public static readonly Refusal NoFiling = new("no-filing", 403,
        "尚未在该机构完成互联网诊疗备案，备案后方可开方。", "Online prescribing at this institution is not filed; file it first.");

    /// <summary>The registry knows no such certificate of the holder.</summary>
    public static readonly Refusal CertificateUnknown = new("certificate-unknown", 403,
        "登记库中没有此人或此机构的这张证书，请使用本系统签发的证书。", "The registry knows no such certificate of this holder; use one that it issued.");

    /// <summary>The key is reported lost.</summary>
    public static readonly Refusal KeyLost = new("key-lost", 403,
        "该证书的密钥已报失，证书已吊销，请申请新证书。", "The key was reported lost and its certificate revoked; apply for a new one.");

    /// <summary>Revoked.</summary>
    public static readonly Refusal CertificateRevoked = new("certificate-revoked", 403,
        "证书已被吊销，请申请新证书。", "The certificate was revoked; apply for a new one.");

    /// <summary>On hold.</summary>
    public static readonly Refusal CertificateHeld = new("certificate-held", 403,
        "证书已被冻结，解冻之前不能使用。", "The certificate is on hold; it works again when that is lifted.");

    /// <summary>A reason that this version has no text for.</summary>
    public static readonly Refusal NotPermitted = new("not-permitted", 403,
        "登记库目前不允许此操作，原因代码：{reason}。", "The registry does not permit this now; its reason is {reason}.");

    private static readonly FrozenDictionary<string, Refusal> ByReason = typeof(RegistryRefusals)
        .GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => f.GetValue(null)).OfType<Refusal>()
        .Append(SignRefusals.CertificateExpired).Append(SignRefusals.WrongKeyUsage)
        .ToFrozenDictionary(r => r.Name, StringComparer.Ordinal);

    /// <summary>A denial as a refusal.</summary>
    public static Refusal From(Entitlement.Deny deny)
    {
        ArgumentNullException.ThrowIfNull(deny);
        return ByReason.GetValueOrDefault(deny.Reason) ?? NotPermitted.With("reason", deny.Reason);
    }
}
