using Microsoft.AspNetCore.Http;
using Trust.Idp.Login;
using Trust.Idp.Sessions;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.TestKit;

namespace Trust.Idp.Tests.Sessions;

/// <summary>What ends a session, what keeps it, and what hangs on it.</summary>
public sealed class SessionStoreTests : IAsyncLifetime
{
    private const string Family = """
        INSERT INTO refresh_families (id, client_id, session_id, person, institution, scope, resource, region, created_at, expires_at)
        VALUES ($1, 'his', $2, 'p', 'o', 'openid', 'r', '510000', now(), now() + interval '1 day')
        """;
    private const string AddClient = """
        INSERT INTO clients (client_id, name_zh, name_en, kind, profile, redirect_uris, post_logout_redirect_uris, grant_types, scopes, resources, region, metadata)
        VALUES ($1, 'n', 'n', 'confidential', 'standard', '{}', '{}', '{}', '{}', '{r}', '510000', $2)
        """;
    private const string AddToken = "INSERT INTO tokens (jti, client_id, session_id, subject, issued_at, expires_at) VALUES ($1, $2, $3, 'p', now(), now())";

    private const string First = "1111111111111111111111111111111111111111111111111111111111111111";
    private const string Second = "2222222222222222222222222222222222222222222222222222222222222222";
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly ManualClock _clock = new(TimeProvider.System.GetUtcNow());
    private TestDatabase _database = null!;
    private SessionStore _sessions = null!;

    public async ValueTask InitializeAsync()
    {
        _database = await TestDatabase.Create("idp", typeof(Program).Assembly);
        var audit = new AuditOptions { Source = "idp", Region = "510000", Node = "n" };
        _sessions = new SessionStore(
            _database.Runtime, new Outbox(_database.Runtime, audit, new OutboxState(_clock), new ReceiptBoard(), _clock, new GroupCommit(_database.Runtime)),
            new IdpOptions { Issuer = "https://idp.example", CardUrl = "https://card.example" },
            new ServiceOptions { Region = "510000", Node = "n", PublicDirectory = "/none", DataDirectory = "/none" }, _clock);
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task A_session_that_nobody_uses_for_a_quarter_of_an_hour_is_none_and_one_in_use_goes_on()
    {
        var (_, cookie) = await Open("p", First, null);
        for (var i = 0; i < 4; i++)
        {
            _clock.Advance(TimeSpan.FromMinutes(14));
            Assert.NotNull(await _sessions.Find(With(cookie), None));
        }

        _clock.Advance(TimeSpan.FromMinutes(15));
        Assert.Null(await _sessions.Find(With(cookie), None));
        // It can still be ended, with what hangs on it.
        Assert.NotNull(await _sessions.FindToEnd(With(cookie), None));
    }

    [Fact]
    public async Task However_much_it_is_used_a_session_ends_after_its_life()
    {
        var (_, cookie) = await Open("p", First, null);
        for (var i = 0; i < 24; i++)
        {
            _clock.Advance(TimeSpan.FromMinutes(10));
            await _sessions.Find(With(cookie), None);
        }

        Assert.Null(await _sessions.Find(With(cookie), None));
    }

    [Fact]
    public async Task A_use_is_written_once_a_minute_at_most()
    {
        var (session, cookie) = await Open("p", First, null);
        var opened = await LastUse(session.Id);
        _clock.Advance(TimeSpan.FromSeconds(59));
        await _sessions.Find(With(cookie), None);
        Assert.Equal(opened, await LastUse(session.Id));
        _clock.Advance(TimeSpan.FromSeconds(1));
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => _sessions.Find(With(cookie), None)));
        Assert.Equal(opened.AddMinutes(1), await LastUse(session.Id));
    }

    [Fact]
    public async Task The_same_card_again_renews_the_session_under_another_cookie_and_logs_nobody_out()
    {
        var (session, cookie) = await Open("p", First, null);
        _clock.Advance(TimeSpan.FromMinutes(5));
        var (again, next) = await Open("p", First, cookie);
        Assert.Equal(session.Id, again.Id);
        Assert.True(again.AuthenticatedAt > session.AuthenticatedAt);
        Assert.NotEqual(cookie, next);
        Assert.Null(await _sessions.FindToEnd(With(cookie), None));
        Assert.Equal(["AUTH.login card", "AUTH.login card"], await Events());
    }

    [Theory]
    [InlineData("q", Second)]
    [InlineData("p", Second)]
    public async Task Another_card_in_the_same_browser_ends_the_session_before_it(string person, string certificate)
    {
        var (session, cookie) = await Open("p", First, null);
        var (next, _) = await Open(person, certificate, cookie);
        Assert.NotEqual(session.Id, next.Id);
        Assert.Null(await _sessions.Find(session.Id, None));
        Assert.Equal(["AUTH.login card", "AUTH.login card", "AUTH.logout replaced"], await Events());
    }

    [Fact]
    public async Task The_end_of_a_session_ends_its_refresh_families_and_queues_a_notice_to_each_system_that_had_tokens_and_registered_for_it()
    {
        await _database.Runtime.Sql(AddClient).With("told").With("""{"backchannel_logout_uri":"https://rp.example/logout"}""").Execute(None);
        await _database.Runtime.Sql(AddClient).With("untold").With("{}").Execute(None);
        var (session, _) = await Open("p", First, null);
        var (other, _) = await Open("p", First, null);
        await _database.Runtime.Sql(Family).With(Guid.CreateVersion7(_clock.GetUtcNow())).With(session.Id).Execute(None);
        foreach (var (jti, client, sid) in new[] { ("1", "told", session.Id), ("2", "told", session.Id), ("3", "untold", session.Id), ("4", "told", other.Id) })
        {
            await _database.Runtime.Sql(AddToken).With(jti).With(client).With(sid).Execute(None);
        }

        Assert.True(await _sessions.End(session, "logout", None));
        Assert.False(await _sessions.End(session, "logout", None));
        Assert.Equal([$"{session.Id} told"], await Texts("SELECT session_id || ' ' || client_id FROM logout_notices"));
        Assert.Equal(["logout"], await Texts("SELECT end_reason FROM refresh_families"));
        Assert.Equal(1, await _sessions.EndAllOfPerson("p", "logout-everywhere", None));
        Assert.Null(await _sessions.Find(other.Id, None));
        Assert.Equal(2, (await Texts("SELECT client_id FROM logout_notices")).Count);
    }

    private static DefaultHttpContext With(string cookie)
    {
        var context = new DefaultHttpContext();
        context.Request.Headers.Cookie = "__Host-session=" + cookie;
        return context;
    }

    private async Task<(Session Session, string Cookie)> Open(string person, string certificate, string? before)
    {
        await using var connection = await _database.Runtime.OpenConnectionAsync();
        await using var tx = await connection.BeginTransactionAsync();
        var opened = await _sessions.Open(tx, new ProvenCard(new CardHolder(person, "张", "authentication", "good", []), certificate, AuthenticationContext.Card), null, before, None);
        await tx.CommitAsync();
        return opened!.Value;
    }

    private async Task<DateTimeOffset> LastUse(Guid session) =>
        (await _database.Owner.Sql("SELECT last_used_at FROM sessions WHERE id = $1").With(session).All(r => r.GetFieldValue<DateTimeOffset>(0), None))[0];

    private Task<List<string>> Events() => Texts("SELECT action || ' ' || (convert_from(body, 'UTF8')::json ->> 'reason') FROM audit_outbox ORDER BY 1");

    private async Task<List<string>> Texts(string sql)
    {
        await using var command = _database.Owner.CreateCommand(sql);
        var texts = new List<string>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            texts.Add(reader.GetString(0));
        }

        return texts;
    }
}
