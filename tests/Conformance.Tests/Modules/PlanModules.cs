using Trust.Conformance.Tests.Suite;

namespace Trust.Conformance.Tests.Modules;

/// <summary>What the modules of every plan begin with.</summary>
internal abstract class PlanModules(ConformanceRun run, string plan, string variant) : IDisposable
{
    private readonly List<Browser> _browsers = [];

    protected ConformanceRun Run => run;

    protected Provider Provider => run.Provider;

    protected string PlanName => plan;

    protected string Variant => variant;

    protected bool Has(string part) => variant.Split('+').Contains(part, StringComparer.Ordinal);

    /// <summary>A browser without cookies.</summary>
    protected Browser NewBrowser()
    {
        var browser = new Browser(run);
        _browsers.Add(browser);
        return browser;
    }

    /// <summary>Skips where the provider does not claim a scope, as the suite does.</summary>
    protected async Task Needs(params string[] scopes)
    {
        var offered = await Provider.List("scopes_supported");
        var missing = scopes.Where(s => !offered.Contains(s, StringComparer.Ordinal)).ToList();
        Assert.SkipWhen(missing.Count > 0, "the suite's own reason to skip: scopes_supported has no " + string.Join(", ", missing));
    }

    /// <summary>Seconds of <c>auth_time</c> and <c>max_age</c> must pass, and nothing announces them.</summary>
    protected static Task Pass(TimeSpan time) => Task.Delay(time);

    public void Dispose()
    {
        foreach (var browser in _browsers)
        {
            browser.Dispose();
        }
    }
}
