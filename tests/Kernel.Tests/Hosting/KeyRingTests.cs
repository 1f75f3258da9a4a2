using System.Security.Cryptography;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Hosting;

public sealed class KeyRingTests : IAsyncLifetime
{
    private readonly List<ServiceProvider> _instances = [];
    private TestDatabase _database = null!;
    private Pkcs11Token _token = null!;

    public async ValueTask InitializeAsync()
    {
        _database = await TestDatabase.Create("test");
        _token = await Tokens.NewToken();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var instance in _instances)
        {
            await instance.DisposeAsync();
        }

        await _token.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task Two_instances_share_the_token_of_a_form()
    {
        var shown = new DefaultHttpContext { RequestServices = Instance() };
        var form = shown.RequestServices.GetRequiredService<IAntiforgery>().GetAndStoreTokens(shown);
        var cookie = shown.Response.Headers.SetCookie.ToString().Split(';')[0];

        async Task<bool> Posts(string field)
        {
            var posted = new DefaultHttpContext { RequestServices = Instance() };
            posted.Request.Method = "POST";
            posted.Request.Headers.Cookie = cookie;
            posted.Request.ContentType = "application/x-www-form-urlencoded";
            posted.Request.Form = new FormCollection(new() { [form.FormFieldName] = field });
            return await posted.RequestServices.GetRequiredService<IAntiforgery>().IsRequestValidAsync(posted);
        }

        Assert.True(await Posts(form.RequestToken!));
        Assert.False(await Posts(form.RequestToken![..^4] + "AAAA"));
        Assert.Single(await Documents());
    }

    [Fact]
    public async Task No_key_material_is_stored_in_clear()
    {
        _ = Instance().GetDataProtector("x").Protect([1]);
        var document = Assert.Single(await Documents());
        Assert.Contains("wrapped by=\"data-protection\"", document, StringComparison.Ordinal);
        Assert.DoesNotContain("masterKey", document, StringComparison.Ordinal);
        Assert.DoesNotContain("<value>", document, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("UPDATE key_ring SET document = replace(document, '<expirationDate>2', '<expirationDate>3')")]
    [InlineData("UPDATE key_ring SET document = replace(document, 'wrapped by', 'wrapped of')")]
    [InlineData("UPDATE key_ring SET name = 'another'")]
    [InlineData("UPDATE key_ring SET seal = set_byte(seal, 20, (get_byte(seal, 20) + 1) % 256)")]
    [InlineData("INSERT INTO key_ring SELECT 'copy', document, seal, created_at FROM key_ring")]
    [InlineData("INSERT INTO key_ring VALUES ('own', '<key id=\"x\" version=\"1\"/>', '\\x00', now())")]
    public async Task A_row_that_was_changed_or_added_is_refused_and_makes_the_service_unready(string change)
    {
        var before = Instance();
        _ = before.GetDataProtector("x").Protect([1]);
        Assert.True((await Check(before)).Ready);
        await using (var command = _database.Owner.CreateCommand(change))
        {
            Assert.Equal(1, await command.ExecuteNonQueryAsync());
        }

        var after = Instance();
        Assert.NotNull(Record.Exception(() => after.GetDataProtector("x").Protect([1])));
        Assert.NotNull(await Record.ExceptionAsync(() => Check(after)));
    }

    [Fact]
    public async Task What_one_service_protects_another_cannot_open()
    {
        var text = Instance().GetDataProtector("x").Protect([1]);
        Assert.Throws<CryptographicException>(() => Instance("other").GetDataProtector("x").Unprotect(text));
        Assert.Equal([1], Instance().GetDataProtector("x").Unprotect(text));
        Assert.Equal(KeyAlgorithm.Aes256, (await _token.Find(KeyRing.Key, default))?.Algorithm);
    }

    private static async Task<Readiness> Check(ServiceProvider instance) => await instance.GetRequiredService<IReadinessCheck>().Check(default);

    private Task<List<string>> Documents() => _database.Runtime.Sql("SELECT document FROM key_ring").All(r => r.GetString(0), default);

    private ServiceProvider Instance(string service = "test")
    {
        var services = new ServiceCollection();
        services.AddLogging(l => l.ClearProviders()).AddSingleton(_database.Runtime).AddSingleton<IToken>(_token).AddSingleton(TimeProvider.System);
        services.AddAntiforgery();
        KeyRing.Add(services, service);
        var instance = services.BuildServiceProvider();
        _instances.Add(instance);
        return instance;
    }
}
