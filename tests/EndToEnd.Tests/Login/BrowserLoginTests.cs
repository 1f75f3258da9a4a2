using System.Security.Cryptography;
using System.Text;
using Microsoft.Playwright;
using Trust.EndToEnd.Tests.Browser;

namespace Trust.EndToEnd.Tests.Login;

/// <summary>What a doctor sees, in real Chromium, with a key that lives in a SoftHSM token.</summary>
public sealed class BrowserLoginTests(RunningTrust trust)
{
    private string Authorize(string scope) => trust.Installation.Addresses.Idp + "/authorize?response_type=code&client_id=his-shuan&redirect_uri="
        + Uri.EscapeDataString(RunningTrust.Redirect) + "&scope=" + Uri.EscapeDataString(scope) + "&state=s-1&code_challenge="
        + System.Buffers.Text.Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(new string('v', 43)))) + "&code_challenge_method=S256";

    [Fact]
    public async Task A_doctor_logs_in_with_the_key_in_the_token_and_the_token_log_shows_the_signature()
    {
        var (_, card) = await trust.NewPhysician(CancellationToken.None);
        await using var browser = await CardBrowser.Start(trust.Installation, card.Label, CancellationToken.None);
        var page = await browser.Context.NewPageAsync();
        await page.GotoAsync(Authorize("openid profile rx.sign"));
        Assert.Equal("zh-CN", await page.Locator("html").GetAttributeAsync("lang"));
        await Screenshot(page, "login");
        // By keyboard alone: the button has the focus when the page opens.
        await page.Locator("#card-login:focus").WaitForAsync();
        await page.Keyboard.PressAsync("Enter");
        await Consents(page);
        Assert.Contains("测试", await page.Locator("main").InnerTextAsync(), StringComparison.Ordinal);
        await Screenshot(page, "consent");
        var answered = page.WaitForRequestAsync(r => r.Url.StartsWith(RunningTrust.Redirect, StringComparison.Ordinal));
        await page.Locator("button[value=accept]").ClickAsync();
        var callback = new Uri((await answered).Url);
        Assert.Contains("code=", callback.Query, StringComparison.Ordinal);
        Assert.Contains("state=s-1", callback.Query, StringComparison.Ordinal);
        Assert.Contains("iss=" + Uri.EscapeDataString(trust.Installation.Addresses.Idp), callback.Query, StringComparison.Ordinal);
        var calls = await File.ReadAllTextAsync(browser.CallLog);
        Assert.Contains("C_SignInit", calls, StringComparison.Ordinal);
        Assert.Contains("C_Sign\n", calls, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_browser_without_a_card_is_told_what_to_do_and_the_page_switches_to_English()
    {
        await using var browser = await CardBrowser.Start(trust.Installation, null, CancellationToken.None);
        var page = await browser.Context.NewPageAsync();
        await page.GotoAsync(Authorize("openid"));
        await page.Locator("#card-login").ClickAsync();
        await page.Locator("[role=alert]").WaitForAsync();
        Assert.Contains("没有检测到证书", await page.Locator("[role=alert]").InnerTextAsync(), StringComparison.Ordinal);
        await page.Locator("a.language").ClickAsync();
        Assert.Contains("No certificate was shown", await page.Locator("[role=alert]").InnerTextAsync(), StringComparison.Ordinal);
        await Screenshot(page, "no-card-en");
    }

    [Fact]
    public async Task No_page_runs_a_script_and_none_may_be_framed()
    {
        await using var browser = await CardBrowser.Start(trust.Installation, null, CancellationToken.None);
        var page = await browser.Context.NewPageAsync();
        var response = await page.GotoAsync(Authorize("openid"));
        var policy = await response!.HeaderValueAsync("content-security-policy");
        Assert.StartsWith("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.Equal(0, await page.Locator("script").CountAsync());
        Assert.Equal(0, await page.Locator("[style]").CountAsync());
    }

    // Whatever page came instead says why.
    private static async Task Consents(IPage page)
    {
        try
        {
            await page.WaitForURLAsync("**/consent**");
        }
        catch (TimeoutException)
        {
            await Screenshot(page, "no-consent");
            Assert.Fail($"No consent page, but {page.Url}: {await page.Locator("body").InnerTextAsync()}");
        }
    }

    private static Task<byte[]> Screenshot(IPage page, string name)
    {
        var folder = Path.Combine(Trust.Cli.Program.RepositoryRoot(), ".trust", "screenshots");
        return page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder, name + ".png"), FullPage = true });
    }
}
