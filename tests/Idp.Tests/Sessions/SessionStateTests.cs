using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Trust.Idp.Login;
using Trust.Idp.Sessions;

namespace Trust.Idp.Tests.Sessions;

public sealed class SessionStateTests
{
    private static readonly Session Someone = new(Guid.Parse("0199a6f2-0000-7000-8000-000000000001"), "p", "c", new CardHolder("p", "n", "u", "good", []), DateTimeOffset.UnixEpoch);

    // Session Management 1.0 section 4.2: the frame's script computes the same from the cookie.
    [Fact]
    public void A_session_state_is_the_salted_hash_over_client_origin_and_browser_state()
    {
        var state = SessionState.For("rp", SessionState.OriginOf("https://rp.example/cb?x=1"), Someone);
        var (hash, salt) = (state.Split('.')[0], state.Split('.')[1]);
        Assert.Equal(Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes($"rp https://rp.example {SessionState.OfBrowser(Someone)} {salt}"))), hash);
        Assert.NotEqual(state, SessionState.For("rp", "https://rp.example", Someone));
    }

    [Fact]
    public void Another_session_has_another_state_and_the_cookie_is_no_identifier_of_it()
    {
        Assert.NotEqual(SessionState.OfBrowser(Someone), SessionState.OfBrowser(Someone with { Id = Guid.Empty }));
        Assert.DoesNotContain(Someone.Id.ToString("N"), SessionState.OfBrowser(Someone), StringComparison.Ordinal);
    }

    [Fact]
    public void An_origin_has_no_default_port() => Assert.Equal("https://rp.example", SessionState.OriginOf("https://rp.example:443/cb"));
}
