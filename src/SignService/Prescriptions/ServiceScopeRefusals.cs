using Trust.Kernel.Hosting;

namespace Trust.SignService.Prescriptions;

/// <summary>What may not be prescribed online (docs/RULES.md §4 and 5).</summary>
[RefusalCatalogue("sign")]
public static class ServiceScopeRefusals
{
    /// <summary>Dated at another time than now.</summary>
    public static readonly Refusal AuthoredOn = new("authored-on", 422,
        "处方日期应为开具时间，与本服务时钟相差不得超过五分钟。", "A prescription is dated when it is written, within five minutes of this service's clock.");

    /// <summary>Not a follow-up visit.</summary>
    public static readonly Refusal FirstVisit = new("first-visit", 422,
        "互联网诊疗限于复诊，请附上既往诊断记录，首诊请到医疗机构就诊。", "Online service is for follow-up visits with the record of an earlier diagnosis; a first visit is in person.");

    /// <summary>A medicine under special control.</summary>
    public static readonly Refusal ControlledMedicine = new("controlled-medicine", 422,
        "麻醉药品、精神药品等特殊管理药品不得在互联网开具。", "Narcotic, psychotropic and other special-control medicines are not prescribed online.");

    /// <summary>A birth date in the future.</summary>
    public static readonly Refusal BirthDate = new("birth-date", 422,
        "患者出生日期晚于今天，请核对。", "The patient's birth date lies in the future; check it.");

    /// <summary>A child under six without guardian and specialist.</summary>
    public static readonly Refusal ChildUnderSix = new("child-under-six", 422,
        "为六岁以下儿童开方须有监护人和相关专业医师在场。", "A child under six needs its guardian and the relevant specialist present.");

    /// <summary>A child without weight.</summary>
    public static readonly Refusal WeightMissing = new("weight-missing", 422,
        "儿童处方应写明体重。", "A child's prescription states the weight; add it.");

    /// <summary>More medicines than one prescription holds.</summary>
    public static readonly Refusal TooManyMedicines = new("too-many-medicines", 422,
        "每张处方不得超过 {most} 种药品，请分开开具。", "At most {most} medicines stand on one prescription; write another.");

    /// <summary>More days than the category allows.</summary>
    public static readonly Refusal Quantity = new("quantity", 422,
        "用药天数为 {days} 天，此类处方最多 {most} 天（慢性病写明理由可适当延长）。",
        "The supply is {days} days; {most} are allowed for this category (longer for chronic disease, with a reason).");

    /// <summary>Over before it began.</summary>
    public static readonly Refusal Expired = new("expired", 422,
        "处方有效期已过，请核对有效期截止日期。", "The prescription's validity is already over; check its last day.");

    /// <summary>A longer validity than the nation allows.</summary>
    public static readonly Refusal ValidityTooLong = new("validity-too-long", 422,
        "处方有效期最长不得超过 {days} 天。", "A prescription is valid for at most {days} days; state an earlier last day.");
}
