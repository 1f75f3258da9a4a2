using System.Globalization;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Trust.Cli.Local;
using Trust.Crypto;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Tests.Witnessing;

/// <summary>A C2SP witness written for the tests alone, that can also be away, slow, or wrong.</summary>
internal sealed class ScriptedWitness : IAsyncDisposable
{
    private readonly byte[] _seed = RandomNumberGenerator.GetBytes(32);
    private readonly WebApplication _app;
    private readonly Lock _gate = new();
    private byte[] _root = MerkleProof.EmptyRoot;

    private ScriptedWitness(string name, Uri address)
    {
        Name = name;
        Address = address;
        Key = NoteVerifier.Cosigner(name + ".example", Ed25519.PublicKeyOf(_seed));
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(address.ToString());
        _app = builder.Build();
        _app.MapPost("/add-checkpoint", Add);
    }

    public string Name { get; }

    public Uri Address { get; }

    public NoteVerifier Key { get; }

    public long Size { get; private set; }

    public int Asked { get; private set; }

    /// <summary>Answers this instead; null: by the protocol.</summary>
    public Func<IResult>? Instead { get; set; }

    /// <summary>Never answers while set.</summary>
    public bool Hangs { get; set; }

    public static async Task<ScriptedWitness> Start(string name)
    {
        var witness = new ScriptedWitness(name, new Uri($"http://127.0.0.1:{PostgresCluster.FreePort()}"));
        await witness._app.StartAsync();
        return witness;
    }

    /// <summary>Believes in a log of that size.</summary>
    public void Believe(long size, byte[] root) => (Size, _root) = (size, root);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task<IResult> Add(HttpRequest request)
    {
        Asked++;
        if (Hangs)
        {
            // Hangs, as a peer that never answers does; the caller's patience ends it.
            await Task.Delay(Timeout.Infinite, request.HttpContext.RequestAborted);
        }

        if (Instead is { } instead)
        {
            return instead();
        }

        using var reader = new StreamReader(request.Body);
        var body = await reader.ReadToEndAsync();
        var split = body.IndexOf("\n\n", StringComparison.Ordinal);
        var head = body[..split].Split('\n');
        var (text, _) = SignedNote.TryRead(body[(split + 2)..])!.Value;
        var checkpoint = Checkpoint.TryParse(text)!;
        lock (_gate)
        {
            var old = long.Parse(head[0]["old ".Length..], CultureInfo.InvariantCulture);
            if (old != Size)
            {
                return Results.Text(string.Create(CultureInfo.InvariantCulture, $"{Size}\n"), "text/x.tlog.size", statusCode: 409);
            }

            if (!MerkleProof.VerifyConsistency(old, _root, checkpoint.Size, checkpoint.Root, [.. head.Skip(1).Select(Convert.FromBase64String)]))
            {
                return Results.Text("another log\n", statusCode: 422);
            }

            (Size, _root) = (checkpoint.Size, checkpoint.Root);
        }

        var seconds = (ulong)TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var bytes = System.Text.Encoding.UTF8.GetBytes(text);
        var line = new NoteLine(Key.Name, Key.KeyId, Cosignature.Write(seconds, Ed25519.Sign(_seed, Cosignature.Message(bytes, seconds))));
        return Results.Text(line + "\n");
    }
}
