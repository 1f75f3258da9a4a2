using Trust.Idp.Clients;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.Idp.Tests.Clients;

/// <summary>Pairwise subjects (OpenID Connect Core 8.1): the same within a sector, unlike across, and made by a key of the token.</summary>
public sealed class SubjectsTests : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private Pkcs11Token _token = null!;

    public async ValueTask InitializeAsync() => _token = await Tokens.NewToken("idp");

    public ValueTask DisposeAsync() => _token.DisposeAsync();

    [Fact]
    public async Task A_sector_knows_a_person_by_one_name_another_by_another_and_a_public_client_by_the_registrys()
    {
        var subjects = new Subjects(_token);
        var a = await subjects.Of(Client("https://a.example/cb"), "urn:p", None);
        Assert.Equal(a, await subjects.Of(Client("https://a.example/other"), "urn:p", None));
        Assert.Equal(a, await new Subjects(_token).Of(Client("https://a.example/cb"), "urn:p", None));
        Assert.Equal(a, await subjects.Of(Client("https://b.example/cb", sector: "https://a.example/list.json"), "urn:p", None));
        Assert.NotEqual(a, await subjects.Of(Client("https://b.example/cb"), "urn:p", None));
        Assert.NotEqual(a, await subjects.Of(Client("https://a.example/cb"), "urn:q", None));
        Assert.Equal("urn:p", await subjects.Of(Client("https://a.example/cb", type: "public"), "urn:p", None));
        Assert.True(await subjects.Is(Client("https://a.example/cb"), "urn:p", a, None));
        Assert.False(await subjects.Is(Client("https://a.example/cb"), "urn:p", "urn:p", None));
    }

    [Fact]
    public void Redirects_at_two_hosts_need_a_document_that_joins_them()
    {
        Assert.NotNull(ClientRules.Broken(Client("https://a.example/cb", more: "https://b.example/cb")));
        Assert.Null(ClientRules.Broken(Client("https://a.example/cb", more: "https://b.example/cb", sector: "https://a.example/list.json")));
        Assert.Null(ClientRules.Broken(Client("https://a.example/cb", more: "https://a.example/other")));
    }

    private static Client Client(string redirect, string? more = null, string type = "pairwise", string? sector = null) => new(
        "c", "c", "c", true, "standard", more is null ? [redirect] : [redirect, more], [], ["authorization_code"], ["openid"], ["r"], null, null, null, "510000")
    {
        Metadata = new ClientMetadata { SubjectType = type, SectorIdentifierUri = sector, TokenEndpointAuthMethod = "none" },
    };
}
