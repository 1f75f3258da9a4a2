using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Trust.Kernel.Text;

namespace Trust.Kernel.Hosting;

/// <summary>
/// Says which member of a body, or which parameter, could not be read, and what was wrong with it: unknown, missing, twice, or of the wrong kind. The value is
/// never repeated, it may be personal; names that the caller made up are shown short and in plain letters. The platform's readers tell what was wrong by their
/// sentences alone, so these are matched here; a test of each route of each service holds them.
/// </summary>
internal static partial class MalformedInput
{
    private const int Longest = 160;

    /// <summary>The refusal of a request that could not be bound.</summary>
    public static Refusal Of(BadHttpRequestException e) => e.InnerException is JsonException json ? Of(json)
        : e.Message.StartsWith("Implicit body inferred for parameter", StringComparison.Ordinal) ? CommonRefusals.MemberMissing.With("member", "$")
        : Missing().Match(e.Message) is { Success: true } missing ? CommonRefusals.MemberMissing.With("member", Parameter(missing))
        : Unbound().Match(e.Message) is { Success: true } unbound ? CommonRefusals.MemberWrongKind.With("member", Parameter(unbound))
        : CommonRefusals.MalformedRequest;

    private static Refusal Of(JsonException e)
    {
        var path = e.Path ?? "$";
        // What the reader of tokens throws stands inside: these bytes are no JSON.
        if (e.InnerException is JsonException)
        {
            return CommonRefusals.NotJson.With("line", e.LineNumber + 1).With("column", e.BytePositionInLine + 1);
        }

        return Lacking().Match(e.Message) is { Success: true } lacking ? CommonRefusals.MemberMissing.With("member", Shown(path + "." + lacking.Groups["name"].Value))
            : e.Message.Contains("could not be mapped to any .NET member", StringComparison.Ordinal) ? CommonRefusals.MemberUnknown.With("member", Shown(path))
            : e.Message.StartsWith("Duplicate property", StringComparison.Ordinal) ? CommonRefusals.MemberTwice.With("member", Shown(path))
            : CommonRefusals.MemberWrongKind.With("member", Shown(path));
    }

    /// <summary>A path for a refusal: member names come from the caller.</summary>
    internal static string Shown(string path) =>
        CallersText.WithoutNumbers(new([.. path.Take(Longest).Where(c => char.IsAsciiLetterOrDigit(c) || c is '$' or '.' or '[' or ']' or '_' or '-')]));

    // The parameter that takes the body has no name for whoever sends it.
    private static string Parameter(Match match) => match.Groups["from"].Value is "body" ? "$" : match.Groups["name"].Value;

    [GeneratedRegex("was missing required properties including: '(?<name>[A-Za-z0-9_]+)'", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Lacking();

    [GeneratedRegex("^Required parameter \"[^\"]* (?<name>[A-Za-z0-9_]+)\" was not provided from (?<from>[a-z ]+)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Missing();

    [GeneratedRegex("^Failed to bind parameter \"[^\"]* (?<name>[A-Za-z0-9_]+)\" from (?<from>\")", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Unbound();
}
