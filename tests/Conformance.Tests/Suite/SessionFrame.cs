using System.Net;
using Microsoft.Playwright;

namespace Trust.Conformance.Tests.Suite;

/// <summary>Asks the provider's session frame in a real browser, from a page of the relying party (Session Management 1.0 3.1).</summary>
internal static class SessionFrame
{
    private static readonly SemaphoreSlim OneAtATime = new(1);

    /// <summary><c>unchanged</c>, <c>changed</c> or <c>error</c>, as the frame says.</summary>
    public static async Task<string> Ask(ConformanceRun run, Browser browser, RelyingParty client, string state)
    {
        await OneAtATime.WaitAsync();
        try
        {
            var frame = await run.Provider.Endpoint("check_session_iframe");
            var page = run.Receiver.Serve($"/frame-{run.Clients.Next()}", async asked =>
            {
                asked.Response.ContentType = "text/html";
                await asked.Response.WriteAsync($$"""
                    <!DOCTYPE html><title>RP</title><iframe id="op" src="{{frame}}"></iframe>
                    <script>
                    addEventListener('message', e => { if (e.origin === '{{run.Provider.Issuer}}') window.said = String(e.data); });
                    setInterval(() => document.getElementById('op').contentWindow.postMessage('{{client.Id}} {{state}}', '{{run.Provider.Issuer}}'), 200);
                    </script>
                    """);
            });
            using var playwright = await Playwright.CreateAsync();
            // Session Management lives by cookies in a frame of another site, which the person's browser must allow.
            var profile = TestKit.Scratch.Directory("chromium");
            Directory.CreateDirectory(Path.Combine(profile, "Default"));
            await File.WriteAllTextAsync(Path.Combine(profile, "Default", "Preferences"), """{"profile":{"block_third_party_cookies":false,"cookie_controls_mode":0}}""");
            await using var context = await playwright.Chromium.LaunchPersistentContextAsync(profile, new BrowserTypeLaunchPersistentContextOptions
            {
                ExecutablePath = "/usr/bin/chromium", IgnoreHTTPSErrors = true,
                Args = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.*", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
            });
            await context.AddCookiesAsync(browser.Cookies.GetCookies(new Uri(run.Provider.Issuer)).Select(c => Of(c, browser, run.Provider.Issuer)));
            var opened = await context.NewPageAsync();
            await opened.GotoAsync(page);
            await opened.WaitForFunctionAsync("() => window.said !== undefined", null, new PageWaitForFunctionOptions { Timeout = 20_000 });
            return await opened.EvaluateAsync<string>("() => window.said");
        }
        finally
        {
            OneAtATime.Release();
        }
    }

    private static Microsoft.Playwright.Cookie Of(System.Net.Cookie cookie, Browser browser, string issuer)
    {
        var set = browser.SetCookies.GetValueOrDefault(cookie.Name, "");
        return new Microsoft.Playwright.Cookie
        {
            Name = cookie.Name, Value = cookie.Value, Url = issuer + "/", Secure = cookie.Secure, HttpOnly = cookie.HttpOnly,
            SameSite = set.Contains("samesite=none", StringComparison.OrdinalIgnoreCase) ? SameSiteAttribute.None
                : set.Contains("samesite=strict", StringComparison.OrdinalIgnoreCase) ? SameSiteAttribute.Strict : SameSiteAttribute.Lax,
        };
    }
}
