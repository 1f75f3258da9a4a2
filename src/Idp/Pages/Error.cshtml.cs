using System.Globalization;

namespace Trust.Idp.Pages;

/// <summary>Refusals that cannot be told to the relying party.</summary>
public sealed class ErrorModel(IdpOptions options, TimeProvider clock, ILogger<ErrorModel> log) : TrustPage
{
    /// <inheritdoc/>
    public override string TitleKey => "error.title";

    /// <summary>The rule, as a code for whoever is asked for help.</summary>
    public string Rule { get; private set; } = "";

    /// <summary>What happened and what to do.</summary>
    public string Sentence { get; private set; } = "";

    /// <summary>Finds this refusal in the log again.</summary>
    public string Reference => HttpContext.TraceIdentifier;

    /// <summary>When it was, Beijing time.</summary>
    public string At => clock.GetUtcNow().ToOffset(TimeSpan.FromHours(8)).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>Whom to call.</summary>
    public string Help => HelpOf(options);

    /// <summary>Shows the refusal.</summary>
    public void OnGet(string? rule)
    {
        RememberLanguage();
        // Only known codes are repeated: the page must not become a billboard for whoever crafts a link.
        var told = RefusalPage.Of(HttpContext);
        Rule = (told?.Name ?? rule) is { } known && T.ContainsKey("refused." + known) ? known : "other";
        Sentence = Texts.Refusal(T, Rule);
        Response.StatusCode = told?.Status ?? StatusCodes.Status400BadRequest;
        IdpLog.PageRefused(log, Rule, Reference);
    }
}
