using System.Globalization;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Trust.Cli.Local;
using Trust.Kernel.Hosting;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.Pkcs11;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests.Witness;

/// <summary>A witness of its own: configuration, token, state; watching the logs it is given.</summary>
internal sealed class WitnessFixture : IAsyncDisposable
{
    private readonly string _directory = Scratch.Directory("witness");
    private readonly TokenOptions _token = Tokens.NewOptions("witness");
    private readonly HttpClient _client = new();
    private WebApplication? _app;

    private WitnessFixture(IReadOnlyList<ForgeableLog> logs, Believed? believed = null, TimeSpan? answerWithin = null)
    {
        Address = new Uri($"http://127.0.0.1:{PostgresCluster.FreePort()}");
        Directory.CreateDirectory(Path.Combine(_directory, "public"));
        Config = Path.Combine(_directory, "witness.json");
        foreach (var log in logs)
        {
            File.WriteAllText(Keys(log), log.Key.VKey + "\n");
        }

        File.WriteAllText(Config, JsonSerializer.Serialize(new
        {
            Service = new { Region = "510000", Node = "witness-1", PublicDirectory = Path.Combine(_directory, "public"), DataDirectory = Path.Combine(_directory, "data") },
            Listen = new { Main = new { Url = Address.ToString() } },
            Token = new { _token.ModulePath, _token.TokenLabel, _token.PinFile, Region = "510000" },
            Peers = logs.Select(l => (Name: PeerOf(l), l.Address)).Concat(believed?.Peers.Select(p => (Name: PeerOf(p), Address: p)) ?? [])
                .Select(p => new { p.Name, Address = p.Address.ToString(), Region = "510000" }),
            Witness = new
            {
                Name = "witness.example",
                AnswerWithin = answerWithin ?? TimeSpan.FromSeconds(30),
                Logs = logs.Select(l => new { l.Origin, Peer = PeerOf(l), VKeysFile = Keys(l), Join = believed is null ? null : Join(believed) }),
            },
        }));
        TestDeclaration.Write(Config, Trust.Witness.Program.Service);
    }

    public string Config { get; }

    public Uri Address { get; }

    /// <summary>The running witness.</summary>
    public WebApplication App => _app!;

    /// <summary>Where a log's replay begins after a restart.</summary>
    public string Landmark(ForgeableLog log) => Path.Combine(_directory, "data", "logs", Trust.Witness.WatchedLog.Id(log.Origin), "landmark.json");

    public NoteVerifier Key => NoteVerifier.TryParse(File.ReadAllText(Path.Combine(_directory, "public", "witness.vkey")).Trim())!;

    public static async Task<WitnessFixture> Start(params ForgeableLog[] logs)
    {
        var fixture = new WitnessFixture(logs);
        await fixture.Start();
        return fixture;
    }

    /// <summary>One that may begin at a landmark of others.</summary>
    public static async Task<WitnessFixture> Start(ForgeableLog log, Believed believed, TimeSpan? answerWithin = null)
    {
        var fixture = new WitnessFixture([log], believed, answerWithin);
        await fixture.Start();
        return fixture;
    }

    public async Task Start()
    {
        _app = ServiceHost.Build(["run", "--config", Config], Trust.Witness.Program.Service);
        await Trust.Witness.Program.Service.Provision!(_app.Services, default);
        await _app.StartAsync();
    }

    public async Task Stop()
    {
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
            _app = null;
        }
    }

    public async Task<(HttpStatusCode Status, string Body, string? Type)> Post(string body)
    {
        using var content = new StringContent(body);
        using var answer = await _client.PostAsync(Address + "add-checkpoint", content);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(), answer.Content.Headers.ContentType?.MediaType);
    }

    /// <summary>Posts and opens the cosigned note.</summary>
    public async Task<bool> Cosigns(ForgeableLog log, long old)
    {
        var head = log.Head();
        var (status, body, _) = await Post(log.Request(old, head));
        return status == HttpStatusCode.OK && NoteLine.TryParse(body.TrimEnd('\n')) is { } line
            && SignedNote.TryOpen(SignedNote.Write(head.Text, [line]), [Key], 1) is not null;
    }

    /// <summary>What readiness tells.</summary>
    public async Task<string> Ready()
    {
        using var answer = await _client.GetAsync(Address + "health/ready");
        return await answer.Content.ReadAsStringAsync();
    }

    public async Task<string> Newest(ForgeableLog log)
    {
        using var answer = await _client.GetAsync(string.Create(CultureInfo.InvariantCulture, $"{Address}{Trust.Witness.WatchedLog.Id(log.Origin)}/checkpoint"));
        return answer.IsSuccessStatusCode ? await answer.Content.ReadAsStringAsync() : "";
    }

    public async ValueTask DisposeAsync()
    {
        await Stop();
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }

        _client.Dispose();
    }

    private object Join(Believed believed)
    {
        var file = Path.Combine(_directory, "believed.vkeys");
        File.WriteAllLines(file, believed.Keys.Select(k => k.VKey));
        return new { Peers = believed.Peers.Select(PeerOf), VKeysFile = file, believed.Quorum };
    }

    private static string PeerOf(Uri witness) => "witness-" + witness.Port.ToString(CultureInfo.InvariantCulture);

    private static string PeerOf(ForgeableLog log) => "log-" + log.Address.Port.ToString(CultureInfo.InvariantCulture);

    private string Keys(ForgeableLog log) => Path.Combine(_directory, PeerOf(log) + ".vkeys");
}

/// <summary>Whose landmarks a witness believes.</summary>
internal sealed record Believed(int Quorum, IReadOnlyList<Uri> Peers, IReadOnlyList<NoteVerifier> Keys);
