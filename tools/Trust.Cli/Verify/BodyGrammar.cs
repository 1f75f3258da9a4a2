using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Trust.Crypto.Json;

namespace Trust.Cli.Verify;

/// <summary>The grammar of an event's body (docs/LEDGER-FORMAT.md §3). Its one spelling follows: no text in it leaves anything to escape.</summary>
internal static partial class BodyGrammar
{
    private const int MaxBody = 8192;
    private const int MaxText = 256;
    private const int MaxSubjects = 64;
    private const int MaxSealed = 4096;
    private const int Box = 12 + 16;

    private static readonly string[] Texts =
        ["action", "basis", "class", "correlation", "onBehalfOf", "permitNo", "purpose", "reason", "ruleVersion"];

    /// <summary>Reads a body.</summary>
    /// <exception cref="EvidenceRefusedException">It breaks the grammar; the detail says where.</exception>
    public static JsonElement Read(long index, byte[] bytes)
    {
        try
        {
            var parsed = StrictJson.TryParse(bytes, new JsonLimits(MaxBody, 4), out var body, out _);
            Require(parsed && CanonicalJson.Encode(body).AsSpan().SequenceEqual(bytes), "spelling");
            Strict.Members(body, "body", "action", "actor", "basis?", "class?", "correlation?", "id", "onBehalfOf?", "outcome", "permitNo?",
                "purpose?", "reason?", "ruleVersion?", "salt", "sealed?", "subjects", "time", "v", "where");
            CheckTexts(body);
            CheckFixed(body);
            CheckSubjects(body.GetProperty("subjects"));
            return body;
        }
        catch (EvidenceRefusedException e)
        {
            throw new EvidenceRefusedException(new Finding("body-malformed", index, e.Finding.Detail));
        }
    }

    private static void CheckTexts(JsonElement body)
    {
        foreach (var name in Texts.Where(n => body.TryGetProperty(n, out _)))
        {
            Require(IsText(body.GetProperty(name)), name);
        }

        var actor = body.GetProperty("actor");
        Strict.Members(actor, "actor", "certificate?", "institution?", "role?", "subject");
        foreach (var member in actor.EnumerateObject())
        {
            Require(member.NameEquals("certificate") ? Matches(member.Value, Certificate) : IsText(member.Value), "actor." + member.Name);
        }

        var where = body.GetProperty("where");
        Strict.Members(where, "where", "node", "region");
        Require(IsText(where.GetProperty("node")), "where.node");
        Require(Matches(where.GetProperty("region"), Region), "where.region");
    }

    private static void CheckFixed(JsonElement body)
    {
        Require(body.GetProperty("v") is { ValueKind: JsonValueKind.Number } v && v.GetRawText() is "1", "v");
        Require(Matches(body.GetProperty("id"), Identifier), "id");
        Require(body.GetProperty("outcome") is { ValueKind: JsonValueKind.String } outcome && outcome.GetString() is "success" or "refused" or "failed", "outcome");
        Require(IsBytes(body.GetProperty("salt"), 16, 16), "salt");
        Require(!body.TryGetProperty("sealed", out var box) || IsBytes(box, Box, Box + MaxSealed), "sealed");
        Require(body.GetProperty("time") is { ValueKind: JsonValueKind.String } time && IsTime(time.GetString()!), "time");
    }

    private static void CheckSubjects(JsonElement subjects)
    {
        Require(subjects.ValueKind == JsonValueKind.Array && subjects.GetArrayLength() <= MaxSubjects, "subjects");
        foreach (var subject in subjects.EnumerateArray())
        {
            Strict.Members(subject, "subjects", "key", "kind");
            Require(IsBytes(subject.GetProperty("key"), 32, 32) && Matches(subject.GetProperty("kind"), Kind), "subjects");
        }
    }

    // No control character: none of the general category Cc, which are U+0000 to U+001F and U+007F to U+009F.
    private static bool IsText(JsonElement value) => value.ValueKind == JsonValueKind.String
        && value.GetString()!.All(c => !char.IsControl(c) && c is not ('"' or '\\')) && Encoding.UTF8.GetByteCount(value.GetString()!) is > 0 and <= MaxText;

    private static bool IsBytes(JsonElement value, int least, int most) => value.ValueKind == JsonValueKind.String
        && Strict.Base64UrlBytes(value.GetString()!) is { } bytes && bytes.Length >= least && bytes.Length <= most;

    private static bool IsTime(string text) =>
        text.All(char.IsAscii) && DateTime.TryParseExact(text, "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture, DateTimeStyles.None, out _);

    private static bool Matches(JsonElement value, Regex form) => value.ValueKind == JsonValueKind.String && form.IsMatch(value.GetString()!);

    private static void Require(bool holds, string where) => EvidenceRefusedException.When(!holds, "body-malformed", null, where);

    [GeneratedRegex(@"\A[0-9a-f]{64}\z", RegexOptions.NonBacktracking)]
    private static partial Regex Certificate { get; }

    [GeneratedRegex(@"\A[0-9]{6}\z", RegexOptions.NonBacktracking)]
    private static partial Regex Region { get; }

    [GeneratedRegex(@"\A[a-z]{1,32}\z", RegexOptions.NonBacktracking)]
    private static partial Regex Kind { get; }

    [GeneratedRegex(@"\A[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\z", RegexOptions.NonBacktracking)]
    private static partial Regex Identifier { get; }
}
