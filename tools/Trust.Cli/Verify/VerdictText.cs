using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Trust.Cli.Verify;

/// <summary>Verdicts in plain words, Chinese and English.</summary>
public static class VerdictText
{
    private static readonly Dictionary<string, (string Chinese, string English)> Findings = new(StringComparer.Ordinal)
    {
        ["malformed-file"] = ("文件结构不符合格式", "the file does not have the form of an evidence file"),
        ["not-canonical"] = ("文件不是规范形式（RFC 8785）", "the file is not in its one canonical spelling (RFC 8785)"),
        ["unknown-format"] = ("未知的格式版本", "unknown format version"),
        ["key-not-trusted"] = ("使用了不在信任列表中的密钥", "a key is not in your trusted list"),
        ["key-missing"] = ("缺少信任列表中的检查点密钥", "a trusted checkpoint key is missing"),
        ["policy-malformed"] = ("密钥格式错误", "a key is malformed"),
        ["malformed-key"] = ("密钥无法读取", "a key cannot be read"),
        ["checkpoint-malformed"] = ("检查点格式错误", "the checkpoint is malformed"),
        ["checkpoint-signature"] = ("检查点签名无效", "a checkpoint signature is not valid"),
        ["checkpoint-size"] = ("检查点不包含所问的账本状态", "the checkpoint does not extend the tree that was asked"),
        ["witness-policy"] = ("见证人名单或法定人数与信任列表不同", "witnesses or quorum are not those of your trusted list"),
        ["witness-quorum"] = ("见证人签名不足", "too few witnesses have cosigned"),
        ["question-key"] = ("主体键与标识符不符", "the subject key is not that of the identifier"),
        ["file-not-logged"] = ("账本记录的查询所给出的不是这份文件：问题、内容或附件与当时不同", "this is not the file that the ledger logged to have given out"),
        ["completeness-malformed"] = ("完整性证明格式错误", "the completeness proof is malformed"),
        ["completeness"] = ("完整性证明无效：可能有事件被隐去、增加或移动", "the completeness proof does not hold: something may have been left out, added or moved"),
        ["period"] = ("事件与所问的时间段不符", "the events are not those of the period asked for"),
        ["opening"] = ("密封内容的开启无效", "a sealed detail is opened without right or with the wrong key"),
        ["anchor"] = ("外部时间戳无效", "the outside time-stamp of the log is not valid"),
        ["event-missing"] = ("缺少事件", "an event is missing"),
        ["event-not-listed"] = ("多出证明中没有的事件", "an event is not one of those proved"),
        ["event-reordered"] = ("事件顺序被改变", "an event was moved"),
        ["event-altered"] = ("事件内容被篡改，或不在账本的该位置", "an event was altered, or does not stand there in the log"),
        ["leaf-type"] = ("条目类型错误", "the entry type is wrong"),
        ["leaf-malformed"] = ("条目格式错误", "the leaf is malformed"),
        ["envelope-malformed"] = ("信封格式错误", "the envelope is malformed"),
        ["body-hash"] = ("事件正文与信封中的哈希不符", "the body does not have the hash its envelope names"),
        ["body-malformed"] = ("事件正文不符合格式", "the body breaks the format"),
        ["subject-keys"] = ("主体键与正文不符", "the subject keys are not those of the body"),
        ["other-subject"] = ("事件与所问的主体无关", "the event does not concern the subject asked about"),
        ["batch-shape"] = ("批次范围错误", "the batch does not contain the event"),
        ["batch-signature"] = ("来源系统的批次签名无效", "the producer's batch signature is not valid"),
        ["time-falls"] = ("账本时间倒退", "ledger time falls"),
        ["source-order"] = ("来源系统的事件序号倒退", "the producer's numbers fall"),
        ["source-chain"] = ("来源系统的哈希链断裂", "the producer's chain is broken"),
        ["query-event"] = ("查询事件不符合要求", "the query event is not a regulator's query in this ledger"),
        ["attachment-prescription"] = ("附件属于另一张处方", "the attachments belong to another prescription"),
        ["attachment-events"] = ("附件旁的事件不完整：有时间段限制或有未显示的事件", "attachments stand beside all events only: of no period, and none of them withheld"),
        ["payload-not-logged"] = ("账本中没有该处方内容的哈希", "no logged event names the hash of the attached prescription"),
        ["signer-not-logged"] = ("账本没有记录该证书持有人对这张处方成功的同一行为", "the log holds no successful act of this kind by the signer's certificate in this place"),
        ["signer-role"] = ("签名人不能行使该角色：同一人开方并审方，或印章不属于机构", "not by whom it may be: one person wrote and reviewed, or the seal is no institution's act"),
        ["signature-missing"] = ("账本记录了签名行为，但文件中缺少该签名", "the log holds an act of signing whose signature is not in the file"),
        ["signature-kind"] = ("签名类型不符", "the signature is not of the kind it claims"),
        ["signature-statement"] = ("后续签名没有覆盖处方及此前的签名", "a later signature does not cover the prescription and the signatures before it"),
        ["signature-header"] = ("签名头不符合要求", "the signature's header is not acceptable"),
        ["signature-value"] = ("电子签名无效", "the signature is not valid over the prescription"),
        ["signature-chain"] = ("证书链不可信", "the signer's certificate chain is not trusted"),
        ["time-stamp"] = ("时间戳无效", "the time-stamp is not valid"),
    };

    /// <summary>All codes that have words.</summary>
    public static IEnumerable<string> Codes => Findings.Keys;

    /// <summary>Writes the report on a file of which anything was expected.</summary>
    /// <param name="verdict">What was found.</param>
    /// <param name="english">English instead of Chinese.</param>
    public static string Write(Verdict verdict, bool english) => Write(new Report(verdict, null), english, details: false);

    /// <summary>Writes the report.</summary>
    /// <param name="report">What was found.</param>
    /// <param name="english">English instead of Chinese.</param>
    /// <param name="details">Every member of every event.</param>
    internal static string Write(Report report, bool english, bool details)
    {
        var verdict = report.Verdict;
        var text = new StringBuilder();
        if (verdict.Origin.Length > 0)
        {
            var (subject, origin) = (Printable.Of(verdict.Subject), Printable.Of(verdict.Origin));
            text.AppendLine(english
                ? $"{subject}; log {origin}, {verdict.TreeSize} entries; {Period(verdict, english)}"
                : $"{subject}；账本 {origin}，共 {verdict.TreeSize} 条；{Period(verdict, english)}");
        }

        foreach (var e in verdict.Events)
        {
            var mark = e.InPeriod ? "✔" : english ? "· (outside the period)" : "·（时间段之外）";
            text.AppendLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {mark} #{e.Index} {e.Time:yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'} {Printable.Of(e.Source)} {Printable.Of(e.Action)} {e.Outcome} {Printable.Of(e.Actor)}"));
            Details(text, e, details);
        }

        foreach (var s in verdict.Signatures)
        {
            text.AppendLine(string.Create(CultureInfo.InvariantCulture, $"  ✔ {s.Kind} {s.StampedAt:yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {Printable.Of(s.Signer)}"));
        }

        text.AppendLine(verdict.Finding is { } finding ? Refusal(finding, english) : report.Missed is { } missed ? Other(missed, english) : Conclusion(verdict, english));
        return text.ToString();
    }

    // What somebody wrote stands on lines of its own behind a bar, where it cannot be taken for a line of this report.
    private static void Details(StringBuilder text, VerifiedEvent e, bool all)
    {
        if (e.Detail is { } detail)
        {
            text.Append("      | ").AppendLine(Printable.Of(detail));
        }

        foreach (var (name, value) in all ? Members(e.Body, "") : [])
        {
            text.Append("      | ").Append(name).Append(": ").AppendLine(Printable.Of(value));
        }
    }

    private static IEnumerable<(string Name, string Value)> Members(JsonElement body, string prefix) => body.EnumerateObject().SelectMany(m => m.Value.ValueKind switch
    {
        JsonValueKind.Object => Members(m.Value, m.Name + "."),
        JsonValueKind.String => [(prefix + m.Name, m.Value.GetString()!)],
        _ => [(prefix + m.Name, m.Value.GetRawText())],
    });

    private static string Other(string missed, bool english) => (missed, english) switch
    {
        ("subject", true) => "OTHER QUESTION: the file is good, and about another subject than you expect.",
        ("subject", false) => "所答非所问：文件有效，但涉及的不是您指定的主体。",
        (_, true) => "OTHER QUESTION: the file is good, and does not cover the whole period that you expect.",
        _ => "所答非所问：文件有效，但未覆盖您指定的整个时间段。",
    };

    private static string Period(Verdict verdict, bool english)
    {
        static string At(DateTimeOffset? time, string open) => time?.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture) ?? open;
        var (from, to) = verdict.Period;
        return english
            ? $"from {At(from, "the beginning")} to {At(to, "the end")}"
            : $"自{At(from, "账本开始")}至{At(to, "该检查点")}";
    }

    // What is proved, and what is not, in words that need no cryptography.
    private static string Conclusion(Verdict verdict, bool english)
    {
        var count = verdict.Events.Count(e => e.InPeriod);
        var text = new StringBuilder(verdict.HasNoEvent ? Nothing(english) : english
            ? $"VERIFIED: these {count} events are all that the ledger holds on this subject in this period, complete, in order and unaltered; {verdict.Signatures.Count} signatures are valid."
            : $"验证通过：该主体在此时间段内的全部 {count} 个事件均已列出，完整、有序、未被篡改；{verdict.Signatures.Count} 个签名有效。");
        if (verdict.Withheld.Count > 0)
        {
            text.AppendLine().Append(english
                ? $"  Up to {verdict.Withheld.Count} more are counted but not shown: they happened outside the asking regulator's region, or are past their retention."
                : $"  另有至多 {verdict.Withheld.Count} 个事件已计入但未显示：发生在查询监管机构的辖区之外，或已过保存期限。");
        }

        if (verdict.CoversFrom is var (index, since))
        {
            var time = since.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
            text.AppendLine().Append(english
                ? $"  ONLY FROM #{index} ({time}) ON: before that this log was not indexed by who acted, and the file says nothing of it."
                : $"  仅自 #{index}（{time}）起：此前账本尚未按行为人建立索引，本文件对此不作任何说明。");
        }

        text.AppendLine().Append(Vouched(verdict, english));
        if (verdict.AnchoredAt is { } at)
        {
            var time = at.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
            text.AppendLine().Append(english
                ? $"  An outside time-stamping authority saw the log at {time}."
                : $"  外部时间戳机构于 {time} 见证了账本状态。");
        }

        return text.AppendLine().Append(english
            ? "  Not proved: that every system logged all it did (gaps in its own chain would show), or what sealed or destroyed details said."
            : "  未证明：各系统是否记录了其全部行为（其自身哈希链会显示缺口），以及已密封或已销毁的内容。").ToString();
    }

    private static string Nothing(bool english) => english
        ? "NO EVENT: the ledger holds nothing under exactly this identifier in this period. That is proved, and says nothing about another spelling of it: check the identifier and the period."
        : "没有事件：账本在此时间段内没有该标识符的任何记录。此结论已获证明，但不涉及其他写法的标识符：请核对标识符和时间段。";

    private static string Vouched(Verdict verdict, bool english)
    {
        if (verdict.Witnesses.Count == 0)
        {
            return english
                ? "  No witness is trusted: that the index lists every event is the ledger's own word."
                : "  信任列表中没有见证人：索引是否列出全部事件仅由账本自身担保。";
        }

        var names = string.Join(", ", verdict.Witnesses.Select(w => string.Create(CultureInfo.InvariantCulture, $"{Printable.Of(w.Name)} {w.Time:yyyy-MM-dd'T'HH:mm:ss'Z'}")));
        return english
            ? $"  Independently rebuilt from all entries and cosigned by: {names}."
            : $"  以下见证人已从全部条目独立重建并会签：{names}。";
    }

    private static string Refusal(Finding finding, bool english)
    {
        var (chinese, words) = Findings[finding.Code];
        var number = finding.Index?.ToString(CultureInfo.InvariantCulture);
        var where = number is null ? "" : english ? ", event #" + number : "，事件 #" + number;
        var detail = finding.Detail.Length > 0 ? $"\n  | {Printable.Of(finding.Detail)}" : "";
        return english ? $"REFUSED [{finding.Code}]{where}: {words}{detail}" : $"验证不通过 [{finding.Code}]{where}：{chinese}{detail}";
    }
}
