using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Trust.Cli.Verify;

/// <summary>A verdict for programs: one JSON object. Everything but ASCII is escaped, so that it is safe on a terminal too.</summary>
internal static class VerdictJson
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Writes the report.</summary>
    /// <param name="report">What came of it.</param>
    public static string Write(Report report)
    {
        var verdict = report.Verdict;
        var json = new JsonObject
        {
            ["verdict"] = report.Word,
            ["code"] = verdict.Finding?.Code,
            ["index"] = verdict.Finding?.Index,
            ["detail"] = verdict.Finding?.Detail ?? report.Missed,
            ["subject"] = verdict.Asked is { } asked
                ? new JsonObject { ["kind"] = asked.Kind, ["identifier"] = asked.Identifier, ["key"] = Convert.ToHexStringLower(asked.Key) }
                : null,
            ["from"] = Time(verdict.Period.From),
            ["to"] = Time(verdict.Period.To),
            ["log"] = verdict.Origin,
            ["size"] = verdict.TreeSize,
            ["coversFrom"] = verdict.CoversFrom is var (index, time) ? new JsonObject { ["index"] = index, ["time"] = Time(time) } : null,
            ["askedAt"] = Time(verdict.AskedAt),
            ["anchoredAt"] = Time(verdict.AnchoredAt),
            ["events"] = new JsonArray([.. verdict.Events.Select(Event)]),
            ["withheld"] = new JsonArray([.. verdict.Withheld.Select(index => (JsonNode)index)]),
            ["signatures"] = new JsonArray([.. verdict.Signatures.Select(s => (JsonNode)new JsonObject { ["kind"] = s.Kind, ["signer"] = s.Signer, ["stampedAt"] = Time(s.StampedAt) })]),
            ["witnesses"] = new JsonArray([.. verdict.Witnesses.Select(w => (JsonNode)new JsonObject { ["name"] = w.Name, ["cosignedAt"] = Time(w.Time) })]),
        };
        return json.ToJsonString(Indented);
    }

    private static JsonNode Event(VerifiedEvent e) => new JsonObject
    {
        ["index"] = e.Index,
        ["time"] = Time(e.Time),
        ["source"] = e.Source,
        ["inPeriod"] = e.InPeriod,
        ["detail"] = e.Detail,
        ["body"] = JsonNode.Parse(e.Body.GetRawText()),
    };

    private static string? Time(DateTimeOffset? time) => time?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
}
