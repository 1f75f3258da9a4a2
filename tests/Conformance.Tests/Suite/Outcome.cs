using System.Net;
using System.Text.RegularExpressions;

namespace Trust.Conformance.Tests.Suite;

/// <summary>Where a browser ended.</summary>
internal abstract record Outcome
{
    private Outcome()
    {
    }

    /// <summary>At the relying party's address.</summary>
    /// <param name="At">The address, without the answer's parameters where they came by form.</param>
    /// <param name="Parameters">What came with it; of a JARM answer its claims once they are judged (<see cref="Authorization"/>).</param>
    /// <param name="Mode"><c>query</c>, <c>fragment</c> or <c>form_post</c>.</param>
    public sealed record Answered(Uri At, IReadOnlyDictionary<string, string> Parameters, string Mode) : Outcome
    {
        public string? this[string name] => Parameters.GetValueOrDefault(name);

        /// <summary>The code.</summary>
        public string Code => this["code"] ?? throw new Xunit.Sdk.XunitException("No code: " + this);

        public override string ToString() => Mode + " " + At + " " + string.Join("&", Parameters.Select(p => p.Key + "=" + p.Value));
    }

    /// <summary>On a page of the provider.</summary>
    public sealed record Page(Uri At, int Status, string Body) : Outcome
    {
        public bool IsError => Status >= 400 || At.AbsolutePath == "/error";

        public override string ToString() => $"page {Status} {At}: {Words.Text(Body)}";
    }

    /// <summary>Holds a code to have come.</summary>
    public Answered Granted()
    {
        var answered = Reached();
        _ = answered.Code;
        return answered;
    }

    /// <summary>Holds the browser to be back at the relying party.</summary>
    public Answered Reached() => this as Answered ?? throw new Xunit.Sdk.XunitException("The browser is not back: " + this);

    /// <summary>Holds the request to be refused: by a page of the provider, or by one of the errors at the relying party; never with a code.</summary>
    public void Refused(params IReadOnlyList<string> errors)
    {
        switch (this)
        {
            case Page page:
                Assert.True(page.IsError, "a page that is no refusal: " + page);
                break;
            case Answered answered:
                Assert.True(answered["code"] is null && answered["error"] is not null, "not refused: " + answered);
                Assert.True(errors.Count == 0 || errors.Contains(answered["error"], StringComparer.Ordinal), $"error {answered["error"]} instead of {string.Join(" or ", errors)}");
                break;
        }
    }

    /// <summary>Holds the request to be refused on a page: no redirect at all.</summary>
    public Page RefusedHere()
    {
        var page = this as Page ?? throw new Xunit.Sdk.XunitException("redirected: " + this);
        Assert.True(page.IsError, "a page that is no refusal: " + page);
        return page;
    }
}

/// <summary>Pages taken apart by their text: what a form holds, where a link leads.</summary>
internal static partial class Words
{
    /// <summary>The first form of a page.</summary>
    public static (string Method, string? Action, List<(string Name, string Value, string Type, bool Checked)> Fields)? Form(string html)
    {
        var form = FormElement().Match(html);
        if (!form.Success)
        {
            return null;
        }

        var fields = InputElement().Matches(form.Groups["inside"].Value)
            .Select(i => i.Groups["attributes"].Value)
            .Select(a => (Name: Attribute(a, "name") ?? "", Value: Attribute(a, "value") ?? "", Type: Attribute(a, "type") ?? "text", Checked: Checked().IsMatch(a)))
            .Where(f => f.Name.Length > 0).ToList();
        return (Attribute(form.Groups["attributes"].Value, "method") ?? "get", Attribute(form.Groups["attributes"].Value, "action"), fields);
    }

    public static string? CardLink(string html) =>
        Link().Matches(html).Select(m => m.Groups["attributes"].Value).Where(a => Attribute(a, "id") == "card-login").Select(a => Attribute(a, "href")).FirstOrDefault();

    public static IReadOnlyList<string> Links(string html) => [.. Link().Matches(html).Select(m => Attribute(m.Groups["attributes"].Value, "href")).OfType<string>()];

    public static IReadOnlyList<string> Frames(string html) => [.. Frame().Matches(html).Select(m => Attribute(m.Groups["attributes"].Value, "src")).OfType<string>()];

    public static string Language(string html) => Html().Match(html).Groups["value"].Value;

    public static string Text(string html) => Space().Replace(Tag().Replace(html.Contains("<main", StringComparison.Ordinal) ? html[html.IndexOf("<main", StringComparison.Ordinal)..] : html, " "), " ").Trim() is var text && text.Length > 300 ? text[..300] : text;

    private static string? Attribute(string attributes, string name)
    {
        var match = Attributes().Matches(attributes).FirstOrDefault(m => m.Groups["name"].Value == name);
        return match is null ? null : WebUtility.HtmlDecode(match.Groups["value"].Value);
    }

    [GeneratedRegex("<form(?<attributes>[^>]*)>(?<inside>.*?)</form>", RegexOptions.Singleline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex FormElement();

    [GeneratedRegex("<(input|button)(?<attributes>[^>]*)>", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex InputElement();

    [GeneratedRegex("<a(?<attributes>\\s[^>]*)>", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Link();

    [GeneratedRegex("<iframe(?<attributes>\\s[^>]*)>", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Frame();

    [GeneratedRegex("<html lang=\"(?<value>[^\"]*)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Html();

    [GeneratedRegex("(?<name>[a-zA-Z-]+)=\"(?<value>[^\"]*)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Attributes();

    [GeneratedRegex("\\schecked(\\s|=|/|$)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Checked();

    [GeneratedRegex("<[^>]*>", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Tag();

    [GeneratedRegex("\\s+", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Space();
}
