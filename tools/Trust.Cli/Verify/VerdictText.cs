using System.Globalization;
using System.Text;

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
        ["manifest-order"] = ("事件清单顺序错误", "the manifest is not in order"),
        ["manifest-not-logged"] = ("事件清单或附件与账本中记录的查询不一致", "manifest or attachments are not what the ledger logged for this query"),
        ["event-missing"] = ("缺少事件", "an event is missing"),
        ["event-not-listed"] = ("多出未列入清单的事件", "an event is not listed in the manifest"),
        ["event-reordered"] = ("事件顺序被改变", "an event was moved"),
        ["event-altered"] = ("事件内容被篡改", "an event was altered"),
        ["inclusion-proof"] = ("包含证明无效", "the inclusion proof does not lead to the checkpoint"),
        ["leaf-type"] = ("条目类型错误", "the entry type is wrong"),
        ["leaf-malformed"] = ("条目格式错误", "the leaf is malformed"),
        ["envelope-malformed"] = ("信封格式错误", "the envelope is malformed"),
        ["body-hash"] = ("事件正文与信封中的哈希不符", "the body does not have the hash its envelope names"),
        ["body-malformed"] = ("事件正文不符合格式", "the body breaks the format"),
        ["subject-keys"] = ("主体键与正文不符", "the subject keys are not those of the body"),
        ["other-subject"] = ("事件与该处方无关", "the event does not concern this prescription"),
        ["batch-shape"] = ("批次范围错误", "the batch does not contain the event"),
        ["batch-signature"] = ("来源系统的批次签名无效", "the producer's batch signature is not valid"),
        ["time-falls"] = ("账本时间倒退", "ledger time falls"),
        ["source-order"] = ("来源系统的事件序号倒退", "the producer's numbers fall"),
        ["source-chain"] = ("来源系统的哈希链断裂", "the producer's chain is broken"),
        ["query-event"] = ("查询事件不符合要求", "the query event is not a regulator's query in this ledger"),
        ["attachment-prescription"] = ("附件属于另一张处方", "the attachments belong to another prescription"),
        ["payload-not-logged"] = ("账本中没有该处方内容的哈希", "no logged event names the hash of the attached prescription"),
        ["signature-kind"] = ("签名类型不符", "the signature is not of the kind it claims"),
        ["signature-statement"] = ("后续签名没有覆盖处方及此前的签名", "a later signature does not cover the prescription and the signatures before it"),
        ["signature-header"] = ("签名头不符合要求", "the signature's header is not acceptable"),
        ["signature-value"] = ("电子签名无效", "the signature is not valid over the prescription"),
        ["signature-chain"] = ("证书链不可信", "the signer's certificate chain is not trusted"),
        ["time-stamp"] = ("时间戳无效", "the time-stamp is not valid"),
    };

    /// <summary>All codes that have words.</summary>
    public static IEnumerable<string> Codes => Findings.Keys;

    /// <summary>Writes the report.</summary>
    /// <param name="verdict">What was found.</param>
    /// <param name="english">English instead of Chinese.</param>
    public static string Write(Verdict verdict, bool english)
    {
        var text = new StringBuilder();
        if (verdict.Origin.Length > 0)
        {
            text.AppendLine(english
                ? $"Prescription {verdict.Prescription}; log {verdict.Origin}, {verdict.TreeSize} entries"
                : $"处方 {verdict.Prescription}；账本 {verdict.Origin}，共 {verdict.TreeSize} 条");
        }

        foreach (var e in verdict.Events)
        {
            text.AppendLine(string.Create(CultureInfo.InvariantCulture, $"  ✔ #{e.Index} {e.Time:yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'} {e.Source} {e.Action} {e.Outcome} {e.Actor}"));
        }

        foreach (var s in verdict.Signatures)
        {
            text.AppendLine(string.Create(CultureInfo.InvariantCulture, $"  ✔ {s.Kind} {s.StampedAt:yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {s.Signer}"));
        }

        text.AppendLine(verdict.Finding is { } finding ? Refusal(finding, english) : english
            ? $"VERIFIED: {verdict.Events.Count} events and {verdict.Signatures.Count} signatures are complete and unaltered."
            : $"验证通过：{verdict.Events.Count} 个事件、{verdict.Signatures.Count} 个签名完整且未被篡改。");
        return text.ToString();
    }

    private static string Refusal(Finding finding, bool english)
    {
        var (chinese, words) = Findings[finding.Code];
        var number = finding.Index?.ToString(CultureInfo.InvariantCulture);
        var where = number is null ? "" : english ? ", event #" + number : "，事件 #" + number;
        var detail = finding.Detail.Length > 0 ? $" ({finding.Detail})" : "";
        return english ? $"REFUSED [{finding.Code}]{where}: {words}{detail}" : $"验证不通过 [{finding.Code}]{where}：{chinese}{detail}";
    }
}
