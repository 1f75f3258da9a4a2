using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Trust.Cli.Local;
using Trust.Kernel.Hosting;

namespace Trust.Benchmarks.Load;

/// <summary>
/// The host that every service runs on, in a process of its own, with two routes that do nothing: what differs between them is the access
/// token. It is the signing service by its configuration, so it trusts the running provider and its tokens.
/// </summary>
internal sealed class TokenAnswer : IAsyncDisposable
{
    /// <summary>The hidden verb of the process that serves.</summary>
    public const string Verb = "token-answer";

    /// <summary>Scope that <see cref="WithToken"/> asks for.</summary>
    public const string Scope = "validate";

    /// <summary>Path of the route for anyone.</summary>
    public const string WithoutToken = "/none";

    /// <summary>Path of the route for bearers.</summary>
    public const string WithToken = "/token";

    private readonly System.Diagnostics.Process _process;

    private TokenAnswer(System.Diagnostics.Process process, Uri url) => (_process, Url) = (process, url);

    /// <summary>Where it listens.</summary>
    public Uri Url { get; }

    /// <summary>Processor time it has used.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>Starts the process.</summary>
    /// <param name="configuration">The signing service's configuration file.</param>
    /// <param name="scratch">Folder for its own.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<TokenAnswer> Start(string configuration, string scratch, CancellationToken ct)
    {
        var sign = JsonNode.Parse(await File.ReadAllTextAsync(configuration, ct))!.AsObject();
        var own = new JsonObject { ["Listen"] = new JsonObject { ["Main"] = new JsonObject { ["Url"] = "http://127.0.0.1:0" } } };
        foreach (var section in new[] { "Service", "Peers", "Tokens", "RateLimits" })
        {
            own[section] = sign[section]?.DeepClone();
        }

        var file = Path.Combine(scratch, "token-answer.json");
        await File.WriteAllTextAsync(file, own.ToJsonString(new JsonSerializerOptions { WriteIndented = true }), ct);
        var process = Command.Start("dotnet", [Path.Combine(AppContext.BaseDirectory, "Trust.Benchmarks.dll"), Verb, file],
            new Dictionary<string, string>(StringComparer.Ordinal) { ["DOTNET_gcServer"] = "1" }, redirect: true);
        var url = await process.StandardOutput.ReadLineAsync(ct);
        return Uri.TryCreate(url, UriKind.Absolute, out var address)
            ? new TokenAnswer(process, address)
            : throw new InvalidOperationException("The host with two routes did not start: " + url);
    }

    /// <summary>Serves until standard input ends.</summary>
    public static async Task<int> Serve(string configuration)
    {
        await using var app = ServiceHost.Build(["run", "--config", configuration], new ServiceDefinition
        {
            Name = "sign", Assembly = typeof(TokenAnswer), HasDatabase = false, HasOutbox = false,
            Configure = builder => builder.Logging.ClearProviders(),
            Routes = _ => new RouteTable()
                .Get(WithoutToken, Who.Anyone, Limit.None, () => TypedResults.NoContent(), "Answers at once.")
                .Get(WithToken, Who.Token(Scope), Limit.None, () => TypedResults.NoContent(), "Answers bearers at once."),
        });
        await app.StartAsync();
        Console.WriteLine(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        await Console.In.ReadToEndAsync();
        await app.StopAsync();
        return 0;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
