using System.Globalization;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Trust.Cli.Local;

namespace Trust.Benchmarks.Load;

/// <summary>What Kestrel itself can do: a process that answers every request with the same bytes, as a yardstick.</summary>
internal sealed class StaticAnswer : IAsyncDisposable
{
    /// <summary>The hidden verb of the process that serves.</summary>
    public const string Verb = "static-answer";

    private readonly System.Diagnostics.Process _process;

    private StaticAnswer(System.Diagnostics.Process process, string url) => (_process, Url) = (process, url);

    /// <summary>Where it listens.</summary>
    public string Url { get; }

    /// <summary>Starts the process, set up as the services are.</summary>
    /// <param name="size">Bytes of each answer.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<StaticAnswer> Start(int size, CancellationToken ct)
    {
        var process = Command.Start("dotnet", [Path.Combine(AppContext.BaseDirectory, "Trust.Benchmarks.dll"), Verb, size.ToString(CultureInfo.InvariantCulture)],
            new Dictionary<string, string>(StringComparer.Ordinal) { ["DOTNET_gcServer"] = "0" }, redirect: true);
        var url = await process.StandardOutput.ReadLineAsync(ct) ?? throw new InvalidOperationException("The static answer's process ended.");
        return new StaticAnswer(process, url);
    }

    /// <summary>Serves until standard input ends.</summary>
    public static async Task<int> Serve(int size)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var app = builder.Build();
        var bytes = RandomNumberGenerator.GetBytes(size);
        app.Run(async context =>
        {
            context.Response.ContentType = "application/ocsp-response";
            context.Response.ContentLength = bytes.Length;
            await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
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
