using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;

namespace Trust.Witness;

/// <summary>What the witness refuses. C2SP tlog-witness fixes the statuses, and that a body is plain text.</summary>
[RefusalCatalogue("witness")]
public static class WitnessRefusals
{
    /// <summary>Not in the one spelling of the specification.</summary>
    public static readonly Refusal MalformedRequest = new("malformed-request", 400,
        "请求体不是 add-checkpoint 请求；格式见 C2SP tlog-witness。", "the body is no add-checkpoint request (C2SP tlog-witness)");

    /// <summary>The request contradicts itself.</summary>
    public static readonly Refusal OldTooLarge = new("old-too-large", 400,
        "所称的旧大小超过检查点的大小。", "the old size is larger than the checkpoint's");

    /// <summary>No known key signed it, or a known key's line is bad.</summary>
    public static readonly Refusal NotSigned = new("not-signed", 403,
        "检查点没有该日志任何已知密钥的有效签名；请核对见证方配置的日志公钥。", "no known key of the log signed the checkpoint");

    /// <summary>A log that is not watched.</summary>
    public static readonly Refusal UnknownLog = new("unknown-log", 404,
        "本见证方不认识该日志；请由其运维人员登记。", "this witness does not know that log");

    /// <summary>A log that is watched and of which nothing was cosigned.</summary>
    public static readonly Refusal NothingCosigned = new("nothing-cosigned", 404,
        "本见证方尚未联署该日志的任何检查点。", "this witness has cosigned nothing of that log");

    /// <summary>No volume has ended that this witness recomputed.</summary>
    public static readonly Refusal NoLandmark = new("no-landmark", 404,
        "本见证方尚未核算到该日志任何一卷的末尾。", "no volume of that log has ended that this witness recomputed");

    /// <summary>The checkpoint does not follow, or the log's entries are not what they should be. Member: <c>why</c>.</summary>
    public static readonly Refusal WrongLog = new("wrong-log", 422, "该检查点与日志的条目不符，不予联署：{why}", "The checkpoint does not fit the log's entries, so it is not cosigned: {why}");

    /// <summary>The log's entries cannot be read now. Member: <c>why</c>.</summary>
    public static readonly Refusal NotNow = new("not-now", 503, "现在无法联署，请稍后重试：{why}", "It cannot be cosigned now; try again: {why}");

    /// <summary>Writes any refusal as plain text.</summary>
    internal static Task Write(HttpContext context, Refusal refusal) => refusal.AsText(context).ExecuteAsync(context);

    /// <summary>A refusal as plain text.</summary>
    internal static ContentHttpResult AsText(this Refusal refusal, HttpContext context) =>
        TypedResults.Text(refusal.Detail(context.Request.Headers.AcceptLanguage) + "\n", "text/plain", Encoding.UTF8, refusal.Status);
}
