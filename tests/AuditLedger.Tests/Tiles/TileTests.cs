using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Trust.Cli.Local;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Tiles;

/// <summary>The log as a C2SP tlog-tiles reader sees it over HTTP.</summary>
public sealed class TileTests : IAsyncLifetime
{
    private const string Witness = "witness";

    private readonly TokenOptions _token = Tokens.NewOptions("ledger");
    private LedgerFixture _fixture = null!;
    private TokenIssuer _issuer = null!;
    private RunningLedger _ledger = null!;
    private HttpClient _ca = null!;
    private LedgerLink _link = null!;
    private TestProducer _producer = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await LedgerFixture.Create();
        _fixture.AddAbsentWitness(Witness);
        _fixture.Tokens = _issuer = await TokenIssuer.Start();
        _ledger = await _fixture.Start(_token);
        await _ledger.Leads();
        _ca = _fixture.Client("ca", _ledger.Address);
        _link = new LedgerLink(_ca, "ca");
        await _link.OpenEpoch(new string('0', 64), default);
        _producer = _fixture.Producer("ca");
        Assert.IsType<PostOutcome.Accepted>(await _link.Post(_producer.Next(TestProducer.Ceremony()), 1, default));
    }

    public async ValueTask DisposeAsync()
    {
        _ca.Dispose();
        await _ledger.DisposeAsync();
        await _issuer.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task A_foreign_client_rebuilds_the_root_from_tiles_and_from_entry_bundles()
    {
        await Grow(700);
        var (certificate, key) = _fixture.PemFiles(Witness);
        var script = Path.Combine(AppContext.BaseDirectory, "Foreign", "rebuild_root.py");
        var head = await Head();
        var expected = string.Create(CultureInfo.InvariantCulture, $"{head.Size} {Convert.ToBase64String(head.Root)}");
        Assert.Equal(expected, (await Command.Run("python3", [script, _ledger.Address.ToString()], default)).Trim());
        Assert.Equal(expected, (await Command.Run("python3", [script, _ledger.Address.ToString(), certificate, key], default)).Trim());
    }

    [Fact]
    public async Task The_client_library_of_the_Go_checksum_database_reads_the_log_and_checks_random_proofs()
    {
        await Grow(1500);
        var (certificate, key) = _fixture.PemFiles(Witness);
        var client = Path.Combine(_fixture.Directory, "sumdb_client");
        // Debian's packages lie where GOPATH says; nothing is fetched.
        var go = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["GO111MODULE"] = "off", ["GOPATH"] = "/usr/share/gocode", ["GOCACHE"] = Path.Combine(_fixture.Directory, "go"), ["GOFLAGS"] = "",
        };
        await Command.Run("go", ["build", "-o", client, Path.Combine(AppContext.BaseDirectory, "Foreign", "sumdb_client.go")], default, environment: go);
        var vkey = (await File.ReadAllLinesAsync(Path.Combine(_fixture.Public, "ledger.vkeys"))).Single(l => Convert.FromBase64String(l.Split('+', 3)[2])[0] == 0x01);
        var proofs = Environment.GetEnvironmentVariable("TRUST_TEST_LONG") is null ? 200 : 5000;
        string[] arguments = [_ledger.Address.ToString(), vkey, proofs.ToString(CultureInfo.InvariantCulture), certificate, key, RandomNumberGenerator.GetInt32(1 << 30).ToString(CultureInfo.InvariantCulture)];
        var said = await Command.Run(client, arguments, default);
        var size = (await Head()).Size;
        Assert.Equal(string.Create(CultureInfo.InvariantCulture, $"{size} {2 * proofs}"), said.Trim());
    }

    [Fact]
    public async Task A_full_tile_stays_the_same_bytes_and_every_partial_tile_stays_a_beginning_of_it()
    {
        var seen = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        for (var round = 0; round < 12; round++)
        {
            await Grow(1 + RandomNumberGenerator.GetInt32(120));
            var size = (await Head()).Size;
            for (long first = 0; first < size; first += 256)
            {
                var width = (int)Math.Min(256, size - first);
                var path = string.Create(CultureInfo.InvariantCulture, $"tile/0/{first / 256:000}{(width == 256 ? "" : $".p/{width}")}");
                seen[path] = await _ca.GetByteArrayAsync(path);
            }

            foreach (var (path, bytes) in seen)
            {
                Assert.Equal(bytes, await _ca.GetByteArrayAsync(path));
                var longest = seen.Where(s => s.Key[..10] == path[..10]).MaxBy(s => s.Value.Length).Value;
                Assert.Equal(bytes, longest[..bytes.Length]);
            }
        }

        Assert.Contains(seen, s => s.Value.Length == 8192);
    }

    [Fact]
    public async Task Only_what_a_published_checkpoint_covers_is_served()
    {
        await Grow(300);
        var size = (int)(await Head()).Size;
        Assert.Equal(HttpStatusCode.OK, await Status("tile/0/000"));
        Assert.Equal(HttpStatusCode.OK, await Status($"tile/0/001.p/{size - 256}"));
        Assert.Equal(HttpStatusCode.NotFound, await Status($"tile/0/001.p/{size - 255}"));
        Assert.Equal(HttpStatusCode.NotFound, await Status("tile/0/001"));
        Assert.Equal(HttpStatusCode.OK, await Status("tile/1/000.p/1"));
        Assert.Equal(HttpStatusCode.NotFound, await Status("tile/1/000.p/2"));
        Assert.Equal(HttpStatusCode.NotFound, await Status("tile/2/000.p/1"));
        Assert.Equal(HttpStatusCode.NotFound, await Status("tile/9/000.p/1"));
        Assert.Equal(HttpStatusCode.NotFound, await Status("tile/0/x000/000"));
        // Exactly these bytes: the platform would otherwise write %30 as 0.
        using var spelt = await _ca.GetAsync(new Uri(_ledger.Address + "tile/%30/000", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        Assert.Equal(HttpStatusCode.NotFound, spelt.StatusCode);
    }

    [Fact]
    public async Task Full_tiles_are_cached_for_ever_partial_ones_shortly_and_the_checkpoint_for_a_second()
    {
        await Grow(300);
        Assert.Equal("public, max-age=31536000, immutable", await CacheControl("tile/0/000"));
        Assert.Equal("public, max-age=60", await CacheControl("tile/0/001.p/3"));
        Assert.Equal("public, max-age=1", await CacheControl("checkpoint"));
        using var tile = await _ca.GetAsync("tile/0/000");
        Assert.Equal("application/octet-stream", tile.Content.Headers.ContentType!.ToString());
    }

    [Fact]
    public async Task No_query_changes_an_answer()
    {
        await Grow(300);
        Assert.Equal(await _ca.GetByteArrayAsync("tile/0/000"), await _ca.GetByteArrayAsync("tile/0/000?size=5&level=1&path=9"));
        Assert.Equal(await _ca.GetByteArrayAsync("tile/1/000.p/1"), await _ca.GetByteArrayAsync("tile/1/000.p/1?level=0"));
        Assert.Equal(await _ca.GetByteArrayAsync("checkpoint"), await _ca.GetByteArrayAsync("checkpoint?size=1"));
    }

    [Fact]
    public async Task Entry_bundles_are_for_declared_witnesses_and_regulators_and_hash_tiles_for_anyone()
    {
        using var stranger = new HttpClient(new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true } }) { BaseAddress = _ledger.Address };
        using var witness = _fixture.Client(Witness, _ledger.Address);
        Assert.Equal(HttpStatusCode.OK, (await stranger.GetAsync("tile/0/000.p/1")).StatusCode);
        using var bundle = await witness.GetAsync("tile/entries/000.p/1");
        Assert.Equal(HttpStatusCode.OK, bundle.StatusCode);
        Assert.True(bundle.Headers.CacheControl!.Private);
        // A service that is no witness, and anyone without a token.
        Assert.Equal(HttpStatusCode.Unauthorized, await Status("tile/entries/000.p/1"));
        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.GetAsync("tile/entries/000.p/1")).StatusCode);
    }

    [Theory]
    [InlineData("regulator", "510000", HttpStatusCode.OK)]
    [InlineData("regulator", "000000", HttpStatusCode.OK)]
    [InlineData("regulator", "510100", HttpStatusCode.Forbidden)] // a city sees less than its province's log
    [InlineData("regulator", "110000", HttpStatusCode.Forbidden)]
    [InlineData("regulator", null, HttpStatusCode.Forbidden)]
    [InlineData("physician", "510000", HttpStatusCode.Forbidden)]
    public async Task A_regulator_of_the_whole_region_reads_a_bundle_and_the_reading_is_logged_before_it_leaves(string role, string? region, HttpStatusCode expected)
    {
        await Eventually.Holds(() => _ledger.App.Services.GetRequiredService<OutboxState>().LedgerReached == true, "the ledger's own relay runs");
        using var client = _issuer.Client(_ledger.Address, "urn:mdid:p:reg", "audit.read", role, region);
        using var answer = await client.GetAsync("tile/entries/000.p/1");
        Assert.Equal(expected, answer.StatusCode);
        var logged = await _fixture.Database.Runtime.Sql("SELECT count(*) FROM entries WHERE position('\"basis\":\"tile:entries/000.p/1\"'::bytea in leaf) > 0").Scalar<long>(default);
        Assert.Equal(expected == HttpStatusCode.OK ? 1 : 0, logged);
    }

    [Fact]
    public async Task A_token_without_the_scope_opens_no_bundle()
    {
        using var client = _issuer.Client(_ledger.Address, "urn:mdid:p:reg", "openid", "regulator", "510000");
        Assert.Equal(HttpStatusCode.Forbidden, (await client.GetAsync("tile/entries/000.p/1")).StatusCode);
    }

    private async Task Grow(int events)
    {
        for (var left = events; left > 0; left -= 100)
        {
            var count = Math.Min(left, 100);
            var frame = _producer.Next([.. Enumerable.Range(0, count).Select(_ => _producer.Body())]);
            Assert.IsType<PostOutcome.Accepted>(await _link.Post(frame, count, default));
        }
    }

    private async Task<Checkpoint> Head() => Checkpoint.TryParse((await _link.Checkpoint(default)).Split("\n\n")[0] + "\n")!;

    private async Task<HttpStatusCode> Status(string path)
    {
        using var answer = await _ca.GetAsync(path);
        return answer.StatusCode;
    }

    private async Task<string> CacheControl(string path)
    {
        using var answer = await _ca.GetAsync(path);
        return string.Join(", ", answer.Headers.GetValues("Cache-Control"));
    }
}
