using Trust.Crypto.Json;
using Trust.Kernel.Hosting;

namespace Trust.SignService.Prescriptions;

/// <summary>JSON that two readers could read differently, or not at all.</summary>
[RefusalCatalogue("sign")]
public static class JsonRefusals
{
    /// <summary>Beyond the bound.</summary>
    public static readonly Refusal JsonTooLarge = new("json-too-large", 400,
        "JSON 在第 {offset} 字节处超过允许的大小。", "The JSON is too large, seen at byte {offset}.");

    /// <summary>Nested too deeply.</summary>
    public static readonly Refusal JsonTooDeep = new("json-too-deep", 400,
        "JSON 在第 {offset} 字节附近嵌套过深。", "The JSON is nested too deeply near byte {offset}.");

    /// <summary>Not UTF-8.</summary>
    public static readonly Refusal JsonInvalidUtf8 = new("json-invalid-utf8", 400,
        "JSON 在第 {offset} 字节附近不是有效的 UTF-8。", "The JSON is not UTF-8 near byte {offset}.");

    /// <summary>A member twice.</summary>
    public static readonly Refusal JsonDuplicateKey = new("json-duplicate-key", 400,
        "JSON 在第 {offset} 字节附近有重复的成员名。", "The JSON names a member twice near byte {offset}.");

    /// <summary>Half a character.</summary>
    public static readonly Refusal JsonLoneSurrogate = new("json-lone-surrogate", 400,
        "JSON 在第 {offset} 字节附近有不完整的字符。", "The JSON holds half a surrogate pair near byte {offset}.");

    /// <summary>A number that a double cannot hold.</summary>
    public static readonly Refusal JsonUnsafeNumber = new("json-unsafe-number", 400,
        "JSON 在第 {offset} 字节附近的数字超出可精确表示的范围。", "The JSON holds a number near byte {offset} that readers would round.");

    /// <summary>Not JSON.</summary>
    public static readonly Refusal JsonMalformed = new("json-malformed", 400,
        "JSON 在第 {offset} 字节附近格式错误。", "The JSON is malformed near byte {offset}.");

    /// <summary>What strict JSON refused, and where.</summary>
    internal static Refusal From(JsonRefusal refusal) => (refusal.Reason switch
    {
        JsonRefusalReason.TooLarge => JsonTooLarge,
        JsonRefusalReason.TooDeep => JsonTooDeep,
        JsonRefusalReason.InvalidUtf8 => JsonInvalidUtf8,
        JsonRefusalReason.DuplicateKey => JsonDuplicateKey,
        JsonRefusalReason.LoneSurrogate => JsonLoneSurrogate,
        JsonRefusalReason.UnsafeNumber => JsonUnsafeNumber,
        _ => JsonMalformed,
    }).With("offset", refusal.Offset);
}
