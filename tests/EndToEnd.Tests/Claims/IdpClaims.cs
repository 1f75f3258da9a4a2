using System.Globalization;
using Trust.EndToEnd.Tests.Browser;

namespace Trust.EndToEnd.Tests.Claims;

/// <summary>What the provider does today where a review says that it should do otherwise; each comment says what is right. Whoever mends it turns the test.</summary>
public sealed class IdpClaims(RunningTrust trust)
{
    private static readonly CancellationToken None = CancellationToken.None;

    // On a shared workstation a session should end with the browser, or after minutes without use, or with the next login.
    [Fact]
    public async Task M12_A_session_outlives_the_browser_and_the_next_login()
    {
        var (urn, card) = await trust.NewPhysician(None);
        using var browser = new HandBrowser(trust);
        await browser.LogIn(card);
        Assert.True(browser.Session!.Expires > DateTime.Now.AddHours(3));
        using var next = new HandBrowser(trust);
        await next.LogIn(card);
        Assert.Equal(2, await Count($"SELECT count(*) FROM idp.sessions WHERE person = '{urn}' AND ended_at IS NULL"));
    }

    private async Task<long> Count(string sql) => long.Parse((await trust.Installation.Cluster!.Sql("trust", sql, None)).Trim(), CultureInfo.InvariantCulture);
}
