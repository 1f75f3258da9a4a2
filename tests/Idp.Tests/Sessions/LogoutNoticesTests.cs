using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Trust.Idp.Clients;
using Trust.Idp.Keys;
using Trust.Idp.Sessions;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.Idp.Tests.Sessions;

/// <summary>Back-channel logout: what is due arrives once, signed as the client registered; a receiver that is away is tried again by itself, and given up in the end.</summary>
public sealed class LogoutNoticesTests : IAsyncLifetime
{
    private const string Issuer = "https://idp.example";
    private const string Rows = """
        INSERT INTO sessions (id, cookie_hash, person, certificate, holder, region, authenticated_at, expires_at) VALUES ($1, '\x01', 'urn:mdid:p:x', 'c', '{}', '510000', now(), now());
        """;
    private const string Due = "INSERT INTO logout_notices (session_id, client_id, created_at, next_at) VALUES ($1, $2, $3, $3)";

    private static readonly CancellationToken None = CancellationToken.None;
    private readonly ManualClock _clock = new(TimeProvider.System.GetUtcNow());
    private readonly ConcurrentQueue<(string Path, string Token, string Type)> _received = new();
    private readonly WebApplication _app;
    private readonly Guid _session = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
    private TestDatabase _database = null!;
    private Pkcs11Token _token = null!;
    private Outbound _outbound = null!;
    private SigningKeys _keys = null!;
    private Subjects _subjects = null!;
    private LogoutNotices _notices = null!;
    private int _status = 200;

    public LogoutNoticesTests()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        _app = builder.Build();
        _app.MapPost("/logout/{client}", async (HttpContext context, string client) =>
        {
            var form = await context.Request.ReadFormAsync();
            _received.Enqueue((client, form["logout_token"].ToString(), context.Request.ContentType!));
            if (_status == 302)
            {
                context.Response.Headers.Location = "/elsewhere";
            }

            context.Response.StatusCode = client == "bad" ? 400 : _status;
        });
        _app.Map("/elsewhere", () => _received.Enqueue(("followed", "", "")));
    }

    public async ValueTask InitializeAsync()
    {
        await _app.StartAsync();
        _database = await TestDatabase.Create("idp", typeof(Program).Assembly);
        _token = await Tokens.NewToken("idp");
        var peer = new PeerOptions { Name = "rp", Address = new Uri(_app.Urls.First()), Region = "510000" };
        var gate = TestDeclaration.Gate(null, peer);
        _outbound = new Outbound([peer], null, gate, new NameResolver([], gate));
        var outbox = new Outbox(
            _database.Runtime, new AuditOptions { Source = "idp", Region = "510000", Node = "n" }, new OutboxState(_clock), new ReceiptBoard(), _clock, new GroupCommit(_database.Runtime));
        var options = new IdpOptions { Issuer = Issuer, CardUrl = "https://card.example" };
        _keys = new SigningKeys(_database.Runtime, _token, outbox, options, _clock, NullLogger<SigningKeys>.Instance);
        await _keys.Start(None);
        _subjects = new Subjects(_token);
        _notices = new LogoutNotices(
            _database.Runtime, _outbound, new ClientStore(_database.Runtime, _clock), _subjects, _keys, outbox, options, _clock, NullLogger<LogoutNotices>.Instance);
        await _database.Owner.Sql(Rows).With(_session).Execute(None);
    }

    public async ValueTask DisposeAsync()
    {
        _outbound.Dispose();
        await _token.DisposeAsync();
        await _database.DisposeAsync();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    [Fact]
    public async Task A_notice_is_a_logout_token_of_the_specification_and_leaves_nothing_behind()
    {
        await Queue("good");
        await _notices.Round(None);
        var (_, value, type) = Assert.Single(_received);
        Assert.Equal("application/x-www-form-urlencoded", type);
        var token = new JsonWebToken(value);
        var verified = await new JsonWebTokenHandler().ValidateTokenAsync(value, new TokenValidationParameters
        {
            ValidTypes = ["logout+jwt"], ValidAlgorithms = ["ES256"], ValidIssuer = Issuer, ValidAudience = "good", IssuerSigningKeys = _keys.ToVerify,
            LifetimeValidator = (_, expires, _, _) => expires is { } end && end > _clock.GetUtcNow().UtcDateTime && end <= _clock.GetUtcNow().UtcDateTime.AddMinutes(2),
        });
        Assert.True(verified.IsValid, verified.Exception?.Message);
        Assert.Equal("urn:mdid:p:x", token.Subject);
        Assert.Equal(_session.ToString(), token.GetPayloadValue<string>("sid"));
        Assert.NotEmpty(token.Id);
        Assert.False(token.TryGetPayloadValue<string>("nonce", out _));
        using var payload = JsonDocument.Parse(Base64UrlEncoder.DecodeBytes(token.EncodedPayload));
        var events = payload.RootElement.GetProperty("events");
        Assert.Equal("{}", events.GetProperty("http://schemas.openid.net/event/backchannel-logout").GetRawText());
        await _notices.Round(None);
        Assert.Single(_received);
        Assert.Equal(0, await Left());
    }

    [Fact]
    public async Task A_pairwise_client_is_told_its_own_name_for_the_person()
    {
        await Queue("pair", "pairwise");
        await _notices.Round(None);
        var subject = new JsonWebToken(Assert.Single(_received).Token).Subject;
        Assert.Equal(43, subject.Length);
        Assert.Equal(subject, await _subjects.Of(Client("pair", "pairwise"), "urn:mdid:p:x", None));
    }

    [Fact]
    public async Task A_receiver_that_refuses_delays_no_other_and_is_tried_again_until_ten_minutes_are_over_and_then_an_event_says_so()
    {
        await Queue("bad");
        await Queue("good");
        await _notices.Round(None);
        Assert.Equal(["bad", "good"], _received.Select(r => r.Path).Order(StringComparer.Ordinal));
        Assert.Equal(1, await Left());
        await _notices.Round(None);
        Assert.Equal(2, _received.Count);
        _clock.Advance(TimeSpan.FromSeconds(3));
        await _notices.Round(None);
        Assert.Equal(3, _received.Count);
        _clock.Advance(TimeSpan.FromMinutes(10));
        await _notices.Round(None);
        Assert.Equal(0, await Left());
        Assert.Equal(1, await Count("SELECT count(*) FROM audit_outbox WHERE action = 'AUTH.logout' AND convert_from(body, 'UTF8') LIKE '%logout-notice-undelivered%'"));
    }

    [Fact]
    public async Task A_redirect_is_not_followed()
    {
        _status = 302;
        await Queue("good");
        await _notices.Round(None);
        Assert.Equal("good", Assert.Single(_received).Path);
        Assert.Equal(1, await Left());
    }

    [Fact]
    public async Task An_address_that_is_no_declared_peer_is_never_connected_to()
    {
        await Queue("good", address: "http://127.0.0.1:9/logout/good");
        await _notices.Round(None);
        Assert.Empty(_received);
        Assert.Equal(1, await Left());
        Assert.Null(_outbound.PeerAt(new Uri("http://127.0.0.1:9/")));
        Assert.Null(_outbound.PeerAt(new Uri(_app.Urls.First().Replace("http", "https", StringComparison.Ordinal))));
        Assert.Equal("rp", _outbound.PeerAt(new Uri(_app.Urls.First() + "/logout/good")));
    }

    [Fact]
    public async Task Fifty_instances_at_once_deliver_a_notice_once()
    {
        await Queue("good");
        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => _notices.Round(None)));
        Assert.Single(_received);
    }

    private Client Client(string id, string subject, string? address = null) => new(
        id, id, id, false, "standard", ["https://rp.example/cb"], [], ["authorization_code"], ["openid"], ["r"], null, null, null, "510000")
    {
        Metadata = new ClientMetadata { SubjectType = subject, BackchannelLogoutUri = address ?? _app.Urls.First() + "/logout/" + id },
    };

    private async Task Queue(string id, string subject = "public", string? address = null)
    {
        await using var connection = await _database.Runtime.OpenConnectionAsync();
        await using var tx = await connection.BeginTransactionAsync();
        await ClientStore.Put(tx, Client(id, subject, address), None);
        await tx.Sql(Due).With(_session).With(id).With(_clock.GetUtcNow()).Execute(None);
        await tx.CommitAsync();
    }

    private Task<long> Left() => Count("SELECT count(*) FROM logout_notices");

    private async Task<long> Count(string sql)
    {
        await using var command = _database.Owner.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
